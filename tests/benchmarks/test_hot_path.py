"""The profile, where py-spy may not look at the service."""

import pytest

from benchmarks import hot_path, sampled
from benchmarks.__main__ import main
from benchmarks.results import read

pytestmark = pytest.mark.system

REFUSED = """#!/bin/sh
echo "Error: Permission denied (os error 13)

Stack backtrace:
   0: <E as anyhow>" >&2
exit 1
"""


def test_a_profile_that_is_refused_is_a_failure_that_says_how_to_mend_it(
    tmp_path, monkeypatch, capsys
):
    program = tmp_path / "py-spy"
    program.write_text(REFUSED)
    program.chmod(0o755)
    monkeypatch.setattr(sampled, "py_spy", lambda: [str(program)])
    with pytest.raises(SystemExit) as ended:
        main(["run", "hot_path", "--quick", "--results", str(tmp_path / "results")])
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "FAILED: hot_path: SystemExit: py-spy: Error: Permission denied (os error 13); " in told
    assert "CAP_SYS_PTRACE" in told
    assert "anyhow" not in told
    assert read(tmp_path / "results" / "latest.json") == []
    assert "CAP_SYS_PTRACE" in (tmp_path / "results" / "report.html").read_text()


def test_samples_are_shared_out_among_rooms():
    outer = "run (asyncio/runners.py:190);answer (vault/web/answers.py:3)"
    waits = "_worker (concurrent/futures/thread.py:81) 90"
    samples = [f"{outer} 3", f"{outer};f (vault/crypto/ff1.py:9) 1", waits]
    assert hot_path.shares(samples, hot_path.room) == {"writing the answer": 0.75, "FF1": 0.25}
    assert hot_path.shares([], hot_path.room) == {}


def test_samples_of_one_room_are_shared_out_among_functions():
    own = "<module> (loops.py:9);Reader.read (vault/proxy/bodies/csv.py:3)"
    samples = [f"{own} 2", f"{own};loads (json/decoder.py:1) 1", "run (asyncio/runners.py:1) 1"]
    found = hot_path.shares(samples, hot_path.function)
    assert found == {"Reader.read, csv": 0.75, hot_path.OTHERS: 0.25}
    many = [f"f{at} (vault/proxy/bodies/csv.py:1) 1" for at in range(hot_path.SHOWN + 3)]
    found = hot_path.shares(many, hot_path.function)
    assert len(found) == hot_path.SHOWN + 1
    assert found[hot_path.REST] == 3 / len(many)


@pytest.mark.parametrize("name", hot_path.LOOPS)
def test_each_loop_becomes_warm(name):
    with hot_path.looping(name) as pid:
        assert pid
