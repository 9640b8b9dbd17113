"""`jeton tokenise|detokenise|mask|match`: lines in, lines out, by the rules of the service."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from click.testing import Result

from tests.cli.conftest import VALUE, Jeton
from tests.support.issuers import Issuer

OTHER = "184057512345605"
WRONG_KEY = "184057512345600"
PAYER = ("--purpose", "reimbursement")
DESK = ("--purpose", "display", "--on-behalf-of", "agent-17")


def tokens(jeton: Jeton, *values: str) -> list[str]:
    stdin = "".join(f"{value}\n" for value in values)
    return jeton.done("tokenise", "fr-nir", "-", client="intake", stdin=stdin).splitlines()


def with_key(body: str) -> str:
    return f"{body}{97 - int(body) % 97:02d}"


def numbers(count: int) -> list[str]:
    return [
        with_key(f"2840575{n // 1000:03d}{n % 1000:03d}") for n in range(1, count + 1) if n % 1000
    ]


def test_there_and_back(jeton: Jeton) -> None:
    values = numbers(5)
    made = tokens(jeton, *values)
    assert len(set(made)) == 5
    assert set(made).isdisjoint(values)
    back = jeton("detokenise", "fr-nir", "-", *PAYER, client="reimbursement", stdin="\n".join(made))
    assert back.exit_code == 0
    assert back.stdout.splitlines() == values
    assert back.stderr == ""


def test_mask_and_match(jeton: Jeton) -> None:
    (token,) = tokens(jeton, VALUE)
    assert jeton.done("mask", "fr-nir", token, *DESK, client="portal") == "284************\n"
    pairs = f"{token}\t{VALUE}\n{token}\t{numbers(1)[0]}\n"
    assert (
        jeton.done("match", "fr-nir", "-", *DESK, client="portal", stdin=pairs) == "true\nfalse\n"
    )
    result = jeton("match", "fr-nir", token, VALUE, *DESK, client="portal")
    assert result.stdout == "true\n"
    assert "shell's history" in result.stderr


def test_a_context_binds(jeton: Jeton) -> None:
    (nir,) = tokens(jeton, VALUE)
    date = "1984-05-12\n"
    bound = ("birth-date", "-", "--context", nir)
    token = jeton.done("tokenise", *bound, client="intake", stdin=date)
    assert token != date
    assert jeton.done("detokenise", *bound, *PAYER, client="reimbursement", stdin=token) == date
    missing = jeton("tokenise", "birth-date", "-", client="intake", stdin=date)
    assert missing.exit_code == 1
    assert missing.stderr.startswith("line 1: context_required: ")


def test_a_failed_line_is_empty_and_told_by_its_number(jeton: Jeton) -> None:
    stdin = f"{VALUE}\n\n{WRONG_KEY}\nabc\r\n{VALUE}"
    result = jeton("tokenise", "fr-nir", "-", client="intake", stdin=stdin)
    lines = result.stdout.split("\n")
    assert result.exit_code == 1
    assert lines[1:4] == ["", "", ""]
    assert lines[0] == lines[4] != ""
    assert lines[5:] == [""]
    told = [line.split(": ")[:2] for line in result.stderr.splitlines()]
    assert told == [
        ["line 2", "invalid_value"],
        ["line 3", "invalid_value"],
        ["line 4", "invalid_value"],
    ]
    assert WRONG_KEY not in result.stderr


def test_a_pair_without_tab(jeton: Jeton) -> None:
    (token,) = tokens(jeton, VALUE)
    stdin = f"{token}\n{token}\t{VALUE}\n{token}\t{VALUE}x\n"
    result = jeton("match", "fr-nir", "-", *DESK, client="portal", stdin=stdin)
    assert result.exit_code == 1
    assert result.stdout == "\ntrue\n\n"
    assert result.stderr.startswith("line 1: a token and a candidate with a tab")
    assert result.stderr.splitlines()[1].startswith("line 3: invalid_value: ")
    assert token not in result.stderr
    assert VALUE not in result.stderr


@pytest.mark.parametrize("stdin", [b"\xff\xfe\n", "é\n".encode(), b"\x00\n"])
def test_what_is_no_text(jeton: Jeton, stdin: bytes) -> None:
    result = jeton("tokenise", "fr-nir", "-", client="intake", stdin=stdin)
    assert result.exit_code == 1
    assert result.stdout == "\n"


def test_no_lines_at_all(jeton: Jeton) -> None:
    result = jeton("tokenise", "fr-nir", "-", client="intake")
    assert (result.exit_code, result.output) == (0, "")


def test_values_as_arguments_are_warned_of(jeton: Jeton) -> None:
    result = jeton("tokenise", "fr-nir", VALUE, VALUE, client="intake")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert "shell's history" in result.stderr
    assert VALUE not in result.stderr


def test_more_lines_than_a_batch(jeton: Jeton, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.cli.asking.BATCH", 7)
    values = numbers(40)
    values[17] = "x"
    stdin = "".join(f"{value}\n" for value in values)
    result = jeton("tokenise", "fr-nir", "-", client="intake", stdin=stdin)
    made = result.stdout.splitlines()
    assert result.exit_code == 1
    assert result.stderr.startswith("line 18: ")
    assert made[:17] + made[18:] == tokens(jeton, *values[:17], *values[18:])


@pytest.mark.parametrize(
    ("arguments", "client", "words"),
    [
        (("detokenise", "fr-nir", "-", *PAYER), "intake", "not_allowed"),
        (("detokenise", "fr-nir", "-", "--purpose", "other"), "reimbursement", "not_allowed"),
        (
            ("detokenise", "fr-nir", "-"),
            "reimbursement",
            "purpose_required: say what for, with --p",
        ),
        (("mask", "fr-nir", "-", "--purpose", "display"), "portal", "with --on-behalf-of"),
        (("tokenise", "fr-nit", "-"), "intake", "unknown_transformation"),
    ],
)
def test_refusals(jeton: Jeton, arguments: Sequence[str], client: str, words: str) -> None:
    result = jeton(*arguments, client=client, stdin=f"{VALUE}\n")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in result.stderr
    assert VALUE not in result.stderr


def test_who_asks_has_to_be_said(jeton: Jeton) -> None:
    nobody = jeton("tokenise", "fr-nir", "-", stdin=VALUE)
    assert nobody.exit_code == 2
    assert "set JETON_CREDENTIAL" in nobody.stderr
    credential = jeton.credentials["intake"]
    cut = jeton("tokenise", "fr-nir", "-", environment={"JETON_CREDENTIAL": credential[:-1]})
    assert "cut or mistyped" in cut.stderr
    jeton.done("clients", "revoke", "intake")
    revoked = jeton("tokenise", "fr-nir", "-", client="intake")
    assert revoked.exit_code == 2
    assert "valid here and now" in revoked.stderr
    for result in (nobody, cut, revoked):
        assert credential[:-1] not in result.output


def test_a_budget_stops_it_and_says_where(jeton: Jeton, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.cli.asking.BATCH", 3)
    jeton.edit("reveal = { hour = 10_000", "reveal = { hour = 7")
    stdin = "\n".join(tokens(jeton, *numbers(10)))
    result: Result = jeton("detokenise", "fr-nir", "-", *PAYER, client="reimbursement", stdin=stdin)
    assert result.exit_code == 2
    assert result.stdout.splitlines() == numbers(6)
    assert "lines 1 to 6 are answered, no line after them" in result.stderr
    assert "budget_exhausted" in result.stderr
    rest = jeton("detokenise", "fr-nir", "-", *PAYER, client="reimbursement", stdin=stdin[:15])
    assert rest.stdout.splitlines() == numbers(1)


def test_what_is_revealed_stands_in_the_record(jeton: Jeton) -> None:
    (token,) = tokens(jeton, VALUE)
    jeton.done("mask", "fr-nir", token, *DESK, client="portal")
    kept = [json.loads(line) for line in jeton.done("audit", "export").splitlines()]
    (entry,) = [one for one in kept if one["kind"] == "disclosure"]
    expected = {
        "principal": "portal", "operation": "mask", "transformation": "fr-nir", "items": 1,
        "purpose": "display", "end_user": "agent-17", "source": "command-line",
    }  # fmt: skip
    assert {key: entry[key] for key in expected} == expected
    assert len(entry["persons"]) == 1


def test_a_real_pipe(jeton: Jeton) -> None:
    variables = {"JETON_CONFIG": str(jeton.config), "JETON_CREDENTIAL": jeton.credentials["intake"]}
    command = [sys.executable, "-m", "vault", "tokenise", "fr-nir", "-"]
    done = subprocess.run(
        command,
        input=f"{VALUE}\nx\n{VALUE}\n".encode(),
        capture_output=True,
        env=os.environ | variables,
        check=False,
    )
    first, second, third, end = done.stdout.split(b"\n")
    assert done.returncode == 1
    assert (second, end) == (b"", b"")
    assert first == third != b""
    assert done.stderr.startswith(b"line 2: invalid_value: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "context",
    ["", "x" * 257, "é" * 129, "e\u0301", "a\udcffb"],
    ids=["none", "long", "wide", "nfd", "bytes"],
)
def test_contexts_are_judged_as_over_http(jeton: Jeton, context: str) -> None:
    result = jeton("tokenise", "fr-nir", "-", "--context", context, client="intake")
    assert result.exit_code == 2
    assert "--context: a context is text in Unicode's normal form C" in result.stderr


def test_what_is_piped_in_needs_no_dash(jeton: Jeton) -> None:
    piped = jeton.done("tokenise", "fr-nir", client="intake", stdin=f"{VALUE}\n")
    assert piped == jeton.done("tokenise", "fr-nir", "-", client="intake", stdin=f"{VALUE}\n")


def test_a_grant_that_wants_a_proof(jeton: Jeton) -> None:
    issuer = Issuer()
    jwks = jeton.config.with_name("jwks.json")
    jwks.write_bytes(issuer.jwks())
    issuer.address = f"file:{jwks}"
    mask = 'operation = "mask", transformation = "fr-nir"'
    jeton.edit(mask, f'{mask}, end_user_issuers = ["people"]')
    jeton.edit("[clients.portal]\n", '[clients.portal]\nissued_to = ["app"]\n')
    jeton.config.write_text(
        jeton.config.read_text("utf-8") + issuer.configuration("people"), "utf-8"
    )
    result = jeton("mask", "fr-nir", "-", *DESK, client="portal", stdin=f"{VALUE}\n")
    assert result.exit_code == 2
    assert "end_user_required: the grant wants a token" in result.stderr
