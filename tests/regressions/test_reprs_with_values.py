"""The reprs of what was read from a body or a command line had its values: a debugger, or a
traceback with locals, showed them."""

import pytest

from tests.support.arrow import batch, stream
from tests.support.leaks import found
from vault.cli.asking import Item, Wish
from vault.web import arrow_body, arrow_columns
from vault.web.json_body import JSON, Pairs, Tokens, Values

pa = pytest.importorskip("pyarrow")
VALUES = ["284057512345672", "185012A00401008", "a-context-of-hers"]
VALUE, CANDIDATE, CONTEXT = VALUES


def _shown() -> list[object]:
    row = {"token": [VALUE], "candidate": [CANDIDATE], "context": [CONTEXT]}
    columns = {name: pa.array(texts) for name, texts in row.items()}
    body = b'{"token":"%b","candidate":"%b","context":"%b"}' % tuple(t.encode() for t in VALUES)
    return [
        JSON(10, 1_000).decode("match", body),
        arrow_body.decode("match", stream(batch(**columns)), 10, 1_000),
        arrow_columns.read([columns["token"]], pa.utf8(), 1_000),
        Values(one=VALUE, context=CONTEXT),
        Tokens(many=[VALUE], contexts=[CONTEXT]),
        Pairs(one=VALUE, candidate=CANDIDATE),
        Item(VALUE, CANDIDATE),
        Wish("match", "fr-nir", CONTEXT),
    ]


def test_none_shows_what_it_holds() -> None:
    kinds = [type(one).__name__ for one in _shown() if found(f"{one!r}{one}{[one]}", VALUES)]
    assert kinds == []
