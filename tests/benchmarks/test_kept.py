"""What a run keeps: of those before it, of what it measured before it ended, and of what failed."""

import json
import signal
import subprocess
import sys

import pytest

from benchmarks import __main__ as command
from benchmarks import kept, machine
from benchmarks.curves import Curve
from benchmarks.results import Result, read
from benchmarks.suite import BENCHMARKS

ENDED = """
import os, signal, sys
from benchmarks import __main__ as command
from benchmarks.results import result
from benchmarks.suite import BENCHMARKS

def half(pace):
    if "at once" not in sys.argv:
        yield result("half", "s", [2.0], "python -m y")
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
        yield result("never", "s", [2.0], "python -m y")
    finally:
        print("servers ended", flush=True)
        raise RuntimeError("one of them by force")

command.machine = lambda: {"system": "any"}
BENCHMARKS.clear()
if "alone" not in sys.argv:
    BENCHMARKS["whole"] = lambda pace: iter([result("whole", "s", [1.0], "python -m x")])
BENCHMARKS["half"] = half
BENCHMARKS["last"] = lambda pace: iter([result("last", "s", [3.0], "python -m z")])
command.main(["run", "--results", sys.argv[2]])
"""


def figure(name, value):
    return Result(name, "s", value, 0.0, None, None, None, f"python -m {name}")


def plot(name):
    return Curve(name, f"title of {name}", "x", "y", {"line": [(1.0, 2.0), (2.0, 3.0)]}, "said")


@pytest.fixture
def suite(monkeypatch):
    """Benchmarks of one figure and one plot, by name; more or others can be set."""
    monkeypatch.setattr(command, "machine", lambda: {"system": "this one"})
    for name in list(BENCHMARKS):
        monkeypatch.delitem(BENCHMARKS, name)

    def put(name, *values):
        made = [figure(f"{name} {at}", value) for at, value in enumerate(values)]
        monkeypatch.setitem(BENCHMARKS, name, lambda pace: iter([*made, plot(name)]))

    put("a", 1.0)
    put("b", 2.0)
    put("c", 3.0)
    return put


def run(folder, *names):
    with pytest.raises(SystemExit) as ended:
        command.main(["run", *names, "--results", str(folder)])
    return ended.value.code


def values(folder):
    return {one.name: one.value for one in read(folder / "latest.json")}


def about(folder):
    return json.loads((folder / "machine.json").read_text())


def test_a_run_of_some_leaves_the_figures_and_plots_of_the_others(tmp_path, suite):
    assert run(tmp_path) == 0
    assert about(tmp_path)["run"] == "whole run"
    suite("b", 20.0, 21.0)
    assert run(tmp_path, "b") == 0
    assert values(tmp_path) == {"a 0": 1.0, "b 0": 20.0, "b 1": 21.0, "c 0": 3.0}
    assert list(values(tmp_path)) == ["a 0", "b 0", "b 1", "c 0"]
    told = about(tmp_path)
    assert told["run"] == "whole run, of several runs"
    assert set(told["of other runs"]) == {"a", "c"}
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 3
    assert page.count("whole run, began 2") == 2  # above the tables of a and c


def test_a_run_of_all_is_of_one_run_again(tmp_path, suite):
    run(tmp_path)
    run(tmp_path, "a")
    run(tmp_path)
    assert about(tmp_path)["run"] == "whole run"
    assert "of other runs" not in about(tmp_path)


def test_figures_of_another_machine_are_said_to_be(tmp_path, suite, monkeypatch):
    run(tmp_path)
    monkeypatch.setattr(command, "machine", lambda: {"system": "another"})
    run(tmp_path, "a")
    assert about(tmp_path)["of other runs"]["b"].endswith(
        "on another machine or with other versions"
    )


def test_what_was_never_measured_makes_it_partial(tmp_path, suite):
    assert run(tmp_path, "b") == 0
    assert values(tmp_path) == {"b 0": 2.0}
    assert about(tmp_path)["run"] == "whole run, partial"
    assert about(tmp_path)["not measured"] == "a, c"


def test_results_are_there_after_each_benchmark(tmp_path, suite, monkeypatch):
    def looks(pace):
        assert values(tmp_path) == {"a 0": 1.0}
        assert about(tmp_path)["run"] == "whole run, partial"
        yield figure("b 0", 2.0)

    monkeypatch.setitem(BENCHMARKS, "b", looks)
    assert run(tmp_path) == 0
    assert not list(tmp_path.glob(".*"))  # nothing half written


def test_a_failure_of_an_earlier_run_is_told_until_it_is_measured(tmp_path, suite, monkeypatch):
    def fails(pace):
        raise ValueError("no wrk")

    with monkeypatch.context() as broken:
        broken.setitem(BENCHMARKS, "b", fails)
        assert run(tmp_path) == 1
    assert run(tmp_path, "a") == 0
    assert about(tmp_path)["failed"] == {"b": "ValueError: no wrk"}
    assert "no wrk" in (tmp_path / "report.html").read_text()
    assert run(tmp_path, "b") == 0
    assert "failed" not in about(tmp_path)


def test_figures_that_this_code_cannot_read_are_as_if_not_measured(tmp_path, suite):
    run(tmp_path)
    (tmp_path / kept.MEASURED / "c.json").write_text('{"name": "c"}')
    (tmp_path / kept.MEASURED / "gone.json").write_text("{")
    assert run(tmp_path, "a") == 0
    assert values(tmp_path) == {"a 0": 1.0, "b 0": 2.0}


def test_a_quick_run_leaves_the_figures_of_a_whole_one(tmp_path, suite, monkeypatch):
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    for options in ([], ["--quick"]):
        with pytest.raises(SystemExit):
            command.main(["run", *options])
    assert about(tmp_path)["run"] == "whole run"
    assert about(tmp_path / "quick")["run"] == "quick run: not to be quoted"


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_keeps_what_it_measured(tmp_path, by):
    done = ended(tmp_path, by)
    assert done.returncode == -by
    assert "servers ended" in done.stdout
    assert f"ended by {by.name}: what was measured is in {tmp_path}" in done.stderr
    assert list(values(tmp_path)) == ["whole", "half"]
    told = about(tmp_path)
    assert told["run"] == "whole run, partial"
    assert told["failed"] == {"half": f"ended by {by.name}"}
    assert told["not measured"] == "last"
    page = (tmp_path / "report.html").read_text()
    for line in (f"half: ended by {by.name}", f"last: {kept.UNREACHED}"):
        assert line in page
        assert line in done.stderr


def test_a_run_that_is_ended_before_a_first_figure_leaves_the_one_before(tmp_path, suite):
    suite("half", 9.0)
    run(tmp_path, "half")
    assert ended(tmp_path, signal.SIGTERM, "at once").returncode == -signal.SIGTERM
    assert values(tmp_path) == {"whole": 1.0, "half 0": 9.0}
    assert about(tmp_path)["run"] == "whole run, partial, of several runs"
    assert about(tmp_path)["not measured"] == "half, last"


def ended(folder, by, *how):
    return subprocess.run(
        [sys.executable, "-c", ENDED, str(int(by)), str(folder), *how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_commit_is_told(monkeypatch):
    assert machine.commit()
    monkeypatch.setenv("PATH", "/nowhere")
    assert machine.commit() == machine.UNTOLD


def test_a_run_that_is_ended_at_once_writes_that_nothing_was_measured(tmp_path):
    done = ended(tmp_path, signal.SIGINT, "at once", "alone")
    assert done.returncode == -signal.SIGINT
    assert values(tmp_path) == {}
    assert about(tmp_path)["not measured"] == "half, last"
