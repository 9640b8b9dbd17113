"""The page that adds a format on an example does what it says, on a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.snippets import ROOT, blocks

PAGE = "docs/adding-a-format.md"


def applied(text: str, change: str) -> str:
    """`text` with each part of a change, apart by ``@@``, made where its old lines stand."""
    for part in re.split(r"^@@.*\n", change, flags=re.MULTILINE):
        lines = part.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        assert text.count(old) == 1, f"{PAGE} changes what is not there:\n{old}"
        text = text.replace(old, new)
    return text


@pytest.mark.slow
def test_the_page_adds_a_format(tmp_path: Path) -> None:
    declaration, test = blocks(PAGE, "python")
    (change,) = blocks(PAGE, "diff")
    shutil.copytree(ROOT / "vault", tmp_path / "vault", ignore=shutil.ignore_patterns("*.pyc"))
    (tmp_path / "vault" / "formats" / "ca_sin.py").write_text(declaration)
    families = tmp_path / "vault" / "formats" / "__init__.py"
    families.write_text(applied(families.read_text(), change))
    (tmp_path / "test_ca_sin.py").write_text(test)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "6 passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_ca_sin.py")
    assert "ca-sin" in run("-m", "vault", "formats", "--json")
