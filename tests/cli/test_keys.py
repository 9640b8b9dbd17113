"""`jeton keys`: a keyset's life, and what is refused on the way."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import VALUE, Jeton

NIR = [VALUE]


def listed(jeton: Jeton) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jeton.done("keys", "list", "--json"))
    return found


def states(jeton: Jeton) -> list[str]:
    return [version["state"] for version in listed(jeton)["versions"]]


def tokenised(jeton: Jeton) -> str:
    return jeton.done("tokenise", "fr-nir", "-", client="intake", stdin=f"{VALUE}\n").strip()


def opened(jeton: Jeton, token: str) -> str:
    result = jeton(
        "detokenise", "fr-nir", "-", "--purpose", "reimbursement",
        client="reimbursement", stdin=f"{token}\n",
    )  # fmt: skip
    return result.stdout.strip()


def unpin(jeton: Jeton, version: int) -> None:
    jeton.edit('format = "digits"', f'format = "digits"\nkey_version = {version}')


def test_list(jeton: Jeton) -> None:
    assert listed(jeton) == {
        "generation": 1,
        "slots": 2,
        "versions": [
            {
                "version": 1,
                "state": "primary",
                "created": listed(jeton)["versions"][0]["created"],
                "slot": 0,
                "pinned_by": ["digits"],
            }
        ],
    }
    assert jeton.done("keys", "list").splitlines()[1].endswith("\t0\tdigits")


def test_a_rotation_from_end_to_end(jeton: Jeton) -> None:
    old = tokenised(jeton)
    said = jeton("keys", "rotate")
    assert "SIGHUP" in said.stderr
    assert "digits" in said.stderr
    assert states(jeton) == ["enabled", "primary"]
    new = tokenised(jeton)
    assert new != old
    assert opened(jeton, old) == opened(jeton, new) == VALUE

    refused = jeton("keys", "rotate")
    assert refused.exit_code == 2
    assert "jeton keys destroy 1" in refused.stderr

    unpin(jeton, 2)
    jeton.done("keys", "destroy", "1", "--yes")
    assert states(jeton) == ["destroyed", "primary"]
    assert opened(jeton, old) == ""
    assert opened(jeton, new) == VALUE
    jeton.done("keys", "rotate")
    assert states(jeton) == ["destroyed", "enabled", "primary"]


def test_a_pinned_version_is_not_destroyed(jeton: Jeton) -> None:
    jeton.done("keys", "rotate")
    before = states(jeton)
    result = jeton("keys", "destroy", "1", "--yes")
    assert result.exit_code == 2
    assert "digits" in result.stderr
    assert "key_version" in result.stderr
    assert states(jeton) == before


def test_the_primary_is_neither_destroyed_nor_disabled(jeton: Jeton) -> None:
    unpin(jeton, 2)
    for verb in (("destroy", "1", "--yes"), ("disable", "1")):
        result = jeton("keys", *verb)
        assert result.exit_code == 2
        assert "rotate first" in result.stderr
    assert states(jeton) == ["primary"]


def test_a_version_that_is_not_there_yet_is_pinned_before_it_is_made(jeton: Jeton) -> None:
    unpin(jeton, 2)
    refused = jeton("tokenise", "digits", "-", client="intake", stdin="123456\n")
    assert refused.exit_code == 2
    assert "transformations.digits.key_version: the keyset has versions 1 to 1" in refused.stderr
    jeton.done("keys", "rotate")
    assert [version["pinned_by"] for version in listed(jeton)["versions"]] == [[], ["digits"]]
    jeton.done("tokenise", "digits", "-", client="intake", stdin="123456\n")


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_destroy_asks(jeton: Jeton, answer: str) -> None:
    jeton.done("keys", "rotate")
    unpin(jeton, 2)
    result = jeton("keys", "destroy", "1", stdin=answer)
    assert result.exit_code == 2
    assert "never open again" in result.stderr
    assert "nothing is changed" in result.stderr
    assert states(jeton) == ["enabled", "primary"]
    assert jeton("keys", "destroy", "1", stdin="y\n").exit_code == 0
    assert states(jeton) == ["destroyed", "primary"]


def test_destroy_has_nobody_to_ask_in_a_script(jeton: Jeton) -> None:
    jeton.done("keys", "rotate")
    unpin(jeton, 2)
    jeton.done("keys", "destroy", "1", stdin="")
    assert states(jeton) == ["destroyed", "primary"]


def test_disable_and_enable(jeton: Jeton) -> None:
    old = tokenised(jeton)
    jeton.done("keys", "rotate")
    said = jeton("keys", "disable", "1")
    assert "All tokens of digits are of version 1" in said.stderr
    assert opened(jeton, old) == ""
    jeton.done("keys", "enable", "1")
    assert opened(jeton, old) == VALUE
    assert jeton("keys", "enable", "1").exit_code == 2
    assert jeton("keys", "enable", "3").exit_code == 2


def test_rewrap_under_a_fresh_file(jeton: Jeton) -> None:
    token = tokenised(jeton)
    comments = [line for line in jeton.config.read_text("utf-8").splitlines() if "#" in line]
    old = (jeton.folder / "kek.key").read_text()
    said = jeton("keys", "rewrap", "--to", "file:other.key")
    assert said.exit_code == 0
    assert "holds a fresh KEK" in said.stderr
    fresh = jeton.folder / "other.key"
    assert fresh.stat().st_mode & 0o777 == 0o600
    assert fresh.read_text() != old
    (jeton.folder / "kek.key").unlink()
    assert opened(jeton, token) == VALUE
    assert listed(jeton)["generation"] == 2
    after = [line for line in jeton.config.read_text("utf-8").splitlines() if "#" in line]
    assert len(after) == len(comments)


def test_rewrap_under_a_variable(jeton: Jeton, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (jeton.folder / "kek.key").read_text().strip()
    missing = jeton("keys", "rewrap", "--to", "env:NEW_KEK")
    assert missing.exit_code == 2
    assert listed(jeton)["generation"] == 1
    monkeypatch.setenv("NEW_KEK", text)
    jeton.done("keys", "rewrap", "--to", "env:NEW_KEK")
    assert 'kek = "env:NEW_KEK"' in jeton.config.read_text("utf-8")
    assert listed(jeton)["generation"] == 2


def test_rewrap_where_the_environment_says_which_kek(
    jeton: Jeton, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = jeton.config.read_bytes()
    monkeypatch.setenv("JETON__KEYS__KEK", "file:kek.key")
    said = jeton("keys", "rewrap", "--to", "file:other.key")
    assert "JETON__KEYS__KEK is set and goes before the file" in said.stderr
    assert jeton.config.read_bytes() == before
    monkeypatch.setenv("JETON__KEYS__KEK", "file:other.key")
    assert listed(jeton)["generation"] == 2


@pytest.mark.parametrize("kek", ["vault:x", "file:", "nothing"])
def test_rewrap_to_what_is_no_kek(jeton: Jeton, kek: str) -> None:
    before = jeton.config.read_bytes()
    result = jeton("keys", "rewrap", "--to", kek)
    assert result.exit_code == 2
    assert "file:PATH, env:NAME, command:ARGV, pkcs11:URI and aws-kms:KEY" in result.stderr
    assert jeton.config.read_bytes() == before
    assert listed(jeton)["generation"] == 1


def test_a_damaged_keyset_is_said(jeton: Jeton) -> None:
    keyset = jeton.folder / "keyset.json"
    keyset.write_bytes(keyset.read_bytes()[:100])
    result = jeton("keys", "list")
    assert result.exit_code == 2
    assert result.stderr.startswith("jeton: ")
    assert "backup" in result.stderr


def test_nothing_grows_out_of_an_older_keyset_than_was_served(jeton: Jeton) -> None:
    keyset = jeton.folder / "keyset.json"
    older = keyset.read_bytes()
    jeton.done("keys", "rotate")
    tokenised(jeton)
    keyset.write_bytes(older)
    for verb in (
        ["rotate"],
        ["disable", "1"],
        ["destroy", "1", "--yes"],
        ["rewrap", "--to", "env:X"],
    ):
        refused = jeton("keys", *verb)
        assert refused.exit_code == 2
        assert "restore the newest" in refused.stderr
    assert keyset.read_bytes() == older
    assert listed(jeton)["generation"] == 1  # to look is free


def test_no_key_is_ever_printed(jeton: Jeton) -> None:
    secret = (jeton.folder / "kek.key").read_text().strip()
    said = [jeton("keys", *verb).output for verb in (["list"], ["rotate"], ["list", "--json"])]
    assert all(secret not in text for text in said)


def test_relative_paths_start_at_the_configuration(jeton: Jeton, tmp_path: Path) -> None:
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        jeton.done("keys", "rewrap", "--to", "file:other.key")
    finally:
        os.chdir(before)
    assert (jeton.folder / "other.key").exists()
    assert not (tmp_path / "other.key").exists()
