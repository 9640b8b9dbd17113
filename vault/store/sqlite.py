"""The embedded store: one SQLite file that all worker processes of a host share.

Every method is one transaction, taken in turn (`vault.store.turn`) and run in the event
loop: it costs less there than the way into a thread and back. Whatever goes wrong with the
file rolls back, closes it and is answered `store_unavailable`; the next call opens it again,
so the store comes back by itself once the file does. It never makes a new file while
serving, and takes none that is older than what it has seen: a lost budget is no fresh one.

Each process opens the store for itself, after any fork.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from vault.errors import SetUpError
from vault.store.base import (
    Charge,
    Lease,
    Limit,
    Lock,
    Mark,
    Replay,
    State,
    Verdict,
    halted,
    refusal_of,
    went_back,
)
from vault.store.books import LOCKED, Books, Needs
from vault.store.checkpointing import Checkpointer
from vault.store.sqlite_file import File, WentBackwards, connect, create, name_of, unavailable
from vault.store.tables import (
    SCHEMA,
    VERSION,
    Facts,
    Sweeper,
    Tables,
    charged_of,
    read_facts,
    write_facts,
    write_mark,
)
from vault.store.turn import Turn

T = TypeVar("T")
Work = Callable[[sqlite3.Connection, Facts], T]


_TROUBLES = (sqlite3.Error, OSError, msgspec.MsgspecError, WentBackwards)


class SqliteStore:
    """See `vault.store.base.Store`; made by `open`."""

    def __init__(self, path: Path, turn: Turn) -> None:
        self._turn = turn
        self._file = File(path, lambda: _connect(path))
        self._epoch: str | None = None
        self._changes = 0
        self._sweeper = Sweeper()
        self._checkpointer = Checkpointer(lambda: _connect(path), turn)

    @classmethod
    def open(cls, path: Path) -> "SqliteStore":
        """Open the file, or make it (0600, as are the files SQLite and `Turn` put beside it).

        Raises SetUpError where it cannot be used, and says how to mend it.
        """
        try:
            turn = Turn(path.with_name(f"{path.name}.lock"))
            taken = turn.take_at_start()
        except OSError as error:  # TimeoutError is one
            raise _unusable(path, error) from error
        store = cls(path, turn)
        try:
            create(path, SCHEMA, VERSION, "store.url")
            facts = store._transact(lambda _, facts: facts)
        except _TROUBLES as error:
            turn.close()
            raise _unusable(path, error) from error
        except SetUpError:
            turn.close()
            raise
        turn.end(taken)
        store._epoch = facts.epoch
        return store

    async def commit(self, group: Sequence[Charge], mark: Mark, now: float) -> list[Verdict]:
        def work(connection: sqlite3.Connection, facts: Facts) -> list[Verdict]:
            if facts.halted is not None:
                raise halted(facts.halted)
            if charged_of(connection, mark.writer) < mark.charged:
                raise went_back()
            facts.seen = max(facts.seen, now)
            books = Books(facts.seen, now)
            tables = Tables(connection, books)
            tables.load(Needs(group), any_lock=facts.any_lock)
            verdicts = [books.decide(charge) for charge in group]
            admitted = sum(verdict.code is None for verdict in verdicts)
            tables.write()
            charged = mark.durable + admitted
            write_mark(connection, Mark(mark.writer, mark.durable, mark.digest, charged))
            self._sweeper.sweep(connection, facts.seen, len(books.noted))
            write_facts(connection, facts)
            return verdicts

        return await self._run(work)

    async def lease(self, charge: Charge, share: int, now: float) -> Lease:
        items, limits = charge.items, charge.limits

        def work(connection: sqlite3.Connection, facts: Facts) -> Lease:
            facts.seen = max(facts.seen, now)
            books = Books(facts.seen, now)
            tables = Tables(connection, books)
            tables.load(Needs([charge]), any_lock=facts.any_lock)
            refused = LOCKED if books.locked(charge) else books.overspent(items, limits)
            if refused is not None:
                raise refusal_of(refused)
            granted = max(items, min(share, books.room(limits)))
            books.charge_items(granted, limits)
            tables.write()
            self._sweeper.sweep(connection, facts.seen, 0)
            write_facts(connection, facts)
            return Lease(granted, facts.seen)

        return await self._run(work)

    async def give_back(self, limits: Sequence[Limit], items: int, leased_at: float) -> None:
        def work(connection: sqlite3.Connection, facts: Facts) -> None:
            books = Books(facts.seen, leased_at)
            tables = Tables(connection, books)
            tables.load(Needs([Charge("", None, 0, tuple(limits))]), any_lock=False)
            books.give_back(items, limits, leased_at)
            tables.write()
            write_facts(connection, facts)

        await self._run(work)

    async def replay(self, writer: str, charges: Sequence[Replay], charged: int) -> None:
        def work(connection: sqlite3.Connection, facts: Facts) -> None:
            facts.seen = max([facts.seen, *(lost.at for lost in charges)])
            books = Books(facts.seen, facts.seen)
            tables = Tables(connection, books)
            tables.load(Needs((lost.charge for lost in charges), whole=True), any_lock=False)
            for lost in charges:
                books.replay(lost)
            tables.write()
            connection.execute(
                "INSERT INTO marks VALUES (?, 0, '', ?)"
                " ON CONFLICT DO UPDATE SET charged = excluded.charged",
                (writer, charged),
            )
            write_facts(connection, facts)

        await self._run(work)

    async def state(self) -> State:
        def work(connection: sqlite3.Connection, facts: Facts) -> State:
            rows = connection.execute("SELECT writer, durable, digest, charged FROM marks")
            marks = {row[0]: Mark(*row) for row in rows}
            return State(facts.epoch, facts.halted, facts.generation, marks)

        return await self._run(work)

    async def set_mark(self, mark: Mark) -> None:
        await self._write(
            "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " durable = excluded.durable, digest = excluded.digest",
            (mark.writer, mark.durable, mark.digest, mark.charged),
        )

    async def halt(self, reason: str) -> None:
        def work(connection: sqlite3.Connection, facts: Facts) -> None:
            facts.halted = reason
            write_facts(connection, facts)

        await self._run(work)

    async def resume(self) -> None:
        def work(connection: sqlite3.Connection, facts: Facts) -> None:
            facts.halted = None
            write_facts(connection, facts)

        await self._run(work)

    async def raise_generation(self, generation: int) -> int:
        def work(connection: sqlite3.Connection, facts: Facts) -> int:
            before, facts.generation = facts.generation, max(facts.generation, generation)
            write_facts(connection, facts)
            return before

        return await self._run(work)

    async def lock(self, principal: str, end_user: str | None, reason: str) -> None:
        await self._write(
            "INSERT INTO locks SELECT :principal, :end_user, :reason WHERE NOT EXISTS"
            " (SELECT 1 FROM locks WHERE principal = :principal AND end_user IS :end_user)",
            {"principal": principal, "end_user": end_user, "reason": reason},
        )

    async def unlock(self, principal: str, end_user: str | None) -> bool:
        gone = await self._write(
            "DELETE FROM locks WHERE principal = ? AND end_user IS ?", (principal, end_user)
        )
        return gone > 0

    async def locks(self) -> frozenset[Lock]:
        def work(connection: sqlite3.Connection, facts: Facts) -> frozenset[Lock]:
            if not facts.any_lock:
                return frozenset()
            return frozenset(connection.execute("SELECT principal, end_user FROM locks"))

        return await self._run(work)

    async def close(self) -> None:
        self._checkpointer.close()
        self._file.drop()
        self._turn.close()

    async def _write(self, sql: str, values: Sequence[object] | Mapping[str, object]) -> int:
        """One statement; returns how many rows it changed."""

        def work(connection: sqlite3.Connection, facts: Facts) -> int:
            changed = connection.execute(sql, values).rowcount
            write_facts(connection, facts)
            return changed

        return await self._run(work)

    async def _run(self, work: Work[T]) -> T:
        try:
            taken = await self._turn.take()
        except OSError as error:  # TimeoutError is one
            raise unavailable(error) from error
        try:
            return self._transact(work)
        except _TROUBLES as error:
            self._file.drop()
            raise unavailable(error) from error
        finally:
            self._turn.end(taken)

    def _transact(self, work: Work[T]) -> T:
        connection = self._file.connected()
        connection.execute("BEGIN IMMEDIATE")
        try:
            facts = read_facts(connection)
            if self._epoch not in {None, facts.epoch} or facts.changes < self._changes:
                raise WentBackwards
            result = work(connection, facts)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if facts.changes != self._changes:
            self._changes = facts.changes
            self._checkpointer.remind()
        return result


def _connect(path: Path) -> sqlite3.Connection:
    """What a power cut may cost with `NORMAL`, the record brings back: it is always synced."""
    return connect(path, "NORMAL")


def _unusable(path: Path, error: BaseException) -> SetUpError:
    return SetUpError(
        f"the store {path} cannot be used ({name_of(error)}): it must be a file of Jeton's own on"
        " a local disk, in a folder that this user may write to. Put a backup back if it is"
        " damaged; if there is none, move it away and start again: the record tells what was"
        " spent"
    )
