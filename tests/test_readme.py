"""The README's transcript is typed, and what it says comes out."""

import re
from pathlib import Path

import pytest

from tests.support.components import need_program
from tests.support.ports import free_port
from tests.support.snippets import blocks, run_bash

pytestmark = pytest.mark.system

MARK = "--- step"


@pytest.mark.parametrize("number", [0, 1])
def test_the_transcript(number: int, tmp_path: Path) -> None:
    need_program("curl")
    block = blocks("README.md", "console")[number]
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    port = free_port(100, 101)
    script = "".join(f"{command}\necho '{MARK}'\n" for command, _ in steps)
    for verb in ("serve", "dev"):
        script = script.replace(f"jeton {verb}", f"jeton {verb} --port {port}")
    script = script.replace("8200", str(port)).replace("8300", str(port + 100))
    parts = run_bash(script, tmp_path).split(f"{MARK}\n")
    for (command, expected), printed in zip(steps, parts, strict=False):
        said = printed.splitlines()
        wanted = "\n".join(expected)
        pattern = re.escape(wanted).replace("…", ".*")
        assert re.fullmatch(pattern, "\n".join(said), re.DOTALL), f"{command}\n{printed}"
