"""Load by locust against a real service: what stalls, what changes, what is distributed."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager

import pytest

from benchmarks.http import BARE, free_port, on_uvicorn
from benchmarks.locust.short import service
from tests.support.snippets import blocks

pytestmark = pytest.mark.system

FILE, SHAPES = "benchmarks/locust/locustfile.py", "benchmarks/locust/shapes.py"
STALL = 1.0


class Target(dict):
    """The environment of a generator. Credentials in it are not shown."""

    def __repr__(self):
        return self["JETON_URL"]


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    with ExitStack() as stack:
        yield Target(service(stack, tmp_path_factory.mktemp("service")))


@contextmanager
def locust(target, *arguments, file=FILE):
    command = [sys.executable, "-m", "locust", "-f", file, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, env=os.environ | target, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(target, *arguments, file=FILE):
    """Exit code, and what it printed."""
    with locust(target, "--headless", "--only-summary", *arguments, file=file) as process:
        printed, _ = process.communicate(timeout=60)
        return process.returncode, printed


def users(count, seconds):
    return ["--users", str(count), "--spawn-rate", str(count), "--run-time", f"{seconds}s"]


def entries(path):
    return {one["name"]: one for one in json.loads(path.with_name(f"{path.name}.json").read_text())}


def percentile(entry, share):
    """Milliseconds; locust rounds them to two digits."""
    times = sorted((float(time), count) for time, count in entry["response_times"].items())
    left = share * entry["num_requests"]
    for milliseconds, count in times:
        left -= count
        if left <= 0:
            return milliseconds
    raise AssertionError("no call was made")


@contextmanager
def stalled_once(url):
    """The service stands still for a second once it has answered something, in another thread."""
    [found] = re.findall(r":(\d+)$", url)
    listening = subprocess.check_output(["ss", "-Hltnp", f"sport = :{found}"], text=True)
    pids = {int(pid) for pid in re.findall(r"pid=(\d+)", listening)}
    assert pids
    before = answered(url)

    def stall():
        deadline = time.monotonic() + 30
        while answered(url) < before + 50 and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(STALL)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stall)
    thread.start()
    yield
    thread.join()


def answered(url):
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as metrics:
        lines = metrics.read().decode().splitlines()
    counts = [line.rpartition(" ")[2] for line in lines if line.startswith("jeton_requests_total")]
    return sum(map(float, counts))


def after_a_stall(target, path, *arguments):
    with stalled_once(target["JETON_URL"]):
        code, printed = run(target, *users(4, 5), *arguments, "--json-file", str(path), "Tokenise")
    assert code == 0, printed
    return entries(path)["tokenise"]


def test_a_stall_counts_for_each_call_that_was_due_meanwhile(target, tmp_path):
    closed = after_a_stall(target, tmp_path / "closed")
    opened = after_a_stall(target, tmp_path / "open", "--arrivals", "50")
    # Users that wait for their answers saw the second four times, among thousands of calls.
    assert percentile(closed, 1) >= 900 * STALL
    assert percentile(closed, 0.95) < 200 * STALL
    # A fifth of the calls at a constant rate were due in it: from a second to nothing late.
    assert percentile(opened, 0.5) < 200 * STALL
    assert percentile(opened, 0.95) > 400 * STALL
    assert 600 <= opened["num_requests"] <= 4 * 50 * 5.5


@pytest.mark.parametrize("chosen", [["Claims"], ["SdkClaims"]])
def test_the_claims_of_a_day(target, tmp_path, chosen):
    shape = ["--shape", "day", "--shape-users", "20", "--shape-seconds", "5", "--arrivals", "40"]
    more = ["--json-file", str(tmp_path / "stats"), "--most-failures", "0"]
    code, printed = run(target, *shape, *more, *chosen, file=f"{FILE},{SHAPES}")
    assert code == 0, printed
    assert "Ramping to 1 users" in printed
    assert "Ramping to 20 users" in printed
    calls = {name.removeprefix("SDK "): one for name, one in entries(tmp_path / "stats").items()}
    reveals, all_calls = calls["detokenise"]["num_requests"], 0
    all_calls = reveals + calls["tokenise"]["num_requests"]
    assert all_calls > 300
    assert 0.01 < reveals / all_calls < 0.12


def test_every_kind_of_call_is_made_by_both_ways(target, tmp_path):
    stats = tmp_path / "stats"
    more = ["--most-failures", "0", "--most-generator-share", "2"]
    code, printed = run(target, *users(16, 3), *more, "--json-file", str(stats))
    assert code == 0, printed
    kinds = {"tokenise", "tokenise 1000", "detokenise"}
    assert set(entries(stats)) == kinds | {f"SDK {kind}" for kind in kinds}


def test_a_call_of_the_client_that_fails_is_a_failure(target):
    broken = Target(target | {"JETON_CREDENTIAL": "x"})
    code, printed = run(broken, *users(2, 4), "SdkTokenise")
    assert code == 1
    assert "Unauthenticated" in printed
    assert target["JETON_CREDENTIAL"] not in printed


@pytest.mark.parametrize("chosen", ["Detokenise", "SdkDetokenise"])
def test_users_without_tokens_are_no_good_run(target, chosen):
    broken = Target(target | {"JETON_CREDENTIAL": "x"})
    code, printed = run(broken, *users(1, 1), chosen)
    assert code != 0, printed


def test_a_run_without_a_call_is_no_good_run(target):
    code, printed = run(target, *users(1, 1), "--arrivals", "0.00001", "Tokenise")
    assert code == 1
    assert "threshold crossed: no call was made" in printed


def test_the_time_of_a_run_counts_from_its_start(target, tmp_path):
    """gevent's clock stands while modules are imported: a run on a slow machine ended at once."""
    slow = tmp_path / "slow.py"
    slow.write_text("import gevent.monkey\ngevent.monkey.get_original('time', 'sleep')(1.5)\n")
    stats = ["--json-file", str(tmp_path / "stats")]
    code, printed = run(target, *users(2, 3), *stats, "Tokenise", file=f"{FILE},{slow}")
    assert code == 0, printed
    made = entries(tmp_path / "stats")["tokenise"]
    assert made["last_request_timestamp"] - made["start_time"] > 2


def test_a_page_on_which_nothing_was_run_ends_well(target):
    port = str(free_port())
    with locust(target, "--web-host", "127.0.0.1", "--web-port", port, "Tokenise") as process:
        awaited(lambda: ask(f"http://127.0.0.1:{port}"))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0


def test_a_batch_that_is_not_said_to_be_without_errors_is_a_failure(target):
    with on_uvicorn(BARE) as (url, _):
        code, printed = run(Target(target | {"JETON_URL": url}), *users(1, 4), "Batches")
    assert code == 1
    assert "items failed" in printed


def test_a_generator_without_time_left_is_a_crossed_threshold(target):
    code, printed = run(target, *users(4, 2), "--most-generator-share", "0.001", "Tokenise")
    assert code == 1
    assert "threshold crossed: the generator's share of its core" in printed


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        (["--most-failures", "0", "--least-rate", "1", "--most-generator-share", "2"], 0),
        (["--most-generator-share", "0.001"], 1),
    ],
)
def test_two_workers_and_who_judges_them(target, tmp_path, thresholds, expected):
    port, stats = str(free_port()), tmp_path / "stats"
    master = ["--headless", "--only-summary", "--master", "--master-bind-host", "127.0.0.1"]
    master += ["--master-bind-port", port, "--expect-workers", "2", *users(4, 3), *thresholds]
    master += ["--arrivals", "20"]
    worker = ["--worker", "--master-host", "127.0.0.1", "--master-port", port]
    with (
        locust(target, *master, "--json-file", str(stats), "Tokenise") as main,
        locust(target, *worker) as one,
        locust(target, *worker) as two,
    ):
        printed, _ = main.communicate(timeout=60)
        for each in (one, two):
            each.communicate(timeout=30)
            assert each.returncode == 0
    assert main.returncode == expected, printed
    assert 100 < entries(stats)["tokenise"]["num_requests"] < 4 * 20 * 4  # workers are told


def ask(url, form=None):
    body = None if form is None else form.encode()
    with urllib.request.urlopen(url, body, timeout=10) as answer:
        return answer.read().decode()


def awaited(condition):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not come")


def test_the_web_page_starts_and_stops_a_run(target):
    port = str(free_port())
    page = f"http://127.0.0.1:{port}"
    with locust(target, "--web-host", "127.0.0.1", "--web-port", port, "Tokenise") as process:
        assert "<html" in awaited(lambda: ask(page))
        assert json.loads(ask(f"{page}/swarm", "user_count=2&spawn_rate=2"))["success"]

        def calls():
            stats = json.loads(ask(f"{page}/stats/requests"))["stats"]
            return any(one["name"] == "tokenise" and one["num_requests"] > 20 for one in stats)

        awaited(calls)
        assert json.loads(ask(f"{page}/stop", ""))["success"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0


def shortened(command):
    """What the page says, with fewer users and seconds."""
    command = re.sub(r"(--(?:shape-)?users) \d+", r"\1 4", command)
    command = re.sub(r"(--(?:shape-)?seconds|-t) \d+", r"\1 2", command)
    return command.replace(".venv/bin/python", sys.executable).replace(
        ".venv/bin/locust", f"{sys.executable} -m locust"
    )


def test_the_commands_of_the_page_run(target):
    lines = "".join(blocks("docs/load.md", "console")).splitlines()
    commands = [line.removeprefix("$ ") for line in lines]
    # The web page, the distributed run and the ceiling have tests of their own.
    alone = [one for one in commands if not re.search(r"--web-host|master|--ceiling", one)]
    assert len(alone) == 4
    for command in alone:
        done = subprocess.run(
            shlex.split(shortened(command)), env=os.environ | target, timeout=60, check=False
        )
        assert done.returncode == 0, command


def test_the_ceiling_of_the_generator_is_its_own():
    command = [sys.executable, "-m", "benchmarks.locust.short", "--seconds", "2", "--ceiling"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    [share] = re.findall(r"this run: [\d,]+, (\d+)% of it", done.stdout)
    assert int(share) > 0
    assert done.returncode == int(int(share) > 80)
    assert ("the generator is the bottleneck" in done.stderr) == (done.returncode == 1)
