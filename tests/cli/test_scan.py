"""`jeton scan`: exit codes, the three forms, and nothing that was found in any of them."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Jeton
from tests.support.values import nir_key

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
@pytest.mark.parametrize("to_file", [True, False])
def test_what_is_found_is_told_by_place(
    form: str, to_file: bool, jeton: Jeton, folder: Path, tmp_path: Path
) -> None:
    (folder / "leak.csv").write_text(f"nir\n{NIR}\n")
    output = ["--output", str(tmp_path / "report")] if to_file else []
    result = jeton("scan", "--format", form, *output, str(folder))
    assert result.exit_code == 1
    text = (tmp_path / "report").read_text("utf-8") if to_file else result.stdout
    assert "leak.csv" in text
    assert NIR not in text + result.stdout + result.stderr
    assert not to_file or result.stdout == ""
    if form == "table":
        assert text.splitlines()[1].endswith("leak.csv\t1\t0\t0\t2:1")
    elif form == "json":
        told = json.loads(text)
        assert (told["real"], told["files"]) == (1, 2)
        assert told["sources"][0]["places"][0]["line"] == 2


def test_what_was_not_looked_at_is_no_success(jeton: Jeton, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(b"%PDF-1.7")
    result = jeton("scan", str(folder))
    assert result.exit_code == 2
    assert "a.pdf" in result.stderr
    assert jeton("scan", "--exclude", "*.pdf", str(folder)).exit_code == 0


@pytest.mark.parametrize(("most", "code"), [(1, 1), (3, 1), (4, 0)])
def test_a_gate_may_be_wider(most: int, code: int, jeton: Jeton, folder: Path) -> None:
    (folder / "leak.csv").write_text(f"{NIR}\n" * 3)
    assert jeton("scan", "--fail-on", most, str(folder)).exit_code == code


def test_tokens_are_those_of_the_configured_band(jeton: Jeton, folder: Path) -> None:
    body = "1842175123456"
    (folder / "tokens.csv").write_text(body + nir_key(body))
    assert jeton("scan", str(folder)).exit_code == 1
    jeton.edit('band = "safe"', 'band = "official"')
    result = jeton("scan", str(folder))
    assert (result.exit_code, "1 tokens" in result.stderr) == (0, True)
    jeton.edit('band = "official"', 'band = "none"')
    assert "look like values" in jeton("scan", str(folder)).stderr


@pytest.mark.parametrize("arguments", [[], ["--jobs", "-1", "."], ["/no/such/folder"]])
def test_wrong_usage(arguments: list[str], jeton: Jeton) -> None:
    assert jeton("scan", *arguments).exit_code == 2
