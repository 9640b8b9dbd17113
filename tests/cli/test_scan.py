"""`jeton scan`: exit codes, the three forms, and nothing that was found in any of them."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Jeton

NIR = "284057512345672"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "clean.csv").write_text("a,b\n1,2\n")
    return inside


def test_nothing_there(jeton: Jeton, folder: Path) -> None:
    result = jeton("scan", str(folder))
    assert result.exit_code == 0
    assert "1 files: 0 real identifiers" in result.stderr


@pytest.mark.parametrize("form", ["table", "json", "sarif"])
def test_what_is_found_is_told_by_place(form: str, jeton: Jeton, folder: Path) -> None:
    (folder / "leak.csv").write_text(f"nir\n{NIR}\n")
    result = jeton("scan", "--format", form, str(folder))
    assert result.exit_code == 1
    assert "leak.csv" in result.stdout
    assert NIR not in result.stdout + result.stderr
    if form == "json":
        told = json.loads(result.stdout)
        assert (told["real"], told["files"]) == (1, 2)
        assert told["sources"][0]["places"][0]["line"] == 2


def test_what_was_not_looked_at_is_no_success(jeton: Jeton, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(b"%PDF-1.7")
    result = jeton("scan", str(folder))
    assert result.exit_code == 2
    assert "a.pdf" in result.stderr
    assert jeton("scan", "--exclude", "*.pdf", str(folder)).exit_code == 0
