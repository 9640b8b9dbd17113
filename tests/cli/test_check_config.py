"""`jeton check-config`: what is wrong, what is doubtful, and what is allowed."""

import json
from datetime import timedelta

import pytest

from tests.cli.conftest import Jeton
from tests.support.days import today


def warnings(jeton: Jeton) -> list[str]:
    found: list[str] = json.loads(jeton.done("check-config", "--json"))["warnings"]
    return found


SHIPPED = (
    "transformations digits: tokens cannot be told from values",
    "transformations birth-date (1,170,945), digits (1,000,000): a small domain",
    "clients intake, reimbursement, portal: a credential without a last day",
    "clients portal (reveal, match): limits that nobody chose",
    "keys.kek stands beside keys.keyset",
)


def test_as_shipped_there_is_a_line_for_each_choice_left_to_whoever_installs(jeton: Jeton) -> None:
    said = warnings(jeton)
    assert len(said) == len(SHIPPED)
    for line, begins in zip(said, SHIPPED, strict=True):
        assert line.startswith(begins)
    result = jeton("check-config")
    assert result.exit_code == 0
    assert "can be served" in result.stderr
    assert "birth-date\tbirth-date\trequired\tcontext:fr-nir\tyes\tin the token" in result.stdout
    assert "digits\tdigits\toptional\tvalue\tno\tpinned to 1" in result.stdout
    assert "reimbursement\t" in result.stdout


def test_whoever_makes_these_choices_is_left_alone(jeton: Jeton) -> None:
    text = jeton.config.read_text("utf-8")
    text = text.replace('" }]', '", expires = 2099-01-31 }]').replace("file:kek.key", "env:KEK")
    text = text.replace("limits = { people", "limits = { reveal = { hour = 90, day = 900 }, people")
    text = text.replace('{ operation = "match", transformation = "fr-nir", purposes', "#")
    text = text.replace('{ operation = "tokenise", transformation = "digits" },', "")
    digits = text.index("[transformations.digits]")
    text = text[:digits] + text[text.index("# --- Clients") :]
    jeton.config.write_text(text, "utf-8")
    assert [line for line in warnings(jeton) if "a small domain" not in line] == []


def test_keys_and_store_are_not_needed(jeton: Jeton) -> None:
    (jeton.folder / "kek.key").unlink()
    (jeton.folder / "keyset.json").unlink()
    jeton.done("check-config")
    assert [path.name for path in jeton.folder.iterdir()] == ["jeton.toml"]


def test_a_list_of_honeytokens_that_is_there_is_no_doubt(jeton: Jeton) -> None:
    jeton.edit("[clients.portal]", '[honeytokens]\nmask_and_match = "lock"\n[clients.portal]')
    assert any("honeytokens" in warning for warning in warnings(jeton))
    jeton.done("honeytokens", "plant", "fr-nir")
    assert not any("honeytokens" in warning for warning in warnings(jeton))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('context = "required"', 'context = "optional"', "so few that without a context"),
        ('band = "safe"', 'band = "none"', "cannot be told from values"),
        ('host = "127.0.0.1"', 'host = "0.0.0.0"', "in the clear"),
        ('host = "127.0.0.1"', 'host = "vault.example.org"', "in the clear"),
        ("reveal = { hour = 10_000", "reveal = { hour = 60_000", "limits.reveal: the hour's"),
        ('person = "context:fr-nir"', 'person = "value"', "contexts differ between people"),
        (
            'person = "context:fr-nir"',
            'person = "context"',
            "clients.reimbursement: `people` limits do not hold down",
        ),
        (
            '{ operation = "tokenise", transformation = "birth-date" },',
            '{ operation = "detokenise", transformation = "birth-date", purposes = ["p"] },',
            "clients.intake: it may both tokenise and detokenise",
        ),
        (
            '{ operation = "tokenise", transformation = "birth-date" },',
            '{ operation = "mask", transformation = "fr-nir", purposes = ["p"] },',
            "clients.intake: it may tokenise and reveal fr-nir",
        ),
        (
            '{ operation = "match", transformation = "fr-nir", purposes = ["display"] }',
            '{ operation = "match", transformation = "fr-nir" }',
            "clients.portal.grants[1]: a match without purpose",
        ),
        (
            "[clients.portal]",
            '[honeytokens]\nexempt = ["portal"]\n[clients.portal]',
            "honeytokens.file is not there",
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
    last = today() + timedelta(days=days)
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


def test_json_has_the_blast_radius_of_every_client(jeton: Jeton) -> None:
    said = json.loads(jeton.done("check-config", "--json"))["clients"]
    names = ("people_per_hour", "people_per_day", "reveals_per_hour", "reveals_per_day")
    assert {client: [said[client][name] for name in names] for client in said} == {
        "intake": [0, 0, 0, 0],
        "reimbursement": [2_000, 2_000, 10_000, 50_000],
        "portal": [2_000, 2_000, 1_000, 5_000],
    }
    assert said["portal"]["matches_per_day"] == 5_000
    assert said["portal"]["left"][0]["bits"] == 18.5
    assert said["portal"]["people_held_by"] == ["people.day"]
    everybody = said["intake"]["tables"][2]
    assert (everybody["of"], everybody["guesses"]) == ("everybody", 150_000_000)
    assert everybody["blind_guesses"] == 242_157_600_000


def test_an_expired_credential_gives_nothing(jeton: Jeton) -> None:
    now = today()
    grant = ("--grant", "mask:fr-nir:display")
    jeton.done("clients", "add", "old", *grant, "--expires", now - timedelta(days=1))
    jeton.done("clients", "add", "good", *grant, "--expires", now)
    said = json.loads(jeton.done("check-config", "--json"))["clients"]
    assert said["old"]["credentials"][0]["people_per_day"] == 0
    assert said["good"]["credentials"][0]["people_per_day"] == 500
    assert said["old"]["people_per_day"] == said["good"]["people_per_day"] == 500


def test_the_tables_say_it_to_people(jeton: Jeton) -> None:
    lines = jeton.done("check-config").splitlines()
    cells = "reimbursement\tan hour; a day\t2,000; 2,000\t10,000; 50,000\t0; 0\t0; 0\t"
    assert f"{cells}detokenise fr-nir; detokenise birth-date\tpeople.day" in lines
    masked = "18.5 bits: one of some 375,000 values; (30.2 bits if all that can be written"
    assert any(line.startswith(f"portal\tmask fr-nir\t{masked}") for line in lines)
    blind = "2.4 x 10^11: 132 years"
    assert f"intake\tfr-nir\teverybody\t150,000,000\t29 days\t{blind}" in lines


def test_texts_too_long_to_count_can_be_shown(jeton: Jeton) -> None:
    jeton.edit('format = "digits"', 'format = "alphanumeric"\nmin_length = 256')
    jeton.edit("tokenise = {", "match = { hour = 9 }, tokenise = {")
    jeton.edit(
        '{ operation = "tokenise", transformation = "birth-date" },',
        '{ operation = "mask", transformation = "digits", purposes = ["p"] },'
        '{ operation = "match", transformation = "digits" },',
    )
    assert "over a million years" in jeton.done("check-config")
    jeton.done("check-config", "--json")


@pytest.mark.parametrize(("most", "code"), [(2_000, 0), (1_999, 2), (0, 2)])
def test_a_gate_for_pipelines(jeton: Jeton, most: int, code: int) -> None:
    for options in ((), ("--json",)):
        result = jeton("check-config", "--max-people-per-day", most, *options)
        assert result.exit_code == code
        assert ("reimbursement (2,000), portal (2,000)" in result.stderr) == bool(code)
        assert "intake (" not in result.stderr
        assert "portal" in result.stdout, "what is wrong is seen where the gate is not met"


def test_a_gate_is_a_whole_number(jeton: Jeton) -> None:
    result = jeton("check-config", "--max-people-per-day", "many")
    assert result.exit_code == 2
    assert "expected a whole number from 0" in result.stderr
