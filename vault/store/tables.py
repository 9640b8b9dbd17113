"""The SQLite schema, and how `Books` are read from it and written back.

One row a window: its buckets are a JSON object of bucket to count, so a group reads and
writes each window once, however long it is. One row a person and window, with the bucket
last seen in. What has left every window is swept out a little at a time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from sqlite3 import Connection, DatabaseError
from typing import Any

import msgspec

from vault.store.base import BUCKETS, Mark
from vault.store.books import REQUEST_SECONDS, Books, Key, Needs, Request, RequestKey
from vault.store.windows import Window, bucket_of

VERSION = 1
"""Kept in `PRAGMA user_version`: another one is another schema."""

SCHEMA = """
CREATE TABLE state (
    epoch TEXT NOT NULL,
    halted TEXT,
    generation INTEGER NOT NULL DEFAULT 0,
    seen REAL NOT NULL DEFAULT 0,      -- the latest time that was charged at
    changes INTEGER NOT NULL DEFAULT 0 -- grows with each transaction that writes
);
CREATE TABLE windows (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: persons refer to it
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    length INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    counts BLOB NOT NULL,
    UNIQUE (scope, name, length)
);
CREATE TABLE persons (
    window INTEGER NOT NULL,
    person BLOB NOT NULL,
    bucket INTEGER NOT NULL,
    PRIMARY KEY (window, person)
) WITHOUT ROWID;
CREATE TABLE requests (
    request BLOB PRIMARY KEY, -- a hash of principal and request id
    fingerprint BLOB NOT NULL,
    at REAL NOT NULL,
    repetitions INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE locks (
    principal TEXT NOT NULL,
    end_user TEXT,
    reason TEXT NOT NULL
);
CREATE INDEX locks_of_principal ON locks (principal);
CREATE TABLE marks (
    writer TEXT PRIMARY KEY,
    durable INTEGER NOT NULL,
    digest TEXT NOT NULL,
    charged INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO state (epoch) VALUES (lower(hex(randomblob(16))));
"""

AT_ONCE = 512
"""The most values one IN list holds."""
SWEPT_AT_ONCE = 256
"""Rows looked at in one sweep."""

_decode_counts = msgspec.json.Decoder(dict[int, int]).decode
_encode_counts = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Facts:
    """The one row of `state`, and whether anybody is locked."""

    epoch: str
    halted: str | None
    generation: int
    seen: float
    changes: int
    any_lock: bool


def read_facts(connection: Connection) -> Facts:
    row = connection.execute(
        "SELECT epoch, halted, generation, seen, changes, EXISTS (SELECT 1 FROM locks) FROM state"
    ).fetchone()
    if row is None:
        raise DatabaseError("the state is missing")
    return Facts(*row)


def write_facts(connection: Connection, facts: Facts) -> None:
    facts.changes += 1
    connection.execute(
        "UPDATE state SET halted = ?, generation = ?, seen = ?, changes = ?",
        (facts.halted, facts.generation, facts.seen, facts.changes),
    )


def charged_of(connection: Connection, writer: str) -> int:
    row = connection.execute("SELECT charged FROM marks WHERE writer = ?", (writer,)).fetchone()
    return row[0] if row is not None else 0


def write_mark(connection: Connection, mark: Mark) -> None:
    connection.execute(
        "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " durable = excluded.durable, digest = excluded.digest, charged = excluded.charged",
        (mark.writer, mark.durable, mark.digest, mark.charged),
    )


class Tables:
    """One transaction's `Books`, and the rows they came from."""

    def __init__(self, connection: Connection, books: Books) -> None:
        self._connection = connection
        self._books = books
        self._ids: dict[Key, int] = {}

    def load(self, needs: Needs, *, any_lock: bool) -> None:
        for key in needs.windows:
            self._load_window(key)
        for key, persons in needs.persons.items():
            if key in self._ids:
                self._load_persons(key, persons)
        if needs.requests:
            self._load_requests(needs.requests)
        if any_lock:
            for principal in needs.principals:
                self._books.locks.update(
                    self._connection.execute(
                        "SELECT principal, end_user FROM locks WHERE principal = ?", (principal,)
                    )
                )

    def write(self) -> None:
        """Only what changed; each table in one statement."""
        books, connection = self._books, self._connection
        old = []
        for key, window in books.windows.items():
            if not window.changed:
                continue
            counts = _encode_counts(window.counts)
            if key in self._ids:
                old.append((window.newest, counts, self._ids[key]))
            else:
                self._ids[key] = self._insert(key, window.newest, counts)
        connection.executemany("UPDATE windows SET newest = ?, counts = ? WHERE id = ?", old)
        connection.executemany(
            "INSERT INTO persons VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET bucket = excluded.bucket",
            (
                (self._ids[key], person, bucket)
                for key, moved in books.moved.items()
                for person, bucket in moved.items()
            ),
        )
        connection.executemany(
            "REPLACE INTO requests VALUES (?, ?, ?, ?)",
            (
                (_hashed(request), noted.fingerprint, noted.at, noted.repetitions)
                for request, noted in books.noted.items()
            ),
        )

    def _load_window(self, key: Key) -> None:
        newest = bucket_of(self._books.now, key[2])
        row = self._connection.execute(
            "SELECT id, counts FROM windows WHERE scope = ? AND name = ? AND length = ?", key
        ).fetchone()
        if row is None:
            self._books.windows[key] = Window(newest)
        else:
            self._ids[key] = row[0]
            self._books.windows[key] = Window(newest, _decode_counts(row[1]))

    def _load_persons(self, key: Key, persons: set[bytes]) -> None:
        oldest = self._books.windows[key].oldest
        sql = "SELECT person, bucket FROM persons WHERE window = ? AND person IN ({})"
        self._books.persons[key] = {
            person: bucket
            for person, bucket in self._in_list(sql, (self._ids[key],), persons)
            if bucket >= oldest
        }

    def _load_requests(self, requests: set[RequestKey]) -> None:
        hashed = {_hashed(request): request for request in requests}
        sql = "SELECT * FROM requests WHERE at > ? AND request IN ({})"
        for request, *noted in self._in_list(sql, (_expired(self._books.now),), hashed):
            self._books.requests[hashed[request]] = Request(*noted)

    def _insert(self, key: Key, newest: int, counts: bytes) -> int:
        cursor = self._connection.execute(
            "INSERT INTO windows (scope, name, length, newest, counts) VALUES (?, ?, ?, ?, ?)",
            (*key, newest, counts),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def _in_list(
        self, sql: str, before: tuple[int | float, ...], values: Iterable[bytes]
    ) -> Iterator[Any]:
        """The lists are filled up to a power of two, so that few statements are prepared."""
        left = list(values)
        while left:
            now, left = left[:AT_ONCE], left[AT_ONCE:]
            size = 1 << (len(now) - 1).bit_length()
            now += [now[-1]] * (size - len(now))
            yield from self._connection.execute(sql.format(",".join("?" * size)), (*before, *now))


class Sweeper:
    """Takes out what has left every window, a few rows a call, going round the tables.

    Going by key and not by age, it needs no index and changes pages that lie together.
    """

    def __init__(self) -> None:
        self._window = 0
        self._person: tuple[int, bytes] = (0, b"")
        self._request = b""
        self._last = 0.0

    def sweep(self, connection: Connection, now: float, requests: int) -> None:
        """Twice as many request ids are looked at as the `requests` that were noted, so that
        at most half of them are old. Of the rest, 256 rows of each table once a second outrun
        what a day can bring in, and cost a fraction of a millisecond."""
        due = now >= self._last + 1
        if requests or due:
            self._sweep_requests(connection, now, 2 * requests or SWEPT_AT_ONCE)
        if due:
            self._last = now
            self._sweep_windows(connection, now)
            self._sweep_persons(connection, now)

    def _sweep_requests(self, connection: Connection, now: float, most: int) -> None:
        rows = connection.execute(
            "SELECT request, at FROM requests WHERE request > ? ORDER BY request LIMIT ?",
            (self._request, most),
        ).fetchall()
        gone = [(request,) for request, at in rows if at <= _expired(now)]
        connection.executemany("DELETE FROM requests WHERE request = ?", gone)
        self._request = rows[-1][0] if len(rows) == most else b""

    def _sweep_windows(self, connection: Connection, now: float) -> None:
        rows = connection.execute(
            "SELECT id, length, newest FROM windows WHERE id > ? ORDER BY id LIMIT ?",
            (self._window, SWEPT_AT_ONCE),
        ).fetchall()
        gone = [(at,) for at, length, newest in rows if _has_left(newest, length, now)]
        connection.executemany("DELETE FROM windows WHERE id = ?", gone)
        self._window = rows[-1][0] if len(rows) == SWEPT_AT_ONCE else 0

    def _sweep_persons(self, connection: Connection, now: float) -> None:
        rows = connection.execute(
            "SELECT window, person, bucket, length FROM persons"
            " LEFT JOIN windows ON windows.id = persons.window"
            " WHERE (window, person) > (?, ?) ORDER BY window, person LIMIT ?",
            (*self._person, SWEPT_AT_ONCE),
        ).fetchall()
        gone = [
            (window, person)
            for window, person, bucket, length in rows
            if length is None or _has_left(bucket, length, now)
        ]
        connection.executemany("DELETE FROM persons WHERE window = ? AND person = ?", gone)
        self._person = rows[-1][:2] if len(rows) == SWEPT_AT_ONCE else (0, b"")


def _hashed(request: RequestKey) -> bytes:
    """One short key instead of two long ones; 128 bits do not collide."""
    return blake2b("\0".join(request).encode(), digest_size=16).digest()


def _expired(now: float) -> float:
    return now - REQUEST_SECONDS


def _has_left(bucket: int, length: int, now: float) -> bool:
    return bucket < bucket_of(now, length) - BUCKETS
