"""Runs what the documentation tells its readers to type."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 90


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language, in order; `page` is a path from the project's root."""
    text = (ROOT / page).read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no {language} block"
    return found


def run_bash(script: str, folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """All that `script` prints, run in `folder` as one bash script that stops at the first
    failure. What it left running is ended."""
    output = folder / "output.txt"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with output.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env=os.environ | dict(environment or {}) | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            code = process.wait(SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    printed = output.read_text("utf-8")
    assert code == 0, f"exit {code}:\n{printed[-4_000:]}"
    return printed
