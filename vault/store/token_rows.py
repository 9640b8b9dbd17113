"""Vaulted tokens as rows of SQLite: what is asked of them, a list at a time.

Rows come back packed into one text and go in with one statement, however many they are: each
step of a statement gives the interpreter's lock away and has to win it back from a busy loop.

Whoever writes has the file to itself: it looks, decides, and then writes; the unique keys hold
all the same.
"""

# ruff: noqa: S608 - only marks and names of columns are put into a statement's text

import sqlite3
from collections.abc import Iterator, Sequence
from typing import TypeVar

from vault.store.tokens import FULL, OLD, PARTITIONS, Change, Count, Entry, partition_of

VERSION = 2
SCHEMA = """
CREATE TABLE state (changes INTEGER NOT NULL);
INSERT INTO state VALUES (0);
CREATE TABLE spaces (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, oldest INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE held (
    space INTEGER NOT NULL, partition INTEGER NOT NULL,
    taken INTEGER NOT NULL, erased INTEGER NOT NULL,
    PRIMARY KEY (space, partition)
) WITHOUT ROWID;
CREATE TABLE tokens (
    space INTEGER NOT NULL, token BLOB NOT NULL, idx BLOB NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (space, token)
) WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_by_idx ON tokens (space, idx);
CREATE TABLE erased (
    space INTEGER NOT NULL, token BLOB NOT NULL, PRIMARY KEY (space, token)
) WITHOUT ROWID;
"""
"""Erased tokens are kept apart, so that looking for one is looking for one that never was."""

_TOKEN = "token, idx, sealed FROM tokens", "token"
_INDEX = "token, idx, x'' AS sealed FROM tokens INDEXED BY tokens_by_idx", "idx"
_ERASED = "token, x'' AS idx, x'' AS sealed FROM erased", "token"
"""Where to look for many at once. Which index is said: for more than one `idx`, SQLite's planner
takes the primary key and goes through the whole space."""

_PIECE = 4_000
"""Items in one statement: SQLite takes 32,766 parameters."""

T = TypeVar("T")


def create(
    connection: sqlite3.Connection,
    name: str,
    most: int,
    version: int | None,
    entries: Sequence[Entry],
) -> list[bytes | None]:
    known = _by_index(connection, name, [entry.index for entry in entries])
    new = [entry.token for entry in entries if entry.index not in known]
    if not new:
        return [known[entry.index] for entry in entries]
    space = _space(connection, name)
    if version is not None and version < _oldest(connection, space):
        return [known.get(entry.index, OLD) for entry in entries]
    standing = {token for token, _, _ in _among(connection, name, _TOKEN, new)}
    standing |= _erased(connection, name, new)
    held = _held(connection, space)
    taken = [0] * PARTITIONS
    kept: list[Entry] = []
    answers: list[bytes | None] = []
    for entry in entries:
        answer = known.get(entry.index)
        if answer is None:
            partition = partition_of(entry.token)
            if held[partition] + taken[partition] >= most:
                answer = FULL
            elif entry.token not in standing:
                answer = known[entry.index] = entry.token
                standing.add(entry.token)
                taken[partition] += 1
                kept.append(entry)
        answers.append(answer)
    for piece in _pieces(kept):
        values = [part for entry in piece for part in (entry.token, entry.index, entry.sealed)]
        rows = _rows(len(piece), "(?1, ?, ?, ?)")
        connection.execute(f"INSERT INTO tokens VALUES {rows}", (space, *values))
    _count(connection, space, taken, [0] * PARTITIONS)
    return answers


def find(connection: sqlite3.Connection, name: str, tokens: Sequence[bytes]) -> list[Entry | None]:
    found = {row[0]: Entry(*row) for row in _among(connection, name, _TOKEN, tokens)}
    return [found.get(token) for token in tokens]


def find_index(
    connection: sqlite3.Connection, name: str, indexes: Sequence[bytes]
) -> list[bytes | None]:
    known = _by_index(connection, name, indexes)
    return [known.get(index) for index in indexes]


def replace(connection: sqlite3.Connection, name: str, changes: Sequence[Change]) -> list[bool]:
    tokens = [token for token, _, _ in changes]
    sealed = {row[0]: row[2] for row in _among(connection, name, _TOKEN, tokens)}
    answers = []
    changed: dict[bytes, bytes] = {}
    for token, old, new in changes:
        answers.append(sealed.get(token) == old)
        if answers[-1]:
            sealed[token] = changed[token] = new
    for piece in _pieces(list(changed.items())):
        connection.execute(
            f"WITH new (token, sealed) AS (VALUES {_rows(len(piece), '(?, ?)')})"
            " UPDATE tokens SET sealed = new.sealed FROM new"
            " WHERE space = (SELECT id FROM spaces WHERE name = ?) AND tokens.token = new.token",
            (*(part for pair in piece for part in pair), name),
        )
    return answers


def erase(connection: sqlite3.Connection, name: str, tokens: Sequence[bytes]) -> list[bool]:
    space = _space(connection, name)
    live = dict.fromkeys(_erased(connection, name, tokens), False)
    live |= {token: True for token, _, _ in _among(connection, name, _TOKEN, tokens)}
    taken, erased = [0] * PARTITIONS, [0] * PARTITIONS
    answers = []
    gone = []
    for token in tokens:
        answers.append(live.get(token, False))
        if live.get(token, True):
            taken[partition_of(token)] += token not in live
            erased[partition_of(token)] += 1
            live[token] = False
            gone.append(token)
    for piece in _pieces(gone):
        marks = _rows(len(piece), "?")
        connection.execute(
            f"DELETE FROM tokens WHERE space = ? AND token IN ({marks})", (space, *piece)
        )
        rows = _rows(len(piece), "(?1, ?)")
        connection.execute(f"INSERT INTO erased VALUES {rows}", (space, *piece))
    _count(connection, space, taken, erased)
    return answers


def scan(
    connection: sqlite3.Connection, name: str, pages: Sequence[tuple[bytes, int]]
) -> list[list[Entry]]:
    query = (
        "SELECT token, idx, sealed FROM tokens WHERE space = ?1 AND token > ?2 UNION ALL"
        " SELECT token, x'', x'' FROM erased WHERE space = ?1 AND token > ?2"
        " ORDER BY token LIMIT ?3"
    )
    space = _known(connection, name)
    return [[Entry(*row) for row in _packed(connection, query, (space, *page))] for page in pages]


def scan_index(
    connection: sqlite3.Connection, name: str, pages: Sequence[tuple[bytes, int]]
) -> list[list[tuple[bytes, bytes]]]:
    table, column = _INDEX
    query = f"SELECT {table} WHERE space = ? AND {column} > ? ORDER BY {column} LIMIT ?"
    space = _known(connection, name)
    return [
        [(index, token) for token, index, _ in _packed(connection, query, (space, *page))]
        for page in pages
    ]


def retire(connection: sqlite3.Connection, name: str, versions: Sequence[int]) -> list[None]:
    space = _space(connection, name)
    for version in versions:
        connection.execute(
            "UPDATE spaces SET oldest = max(oldest, ?) WHERE id = ?", (version, space)
        )
    return [None] * len(versions)


def count(connection: sqlite3.Connection, names: Sequence[str]) -> list[Count]:
    rows = connection.execute(
        "SELECT name, sum(taken - erased), sum(taken) FROM held JOIN spaces ON space = id"
        " GROUP BY name"
    ).fetchall()
    held = {name: Count(tokens, taken) for name, tokens, taken in rows}
    return [held.get(name, Count(0, 0)) for name in names]


def spaces(connection: sqlite3.Connection, asked: Sequence[None]) -> list[list[str]]:
    """Of which something is or was taken."""
    query = "SELECT name FROM spaces WHERE id IN (SELECT space FROM held) ORDER BY name"
    names = [row[0] for row in connection.execute(query).fetchall()]
    return [names for _ in asked]


def changes(connection: sqlite3.Connection) -> int:
    """How many groups were written to the file."""
    return int(connection.execute("SELECT changes FROM state").fetchone()[0])


def count_change(connection: sqlite3.Connection) -> int:
    """One more group; returns how many there are."""
    connection.execute("UPDATE state SET changes = changes + 1")
    return changes(connection)


def _known(connection: sqlite3.Connection, name: str) -> int:
    """A space's number, or one that none has."""
    row = connection.execute("SELECT id FROM spaces WHERE name = ?", (name,)).fetchone()
    return 0 if row is None else int(row[0])


def _space(connection: sqlite3.Connection, name: str) -> int:
    """A space's number; a new space gets one."""
    known = _known(connection, name)
    if not known:
        connection.execute("INSERT INTO spaces (name) VALUES (?)", (name,))
        known = _known(connection, name)
    return known


def _oldest(connection: sqlite3.Connection, space: int) -> int:
    """The oldest key version that it still takes."""
    row = connection.execute("SELECT oldest FROM spaces WHERE id = ?", (space,)).fetchone()
    return int(row[0])


def _held(connection: sqlite3.Connection, space: int) -> list[int]:
    """How many tokens of each partition are taken, erased ones too."""
    row = connection.execute(
        "SELECT group_concat(partition || ' ' || taken) FROM held WHERE space = ?", (space,)
    ).fetchone()
    held = [0] * PARTITIONS
    for pair in row[0].split(",") if row[0] else ():
        partition, taken = map(int, pair.split())
        held[partition] = taken
    return held


def _count(
    connection: sqlite3.Connection, space: int, taken: Sequence[int], erased: Sequence[int]
) -> None:
    rows = [
        (place, *pair) for place, pair in enumerate(zip(taken, erased, strict=True)) if any(pair)
    ]
    if rows:
        connection.execute(
            f"INSERT INTO held VALUES {_rows(len(rows), '(?1, ?, ?, ?)')} ON CONFLICT DO UPDATE"
            " SET taken = taken + excluded.taken, erased = erased + excluded.erased",
            (space, *(part for row in rows for part in row)),
        )


def _by_index(
    connection: sqlite3.Connection, name: str, indexes: Sequence[bytes]
) -> dict[bytes, bytes]:
    return {index: token for token, index, _ in _among(connection, name, _INDEX, indexes)}


def _erased(connection: sqlite3.Connection, name: str, tokens: Sequence[bytes]) -> set[bytes]:
    """Those of `tokens` that are."""
    return {token for token, _, _ in _among(connection, name, _ERASED, tokens)}


def _among(
    connection: sqlite3.Connection, name: str, where: tuple[str, str], keys: Sequence[bytes]
) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The rows that have one of `keys`, as (token, index, sealed)."""
    table, column = where
    for some in _powers(keys):
        yield from _packed(
            connection,
            f"SELECT {table} WHERE space = (SELECT id FROM spaces WHERE name = ?)"
            f" AND {column} IN ({_rows(len(some), '?')})",
            (name, *some),
        )


def _packed(
    connection: sqlite3.Connection, query: str, values: tuple[bytes | str | int, ...]
) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The query's rows, which come as one text."""
    row = connection.execute(
        f"SELECT group_concat(hex(token) || ' ' || hex(idx) || ' ' || hex(sealed)) FROM ({query})",
        values,
    ).fetchone()
    for packed in row[0].split(",") if row[0] else ():
        token, index, sealed = packed.split(" ")
        yield bytes.fromhex(token), bytes.fromhex(index), bytes.fromhex(sealed)


def _rows(count: int, each: str) -> str:
    return ", ".join([each] * count)


def _powers(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The keys in pieces, each of a power of two of them, the first one again and again:
    SQLite's plans are kept by their text."""
    for piece in _pieces(keys):
        count = 1 << (len(piece) - 1).bit_length()
        yield [*piece, *[piece[0]] * (count - len(piece))]


def _pieces(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _PIECE):
        yield items[start : start + _PIECE]
