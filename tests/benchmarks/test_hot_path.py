"""The profile, where py-spy may not look at the service."""

import pytest

from benchmarks import hot_path
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
    monkeypatch.setattr(hot_path, "_py_spy", lambda: [str(program)])
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
    profile = f"{outer} 3\n{outer};f (vault/crypto/ff1.py:9) 1\n{waits}"
    assert hot_path._shares(profile) == {"writing the answer": 0.75, "FF1": 0.25}
    assert hot_path._shares("") == {}
