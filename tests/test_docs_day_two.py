"""What the pages for operators tell them to type is typed, against the real thing."""

from pathlib import Path

import pytest

from tests.support.components import need_program
from tests.support.ports import free_port
from tests.support.snippets import ROOT, blocks, run_bash

pytestmark = pytest.mark.system

PAGES = sorted(path.name for path in (ROOT / "docs" / "day-two").glob("*.md"))
PROGRAMS = {
    "rotating.md": ("curl", "openssl"),
    "restoring.md": ("curl",),
    "losing-redis.md": ("curl", "redis-server", "redis-cli"),
    "upgrading.md": ("curl",),
}
PORTS = ("8200", "6390")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_works(page: str, tmp_path: Path) -> None:
    for program in PROGRAMS.get(page, ()):
        need_program(program)
    script = "\n".join(blocks(f"docs/day-two/{page}", "bash"))
    for port in PORTS:
        script = script.replace(port, str(free_port()))
    run_bash(script, tmp_path)
