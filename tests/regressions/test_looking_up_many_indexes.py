"""SQLite went through all tokens of a space to find two or more by their indexes.

Its planner took the primary key, of which only the space was given. A call took longer with every
token that there was: 0.1 s for a group of 64 among 200,000.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.store.tokens_contract import PLENTY, entry
from vault.store import token_rows
from vault.store.sqlite_file import connect, create

MANY, FEW = 6_000, 64
ASKED = [entry(n % 8) for n in range(FEW)]
FRESH = [entry(n % 8) for n in range(FEW)]
TOKENS = [one.token for one in ASKED]
CALLS: dict[str, Callable[[Any], object]] = {
    "create again": lambda on: token_rows.create(on, "space", PLENTY, 1, ASKED),
    "create": lambda on: token_rows.create(on, "space", PLENTY, 1, FRESH),
    "find": lambda on: token_rows.find(on, "space", TOKENS),
    "find_index": lambda on: token_rows.find_index(on, "space", [one.index for one in ASKED]),
    "replace": lambda on: token_rows.replace(on, "space", [(t, b"", b"") for t in TOKENS]),
    "scan": lambda on: token_rows.scan(on, "space", [(b"", FEW)]),
    "scan_index": lambda on: token_rows.scan_index(on, "space", [(b"", FEW)]),
    "count": lambda on: token_rows.count(on, ["space"]),
    "spaces": lambda on: token_rows.spaces(on, [None]),
    "erase": lambda on: token_rows.erase(on, "space", TOKENS),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_call_goes_through_all_that_there_is(call: str, tmp_path: Path) -> None:
    """In steps of SQLite's machine: reading a row takes some ten."""
    path = tmp_path / "tokens.db"
    create(path, token_rows.SCHEMA, token_rows.VERSION, "store.url")
    with closing(connect(path, "FULL")) as connection:
        connection.execute("BEGIN")
        others = [entry(n % 8) for n in range(MANY)]
        token_rows.create(connection, "space", PLENTY, 1, [*others, *ASKED])
        hundreds = 0

        def went() -> int:
            nonlocal hundreds
            hundreds += 1
            return 0

        connection.set_progress_handler(went, 100)
        CALLS[call](connection)
        assert hundreds * 100 < MANY * 2
