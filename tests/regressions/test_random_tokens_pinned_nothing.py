"""A vaulted transformation of a format without key slots kept its key version from destruction.

`jeton keys` took it for one whose tokens are all of `key_version`, and told to re-tokenise what
has only to be rewrapped; `jeton check-config` called it pinned.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from vault.cli import main
from vault.cli.init import create


def said(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_random_tokens_pin_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = create(tmp_path / "jeton-data")
    monkeypatch.setenv("JETON_CONFIG", str(made.config))
    text = made.config.read_text("utf-8")
    before, section, after = text.partition("[transformations.digits]")
    assert 'method = "fpe"' in after
    after = after.replace('method = "fpe"', 'method = "vaulted"', 1)
    made.config.write_text(before + section + after, "utf-8")
    assert "pinned to" not in said("check-config")
    (version,) = json.loads(said("keys", "list", "--json"))["versions"]
    assert version["pinned_by"] == []
    said("keys", "rotate")
    said("keys", "destroy", "1", "--yes")
