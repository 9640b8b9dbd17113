"""Whatever the documentation tells its readers to type is typed here, against the real thing."""

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.components import need_module, need_program
from tests.support.ports import free_port
from tests.support.service import Service
from tests.support.snippets import ROOT, blocks, run_bash

pytestmark = pytest.mark.system


def test_the_quickstart_does_what_it_says(tmp_path: Path) -> None:
    need_program("curl")
    script = "\n".join(blocks("docs/quickstart.md", "bash"))
    printed = run_bash(script.replace("8200", str(free_port())), tmp_path)
    token = json.loads((tmp_path / "token.json").read_text())["token"]
    assert re.fullmatch(r"[1-8][0-9]{2}4[3-9].{10}", token)
    assert '{"value":"284057512345672"}' in printed.replace('": "', '":"')
    assert "284************" in printed
    assert "InvalidValue(" in printed  # the bad item of the batch, from Python


def test_the_backup_drill_of_the_keys_page_works(tmp_path: Path) -> None:
    start, helpers, *_ = blocks("docs/quickstart.md", "bash")
    init = start.splitlines()[0]
    drill = "\n".join(blocks("docs/keys.md", "bash"))
    printed = run_bash(f"{init}\n{helpers}\n{drill}", tmp_path)
    assert "primary" in printed
    assert not (tmp_path / "restored").exists()


def test_the_hardware_modules_page_works(tmp_path: Path) -> None:
    for program in ("softhsm2-util", "pkcs11-tool"):
        need_program(program)
    need_module("pkcs11")
    script = "\n".join(blocks("docs/kek-pkcs11.md", "bash"))
    printed = run_bash(f"jeton init\n{script}", tmp_path)
    assert "primary" in printed


def test_the_python_clients_page_runs(
    new_service: Callable[[], Service],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    service = new_service()
    grants = ["tokenise:fr-nir", "tokenise:birth-date", "detokenise:fr-nir:reimbursement"]
    monkeypatch.setenv("JETON_CREDENTIAL", service.add_client("reader", grants))
    monkeypatch.setenv("JETON_URL", service.start().url)
    paid: list[str] = []
    names: dict[str, object] = {"bank_transfer": paid.append}
    for block in blocks("sdk/README.md", "python"):
        exec(block, names)
    assert paid == ["284057512345672"]
    assert capsys.readouterr().out.startswith("<sensitive>\n")


def test_the_scanners_page_finds_what_it_says(tmp_path: Path) -> None:
    printed = run_bash("\n".join(blocks("docs/scan.md", "bash")), tmp_path)
    assert "found: exit code 1" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["real"] == 1
    assert (report["sources"][0]["places"][0]["line"], report["skipped"]) == (2, [])


def test_the_pages_tables_are_made_from_the_code() -> None:
    need_module("myst_parser")
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    assert "| `reveal.hour` | 1,000 |" in tables.limits_table()
    assert "**fr-nir**: ordinary" in tables.formats_table()
    assert "## `jeton serve`" in "\n".join(tables.commands(tables.main, "jeton"))
    settings = "\n".join(tables.settings_tables())
    assert "| `port` | `8200` | 0 to 65_535 |" in settings
    assert "### `[proxy.routes.NAME]`" in settings
