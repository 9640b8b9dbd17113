"""The README's transcript is typed, and what it says comes out."""

import re
from pathlib import Path

import pytest

from tests.support.components import need_program
from tests.support.service import free_port
from tests.support.snippets import blocks, run_bash

pytestmark = pytest.mark.system

MARK = "--- step"


def test_the_transcript(tmp_path: Path) -> None:
    need_program("curl")
    (block,) = blocks("README.md", "console")
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    port = str(free_port())
    script = "".join(f"{command}\necho '{MARK}'\n" for command, _ in steps)
    script = script.replace("jeton serve", f"jeton serve --port {port}").replace("8200", port)
    parts = run_bash(script, tmp_path).split(f"{MARK}\n")
    for (command, expected), printed in zip(steps, parts, strict=False):
        said = printed.splitlines()
        wanted = "\n".join(expected)
        pattern = re.escape(wanted).replace("…", ".*")
        assert re.fullmatch(pattern, "\n".join(said), re.DOTALL), f"{command}\n{printed}"
