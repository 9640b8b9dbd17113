"""Ledgers over the embedded store, with a clock that tests set and limits that they know."""

import contextlib
import errno
import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.records import NOW, SEED, disclosure
from vault.audit.entry import Disclosure, Entry, Receipt
from vault.audit.reading import entries
from vault.audit.segment import OpenSegment
from vault.config import DAY, HOUR, Audit
from vault.ledger.ledger import Ledger
from vault.ledger.recovery import open_ledger
from vault.store.base import Charge, Limit
from vault.store.sqlite import SqliteStore


def limits(reveals: int = 1_000, principal: str = "reimbursement") -> tuple[Limit, ...]:
    return (
        Limit(principal, "reveal.hour", HOUR, reveals),
        Limit(principal, "reveal.day", DAY, reveals * 5),
    )


def people(ceiling: int = 500, principal: str = "reimbursement") -> tuple[Limit, ...]:
    return (Limit(principal, "people.day", DAY, ceiling),)


@dataclass
class House:
    """A store file, a record folder, and what a charge costs; ledgers come and go over them."""

    folder: Path
    reveals: int = 1_000
    people: int = 500
    now: float = NOW
    generation: int = 1
    audit: dict[str, Any] = field(default_factory=dict)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    opening: Callable[[], Awaitable[Any]] | None = None
    """Of another store than the file in the folder."""

    @property
    def database(self) -> Path:
        return self.folder / "jeton.db"

    @property
    def settings(self) -> Audit:
        small = {"reserve_bytes": 0, "alarm_bytes": 0}
        return Audit(**({"folder": self.folder / "audit"} | small | self.audit))

    def charge(self, entry: Disclosure, request_id: str | None = None) -> Charge:
        return Charge(
            principal=entry.principal,
            end_user=entry.end_user,
            items=entry.items,
            limits=limits(self.reveals, entry.principal),
            persons=frozenset(bytes.fromhex(person) for person in entry.persons),
            people=people(self.people, entry.principal),
            request_id=request_id,
            fingerprint=b"body",
        )

    @asynccontextmanager
    async def ledger(
        self, wrap: Callable[[SqliteStore], SqliteStore] = lambda store: store
    ) -> AsyncIterator[tuple[Ledger, SqliteStore]]:
        """A started ledger over the store, both closed in order at the end."""
        opened = SqliteStore.open(self.database) if self.opening is None else await self.opening()
        store = wrap(opened)
        try:
            ledger = await open_ledger(
                self.settings,
                store,
                SEED,
                generation=self.generation,
                charge_of=self.charge,
                clock=lambda: self.now,
                tell=lambda name, facts: self.told.append((name, dict(facts))),
            )
            await ledger.start()
            try:
                yield ledger, store
            finally:
                await ledger.close()
        finally:
            await store.close()

    async def reveal(
        self, ledger: Ledger, request_id: str | None = None, **changed: Any
    ) -> Receipt:
        entry = disclosure(**changed)
        return await ledger.settle(self.charge(entry, request_id), entry)

    def recorded(self, kind: type[Entry] | None = None) -> list[Any]:
        found = [entry for _, entry in entries(self.settings.folder)]
        return [entry for entry in found if kind is None or isinstance(entry, kind)]

    def heard(self, name: str) -> list[dict[str, Any]]:
        return [facts for told, facts in self.told if told == name]


def somebody() -> str:
    """The pseudonym of a person who was not met before."""
    return uuid.uuid4().hex


def stored(house: House, to: str) -> Path:
    """A copy of the store's file as it is now, with all that is in it."""
    copy = house.folder / to
    with (
        contextlib.closing(sqlite3.connect(house.database)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def put_back(house: House, copy: Path) -> None:
    """An older store in place of the one that is there."""
    for path in house.folder.glob("jeton.db*"):
        path.unlink()
    shutil.copy(copy, house.database)


def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The record's disk fails from now on; call the result to mend it."""
    broken = [True]
    append = OpenSegment.append

    def maybe(segment: OpenSegment, data: bytes) -> None:
        if broken:
            raise OSError(errno.EIO, "Input/output error")
        append(segment, data)

    monkeypatch.setattr(OpenSegment, "append", maybe)
    return broken.clear
