"""A quick run, as it is typed."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.results import Result, read
from benchmarks.suite import BENCHMARKS

pytestmark = pytest.mark.system


def test_a_quick_run_writes_results_machine_and_report(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "run", "engine", "--quick", "--results"]
    subprocess.run([*command, str(tmp_path)], stdout=subprocess.DEVNULL, timeout=120, check=True)
    results = read(tmp_path / "latest.json")
    assert len(results) == 2
    assert all(one.value > 0 and one.ratio and one.ratio > 0 for one in results)
    about = json.loads((tmp_path / "machine.json").read_text())
    assert about["versions"]["numpy"]
    assert about["run"].startswith("quick")
    assert all(one.name in (tmp_path / "report.html").read_text() for one in results)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_no_server_behind(tmp_path, ending):
    command = [sys.executable, "-m", "benchmarks", "run", "fairness", "--results", str(tmp_path)]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    find = ["pgrep", "-P", str(run.pid), "-f", f"^{sys.executable} -m vault serve"]
    deadline = time.monotonic() + 60
    while not (found := subprocess.run(find, capture_output=True, text=True, check=False).stdout):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.send_signal(ending)
    assert run.wait(60) == -ending
    while any(map(serves, found.split())):
        assert ending == signal.SIGKILL  # nobody is left to wait for it
        assert time.monotonic() < deadline
        time.sleep(0.05)


def serves(pid):
    """Whether it is there, other than as a name that nobody asks about any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def test_two_figures_of_one_name_could_not_be_compared(tmp_path, monkeypatch, capsys):
    one = Result("same", "s", 1.0, 0.0, None, None, None, "python -m x")
    monkeypatch.setitem(BENCHMARKS, "first", lambda pace: iter([one]))
    monkeypatch.setitem(BENCHMARKS, "second", lambda pace: iter([one]))
    with pytest.raises(SystemExit) as ended:
        main(["run", "first", "second", "--quick", "--results", str(tmp_path)])
    assert ended.value.code == 1
    assert "FAILED: second: ValueError: two figures are called same" in capsys.readouterr().err
    assert len(read(tmp_path / "latest.json")) == 1


def test_a_benchmark_that_fails_is_named_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    def fails(pace):
        yield Result("half", "s", 1.0, 0.0, None, None, None, "python -m x")
        raise SystemExit("no more")

    monkeypatch.setitem(BENCHMARKS, "fails", fails)
    monkeypatch.setitem(BENCHMARKS, "fine", lambda pace: iter([]))
    with pytest.raises(SystemExit) as ended:
        main(["run", "fails", "fine", "--quick", "--results", str(tmp_path)])
    assert ended.value.code == 1
    assert "FAILED: fails: SystemExit: no more" in capsys.readouterr().err
    assert [one.name for one in read(tmp_path / "latest.json")] == ["half"]
    assert "no more" in (tmp_path / "report.html").read_text()
