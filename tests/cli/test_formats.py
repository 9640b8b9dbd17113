"""`jeton formats`: a row for each kind of values of each format."""

import json

from tests.cli.conftest import Jeton
from vault.formats import NAMES, rows


def test_every_format_has_a_row(jeton: Jeton) -> None:
    lines = jeton.done("formats").splitlines()
    assert {line.split("\t")[0] for line in lines[1:]} == set(NAMES)
    assert len(lines) == len(rows()) + 1


def test_as_json(jeton: Jeton) -> None:
    found = json.loads(jeton.done("formats", "--json"))["formats"]
    assert {row["format"] for row in found} == set(NAMES)
    safe = found[0]
    assert (safe["domain"], safe["slots"], safe["recognisable"]) == (242_157_600_000, 2, True)
