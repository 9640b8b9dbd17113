"""The reprs of what was read from a body or a command line had its values: a debugger, or a
traceback with locals, showed them."""

import pytest

from jeton.protocol import MASK, Question
from tests.support.arrow import batch, stream
from tests.support.leaks import found
from vault.cli.asking import Item, Wish
from vault.web import arrow_body, arrow_columns
from vault.web.json_body import JSON, Pairs, Tokens, Values

pa = pytest.importorskip("pyarrow")
VALUES = ["284057512345672", "185012A00401008", "a-context-of-hers", "eyJh.eyJz.c2ln"]
VALUE, CANDIDATE, CONTEXT, PROOF = VALUES


def _shown() -> list[object]:
    row = {"token": [VALUE], "candidate": [CANDIDATE], "context": [CONTEXT]}
    columns = {name: pa.array(texts) for name, texts in row.items()}
    body = b'{"token":"%b","candidate":"%b","context":"%b"}' % tuple(
        text.encode() for text in VALUES[:3]
    )
    return [
        JSON(10, 1_000).decode("match", body),
        arrow_body.decode("match", stream(batch(**columns)), 10, 1_000),
        arrow_columns.read([columns["token"]], pa.utf8(), 1_000),
        Values(one=VALUE, context=CONTEXT),
        Tokens(many=[VALUE], contexts=[CONTEXT]),
        Pairs(one=VALUE, candidate=CANDIDATE),
        Item(VALUE, CANDIDATE),
        Wish("match", "fr-nir", CONTEXT),
        Question(MASK, "fr-nir", "display", PROOF),
    ]


def test_none_shows_what_it_holds() -> None:
    kinds = [type(one).__name__ for one in _shown() if found(f"{one!r}{one}{[one]}", VALUES)]
    assert kinds == []
