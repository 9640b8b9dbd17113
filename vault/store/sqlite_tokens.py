"""Vaulted tokens in an SQLite file that all worker processes of a host share.

The event loop never waits for the disk: one thread writes, in turn with the other processes
(`vault.store.turn`), another one reads what is committed. A group of writes is one transaction
and one flush, and nothing is answered before it; what does not become durable was not done.

`secure_delete` blanks what is erased within the file; `compact` sees to the rest.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vault.errors import SetUpError
from vault.store import token_rows as rows
from vault.store.checkpointing import Checkpointer
from vault.store.filling import Filling, Tell
from vault.store.high_water import HighWater
from vault.store.lane import Lane, What, Work
from vault.store.sqlite_file import File, WentBackwards, connect, create, name_of, unavailable
from vault.store.tokens import Change, Count, Entry
from vault.store.turn import Turn

PIECE = 10_000
"""Items of one call that are written in one transaction: others need not wait for a million."""
COMPACT_SECONDS = 10.0
"""How long `compact` waits for those who still read what was erased."""

_TROUBLES = (sqlite3.Error, OSError, WentBackwards)


def _tell_nobody(name: str, facts: Mapping[str, str | int | float]) -> None: ...


class SqliteTokens:
    """See `vault.store.tokens.TokenStore`; made by `open`."""

    def __init__(self, path: Path, turn: Turn, mark: HighWater, tell: Tell) -> None:
        self._path = path
        self._mark = mark
        self._filling = Filling(tell)
        self._turn = turn
        self._written = File(path, lambda: _connect(path))
        self._read = File(path, lambda: _connect(path))
        self._written.connected()
        self._inode = self._written.inode
        self._writer = Lane("tokens-write", self._write)
        self._reader = Lane("tokens-read", self._look)
        self._checkpointer = Checkpointer(lambda: _connect(path), turn)

    @classmethod
    def open(cls, path: Path, tell: Tell = _tell_nobody) -> "SqliteTokens":
        """Open the file, or make it; `tell` hears how full it gets. Raises SetUpError where it
        cannot be used."""
        with contextlib.ExitStack() as made:
            try:
                turn = Turn(path.with_name(f"{path.name}.lock"))
                made.callback(turn.close)
                mark = HighWater(path.with_name(f"{path.name}.mark"))
                made.callback(mark.close)
                taken = turn.take_at_start()
                create(path, rows.SCHEMA, rows.VERSION, "store.url")
                _refuse_older(path, mark)
                store = cls(path, turn, mark, tell)
                turn.end(taken)
            except (sqlite3.Error, OSError) as error:  # TimeoutError is one
                raise _unusable(path, error) from error
            made.pop_all()
        return store

    async def create(
        self, space: str, entries: Sequence[Entry], most: int, version: int | None = None
    ) -> list[bytes | None]:
        # Most values have a token already: that takes no turn and no flush.
        found = await self.find_index(space, [entry.index for entry in entries])
        new = [place for place, token in enumerate(found) if token is None]
        what = (rows.create, space, most, version)
        made = await self._ask(self._writer, what, [entries[n] for n in new])
        for place, token in zip(new, made, strict=True):
            found[place] = token
        if new:
            await self._filling.look(self, space, most)
        return found

    async def find(self, space: str, tokens: Sequence[bytes]) -> list[Entry | None]:
        return await self._ask(self._reader, (rows.find, space), tokens)

    async def find_index(self, space: str, indexes: Sequence[bytes]) -> list[bytes | None]:
        return await self._ask(self._reader, (rows.find_index, space), indexes)

    async def replace(self, space: str, changes: Sequence[Change]) -> list[bool]:
        return await self._ask(self._writer, (rows.replace, space), changes)

    async def erase(self, space: str, tokens: Sequence[bytes]) -> list[bool]:
        return await self._ask(self._writer, (rows.erase, space), tokens)

    async def scan(self, space: str, after: bytes, most: int) -> tuple[list[Entry], bytes]:
        [entries] = await self._ask(self._reader, (rows.scan, space), [(after, most)])
        return entries, entries[-1].token if len(entries) == most else b""

    async def scan_index(
        self, space: str, after: bytes, most: int
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        [pairs] = await self._ask(self._reader, (rows.scan_index, space), [(after, most)])
        return pairs, pairs[-1][0] if len(pairs) == most else b""

    async def retire(self, space: str, version: int) -> None:
        await self._ask(self._writer, (rows.retire, space), [version])

    async def count(self, space: str) -> Count:
        held: list[Count] = await self._ask(self._reader, (rows.count,), [space])
        return held[0]

    async def spaces(self) -> list[str]:
        [names] = await self._ask(self._reader, (rows.spaces,), [None])
        return list(names)

    async def check(self) -> None:
        await self.spaces()

    async def compact(self) -> None:
        try:
            await asyncio.to_thread(self._compact)
        except _TROUBLES as error:
            raise unavailable(error) from error

    async def close(self) -> None:
        await self._writer.close()
        await self._reader.close()
        self._checkpointer.close()
        self._written.drop()
        self._read.drop()
        self._mark.close()
        self._turn.close()

    async def _ask(self, lane: Lane, what: What, items: Sequence[Any]) -> list[Any]:
        answers = []
        for start in range(0, len(items), PIECE):
            try:
                answers += await lane.ask(what, items[start : start + PIECE])
            except _TROUBLES as error:
                raise unavailable(error) from error
        return answers

    # In the lanes' threads

    def _write(self, group: Sequence[Work]) -> list[list[Any]]:
        with self._turn.in_thread():
            connection = self._connected(self._written)
            try:
                connection.execute("BEGIN IMMEDIATE")
                answers = _answers(connection, group)
                changes = rows.count_change(connection)
                connection.execute("COMMIT")
            except BaseException:
                self._written.drop()  # which rolls back
                raise
            with contextlib.suppress(OSError):  # it is done all the same
                self._mark.reach(changes)
        self._checkpointer.remind()
        return answers

    def _look(self, group: Sequence[Work]) -> list[list[Any]]:
        connection = self._connected(self._read)
        try:
            return _answers(connection, group)
        except BaseException:
            self._read.drop()
            raise

    def _connected(self, file: File) -> sqlite3.Connection:
        """Tokens were acknowledged from this one file: in another one they may be missing."""
        connection = file.connected()
        if file.inode != self._inode:
            file.drop()
            raise WentBackwards
        return connection

    def _compact(self) -> None:
        """`VACUUM` writes every page anew, from what stands in them alone; then the log, where
        what was erased stood too, is emptied. Writers wait."""
        with self._turn.in_thread(), contextlib.closing(_connect(self._path)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(COMPACT_SECONDS * 1000)}")
            connection.execute("VACUUM")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if busy:
                raise TimeoutError


def _answers(connection: sqlite3.Connection, group: Sequence[Work]) -> list[list[Any]]:
    return [function(connection, *rest, items) for (function, *rest), items in group]


def _connect(path: Path) -> sqlite3.Connection:
    """`FULL`: a commit is on the disk when it returns, for there is no second record of it."""
    connection = connect(path, "FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _refuse_older(path: Path, mark: HighWater) -> None:
    """Raises SetUpError for a file that has not come as far as one that was here."""
    with contextlib.closing(_connect(path)) as connection:
        if rows.changes(connection) < mark.reached():
            raise SetUpError(
                f"{path} is older than the file that was here before: what was tokenised, erased or"
                " rewrapped since is not in it. Put the newest back; to go on from this one with"
                f" what docs/vaulted.md says is lost, delete {path.name}.mark beside it"
            )


def _unusable(path: Path, error: BaseException) -> SetUpError:
    return SetUpError(
        f"the vault of tokens {path} cannot be used ({name_of(error)}): it must be a file of"
        " Jeton's own on a local disk, in a folder that this user may write to. Put a backup back"
        " if it is damaged: without it no vaulted token can be opened"
    )
