"""`jeton vault`, as an operator types it."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import VALUE, Jeton
from tests.support.tokens import NIRS
from tests.support.values import nir_key

BLOCK = """
[transformations.kept]
format = "fr-nir"
method = "vaulted"
"""
GRANTS = ("--grant", "tokenise:kept", "--grant", "detokenise:kept:care")


@pytest.fixture
def kept(jeton: Jeton) -> Jeton:
    """An installation with random tokens, and a client `all` that may make and open them."""
    text = jeton.config.read_text("utf-8")
    jeton.config.write_text(text + BLOCK, "utf-8")
    made = json.loads(jeton.done("clients", "add", "all", *GRANTS, "--json"))
    return replace(jeton, credentials={**jeton.credentials, "all": made["credential"]})


def tokens_of(jeton: Jeton, values: list[str], *options: str) -> list[str]:
    lines = "\n".join(values)
    return jeton.done("tokenise", "kept", "-", *options, client="all", stdin=lines).split()


def opened(jeton: Jeton, tokens: list[str], *options: str) -> list[str]:
    arguments = ("detokenise", "kept", "-", "--purpose", "care", *options)
    result = jeton(*arguments, client="all", stdin="\n".join(tokens))
    return str(result.stdout).split("\n")[:-1]


def events(jeton: Jeton) -> list[tuple[str, dict[str, Any]]]:
    lines = map(json.loads, jeton.done("audit", "export").splitlines())
    return [
        (line["name"], line["detail"])
        for line in lines
        if line["kind"] == "event" and line["name"].startswith("vault")
    ]


def test_erases_by_token_on_the_record(kept: Jeton) -> None:
    tokens = tokens_of(kept, NIRS)
    asked = "\n".join([*tokens[:2], "no token"])
    result = kept(
        "vault", "erase", "kept", "-", "--by", "token", "--reason", "art. 17", stdin=asked
    )
    assert result.exit_code == 1
    assert "line 3: there is no such token here" in result.stderr
    assert "2 tokens erased." in result.stderr
    assert opened(kept, tokens) == ["", "", *NIRS[2:]]
    said = {"transformation": "kept", "reason": "art. 17"}
    assert events(kept) == [
        ("vault_erase", {**said, "by": "token", "asked": 3}),
        ("vault_erased", {**said, "count": 2}),
    ]
    record = b"".join(path.read_bytes() for path in kept.folder.glob("audit/*/*.jsonl"))
    assert not any(token.encode() in record for token in tokens)


def test_what_was_erased_leaves_the_files(kept: Jeton) -> None:
    """With the file that the service would keep open: its log is emptied too."""
    tokens = tokens_of(kept, NIRS)
    file = kept.folder / "jeton.tokens.db"
    files = [file, file.with_name(f"{file.name}-wal")]
    with closing(sqlite3.connect(file)) as serving:
        sealed = [row[0] for row in serving.execute("SELECT sealed FROM tokens")]
        erase = ("vault", "erase", "kept", "-", "--by", "token", "--reason", "r")
        kept.done(*erase, "--no-compact", stdin="\n".join(tokens))
        assert any(one in path.read_bytes() for one in sealed for path in files)
        kept.done("vault", "expire", "kept", "--older-than-days", "1", "--reason", "r")
        assert not any(one in path.read_bytes() for one in sealed for path in files)


def test_erases_by_value_under_one_context_or_all(kept: Jeton) -> None:
    plain, bound = tokens_of(kept, NIRS), tokens_of(kept, NIRS, "--context", "a")
    erase = ("vault", "erase", "kept", "-", "--by", "value", "--reason", "r")
    kept.done(*erase, "--context", "a", stdin=NIRS[0])
    assert opened(kept, plain) == NIRS
    assert opened(kept, bound, "--context", "a") == ["", *NIRS[1:]]
    kept.done(*erase, "--everywhere", stdin="\n".join(NIRS[:2]))
    assert opened(kept, plain) == ["", "", *NIRS[2:]]
    assert opened(kept, bound, "--context", "a") == ["", "", *NIRS[2:]]
    assert kept(*erase, stdin=NIRS[0]).exit_code == 1
    assert kept(*erase, stdin="12").exit_code == 2
    assert kept(*erase, "--everywhere", "--context", "a", stdin="").exit_code == 2


def test_rotates_rewraps_and_counts(kept: Jeton) -> None:
    tokens = tokens_of(kept, NIRS)
    kept.done("keys", "rotate")
    kept.done("vault", "rewrap", "kept", "--rate", "100000")
    found = json.loads(kept.done("vault", "stats", "kept", "--versions", "--json"))
    (kind,) = found["kinds"]
    assert (kind["tokens"], kind["versions"]) == (len(NIRS), {"2": len(NIRS)})
    assert f"{len(NIRS)}\t" in kept.done("vault", "stats", "kept")
    kept.done("keys", "disable", "1")
    assert opened(kept, tokens) == NIRS


def test_a_version_that_values_are_sealed_under_is_not_destroyed(kept: Jeton) -> None:
    tokens = tokens_of(kept, NIRS)
    assert "jeton vault rewrap kept" in kept("keys", "rotate").stderr
    kept.edit('format = "digits"', 'format = "digits"\nkey_version = 2')
    before = json.loads(kept.done("keys", "list", "--json"))
    refused = kept("keys", "destroy", "1", "--yes")
    assert refused.exit_code == 2
    assert f"({len(NIRS)} of kept)" in refused.stderr
    assert "`jeton vault rewrap kept`" in refused.stderr
    assert json.loads(kept.done("keys", "list", "--json")) == before
    kept.done("keys", "disable", "1")
    assert "`jeton keys enable 1`, and then" in kept("keys", "destroy", "1", "--yes").stderr
    kept.done("keys", "enable", "1")
    kept.done("vault", "rewrap", "kept")
    kept.done("keys", "destroy", "1", "--yes")
    assert opened(kept, tokens) == NIRS


def test_values_of_a_transformation_that_is_gone_keep_their_version(kept: Jeton) -> None:
    tokens = tokens_of(kept, NIRS)
    kept.done("keys", "rotate")
    kept.edit('format = "digits"', 'format = "digits"\nkey_version = 2')
    with_it = kept.config.read_text("utf-8")
    without = with_it.partition("[clients.all]")[0].replace(BLOCK, "")
    kept.config.write_text(without, "utf-8")
    refused = kept("keys", "destroy", "1", "--yes")
    assert refused.exit_code == 2
    assert "(key_id kept)" in refused.stderr
    kept.config.write_text(with_it, "utf-8")
    kept.done("vault", "rewrap", "kept")
    kept.done("keys", "destroy", "1", "--yes")
    assert opened(kept, tokens) == NIRS


def test_says_how_full_it_is_before_it_is_full(kept: Jeton) -> None:
    tokens_of(kept, NIRS)
    assert "fills up" not in kept("vault", "stats", "kept").stderr
    kept.edit(BLOCK, f"{BLOCK}max_fill = 2e-10\n")  # one token a partition, of 64
    bodies = [f"184057500{number:04d}" for number in range(1, 500)]
    many = "\n".join(body + nir_key(body) for body in bodies)
    kept("tokenise", "kept", "-", client="all", stdin=many)
    assert "kind 0 fills up" in kept("vault", "stats", "kept").stderr
    (kind,) = json.loads(kept.done("vault", "stats", "kept", "--json"))["kinds"]
    assert kind["room"] == 64
    assert kind["taken"] > 0.8 * 64


def test_a_version_of_erased_values_may_be_destroyed(kept: Jeton) -> None:
    tokens = tokens_of(kept, NIRS)
    kept.done("keys", "rotate")
    kept.edit('format = "digits"', 'format = "digits"\nkey_version = 2')
    erase = ("vault", "erase", "kept", "-", "--by", "token", "--reason", "r")
    kept.done(*erase, stdin="\n".join(tokens))
    kept.done("keys", "destroy", "1", "--yes")


def test_exports_and_imports(kept: Jeton, tmp_path: Path) -> None:
    tokens, file = tokens_of(kept, NIRS), tmp_path / "backup.jvx"
    kept.done("vault", "export", "kept", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(nir.encode() in file.read_bytes() for nir in NIRS)
    assert kept("vault", "export", "kept", file).exit_code == 2, "no file is written over"
    kept.done("vault", "erase", "kept", "-", "--by", "token", "--reason", "r", stdin=tokens[0])
    for lost in kept.folder.glob("jeton.tokens.db*"):
        lost.unlink()
    result = kept("vault", "import", "kept", file)
    assert result.exit_code == 0
    assert f"{len(NIRS)} tokens are here" in result.stderr
    assert opened(kept, tokens) == NIRS
    kept.done("vault", "erase", "kept", "-", "--by", "token", "--reason", "r", stdin=tokens[0])
    result = kept("vault", "import", "kept", file)
    assert "1 stay erased" in result.stderr
    assert opened(kept, tokens) == ["", *NIRS[1:]]
    damaged = file.read_bytes()[:-1]
    file.write_bytes(damaged)
    result = kept("vault", "import", "kept", file)
    assert result.exit_code == 2
    assert "nothing was imported" in result.stderr


def test_expires_by_age(kept: Jeton) -> None:
    tokens = tokens_of(kept, NIRS)
    expire = ("vault", "expire", "kept", "--reason", "r")
    assert kept(*expire).exit_code == 2
    assert "0 tokens erased" in kept(*expire, "--older-than-days", "1").stderr
    assert "26 tokens erased" in kept(*expire, "--before", "2999-01-01").stderr
    assert opened(kept, tokens) == [""] * len(NIRS)


def test_verifies(kept: Jeton) -> None:
    tokens_of(kept, NIRS)
    found = json.loads(kept.done("vault", "verify", "kept", "--json"))
    assert found == {
        "tokens": len(NIRS), "erased": 0, "unopened": 0, "without_index": 0, "without_token": 0,
    }  # fmt: skip
    kept.done("keys", "rotate")
    kept.done("keys", "disable", "1")
    assert kept("vault", "verify", "kept").exit_code == 1


def test_only_vaulted_transformations_have_tokens_to_look_after(kept: Jeton) -> None:
    result = kept("vault", "stats", "fr-nir")
    assert result.exit_code == 2
    assert "there are kept" in result.stderr
    assert VALUE not in result.stderr


def test_clients_are_unlocked_with_a_reason(kept: Jeton) -> None:
    unlock = ("clients", "unlock", "all", "--reason")
    assert kept(*unlock, "r").exit_code == 1
    assert kept(*unlock, " ").exit_code == 2
    assert kept("clients", "unlock", "al", "--reason", "r").exit_code == 2
