"""Under atheris, new inputs for a few seconds in `make test`, and for minutes in `make long`."""

import os
import platform
import re
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz import EVERY, FOLDER, NAMES, PLANTED, harness
from tests.support.components import missing

SECONDS = 6
STARTS = 180
"""Seconds that a process may take for imports and its corpus, on a busy machine."""


@pytest.fixture(autouse=True)
def _atheris() -> None:
    """It comes as a wheel for these machines only, as `pyproject.toml` has it too."""
    if find_spec("atheris") is not None:
        return
    here = (sys.platform, platform.machine(), platform.python_implementation())
    if here == ("linux", "x86_64", "CPython"):
        missing("the Python module atheris is missing")
    pytest.skip(f"there is no atheris for {' '.join(here)}")


def fuzz(name: str, seconds: int, folder: Path) -> tuple[int, str]:
    """The exit code, and what was said; the fuzzer and what it started are ended if they hang."""
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds)]
    command += ["--grown", str(folder / "grown"), "--findings", str(folder / "findings")]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("COV")}
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            command,
            cwd=FOLDER.parents[1],
            env=environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds + STARTS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        said.seek(0)
        return code, said.read()


@pytest.mark.slow
def test_new_inputs_find_nothing(tmp_path: Path) -> None:
    code, said = fuzz(EVERY, SECONDS, tmp_path)
    found = list((tmp_path / "findings" / EVERY).iterdir())
    named = [f"{NAMES[data[0] % len(NAMES)]}: {data[1:]!r}" for data in map(Path.read_bytes, found)]
    assert named == []
    assert code == 0, said[-4_000:]
    executed = re.search(r"number_of_executed_units: (\d+)", said)
    assert executed is not None
    assert int(executed[1]) > len(harness(EVERY).seeds())


@pytest.mark.slow
def test_a_bug_is_found_and_kept(tmp_path: Path) -> None:
    code, said = fuzz(PLANTED, SECONDS, tmp_path)
    assert code == 1
    assert "planted: failed" in said
    (kept,) = (tmp_path / "findings" / PLANTED).iterdir()
    with pytest.raises(AssertionError):
        harness(PLANTED).run(kept.read_bytes())
