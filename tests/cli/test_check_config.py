"""`jeton check-config`: what is wrong, what is doubtful, and what is allowed."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Jeton

TODAY = datetime.now(UTC).date()


def warnings(jeton: Jeton) -> list[str]:
    found: list[str] = json.loads(jeton.done("check-config", "--json"))["warnings"]
    return found


def test_as_shipped_there_is_nothing_to_warn_of(jeton: Jeton) -> None:
    assert warnings(jeton) == []
    result = jeton("check-config")
    assert result.exit_code == 0
    assert "can be served" in result.stderr
    assert "birth-date\tbirth-date\trequired\tcontext:fr-nir\tyes\tin the token" in result.stdout
    assert "digits\tdigits\toptional\tvalue\tno\tpinned to 1" in result.stdout
    assert "reimbursement\t" in result.stdout


def test_keys_and_store_are_not_needed(jeton: Jeton) -> None:
    (jeton.folder / "kek.key").unlink()
    (jeton.folder / "keyset.json").unlink()
    jeton.done("check-config")
    assert [path.name for path in jeton.folder.iterdir()] == ["jeton.toml"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('context = "required"', 'context = "optional"', "so few that without a context"),
        ('band = "safe"', 'band = "none"', "cannot be told from values"),
        ('host = "127.0.0.1"', 'host = "0.0.0.0"', "in the clear"),
        ('host = "127.0.0.1"', 'host = "vault.example.org"', "in the clear"),
        ("reveal = { hour = 10_000", "reveal = { hour = 60_000", "limits.reveal: the hour's"),
        (
            '{ operation = "match", transformation = "fr-nir", purposes = ["display"] }',
            '{ operation = "match", transformation = "fr-nir" }',
            "clients.portal.grants[1]: a match without purpose",
        ),
        ("[clients.portal]", "[clients.idle]\n[clients.portal]", "clients.idle: it may do nothing"),
        ("[clients.portal]", "[clients.idle]\n[clients.portal]", "clients.idle: no credential"),
    ],
)
def test_what_is_doubtful_is_said(jeton: Jeton, before: str, after: str, words: str) -> None:
    jeton.edit(before, after)
    assert [warning for warning in warnings(jeton) if words in warning]
    assert (
        f"warning: {next(w for w in warnings(jeton) if words in w)}" in jeton("check-config").stderr
    )


@pytest.mark.parametrize(
    ("days", "words"), [(-1, "has expired"), (0, "expires on"), (29, "expires on")]
)
def test_credentials_that_end(jeton: Jeton, days: int, words: str) -> None:
    last = TODAY + timedelta(days=days)
    jeton.done("clients", "add", "bench", "--grant", "tokenise:fr-nir", "--expires", last)
    assert [warning for warning in warnings(jeton) if words in warning and "bench" in warning]


def test_a_configuration_without_clients(jeton: Jeton) -> None:
    text = jeton.config.read_text("utf-8")
    jeton.config.write_text(text[: text.index("[clients.intake]")], "utf-8")
    assert any("there are no clients" in warning for warning in warnings(jeton))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            'format = "digits"',
            'format = "digits"\nband = "safe"',
            "digits has no option band",
        ),
        ('format = "digits"', 'format = "digts"', "transformations.digits.format: no format"),
        ("port = 8200", "prot = 8200", "did you mean server.port?"),
    ],
)
def test_what_cannot_be_served(jeton: Jeton, before: str, after: str, words: str) -> None:
    jeton.edit(before, after)
    result = jeton("check-config")
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_json_names_clients_with_their_limits(jeton: Jeton) -> None:
    said = json.loads(jeton.done("check-config", "--json"))
    assert said["clients"]["reimbursement"]["limits"]["people.day"] == 2_000
    assert said["transformations"]["fr-nir"]["slots"] == 2
