"""What is counted again: each lost charge once, at its own time, while it still counts."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.ledgers import limits
from tests.support.records import NOW, disclosure
from vault.audit.entry import Disclosure, Entry, Event
from vault.audit.writer import RecordWriter
from vault.config import DAY
from vault.ledger.replay import CHUNK, Chain, replay, replay_locks
from vault.store.base import Charge, Mark
from vault.store.books import REQUEST_SECONDS
from vault.store.sqlite import SqliteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "jeton.db")
    yield store
    await store.close()


def chain(folder: Path, *groups: tuple[float, list[Entry]], mark: Mark | None = None) -> Chain:
    """A chain of a worker that is gone; times are seconds after NOW."""
    writer = RecordWriter.claim(folder)
    for later, entries in groups:
        writer.append(entries, NOW + later)
    writer.close()
    return Chain(folder / writer.name, writer.tail, mark)


def charge_of(entry: Disclosure) -> Charge:
    return Charge(entry.principal, entry.end_user, entry.items, limits(10_000, entry.principal))


async def spent(store: SqliteStore, now: float, principal: str = "reimbursement") -> int:
    """How much of the hour's 10,000 is gone: the most that still fits, found by halving."""
    fits, not_fits = 0, 10_001
    while not_fits - fits > 1:
        items = (fits + not_fits) // 2
        charge = Charge(principal, None, items, limits(10_000, principal))
        mark = Mark("w9", 1, "ab" * 32)
        (verdict,) = await store.commit([charge], mark, now)
        if verdict.code is None:
            await store.give_back(charge.limits, items, now)
            fits = items
        else:
            not_fits = items
    return 10_000 - fits


async def test_all_that_was_lost_is_charged_once(tmp_path: Path, store: SqliteStore) -> None:
    each = [disclosure(items=2, request_id=f"{n}") for n in range(CHUNK + 5)]
    found = chain(tmp_path / "audit", (0, [Event(name="start"), *each]), (1, [disclosure()]))
    assert await replay(store, found, charge_of, NOW + 2) == CHUNK + 6
    assert await spent(store, NOW + 2) == 2 * (CHUNK + 5) + 1
    assert (await store.state()).marks["w0"].charged == CHUNK + 7


async def test_what_is_older_than_a_day_is_not_asked_for(
    tmp_path: Path, store: SqliteStore
) -> None:
    asked: list[int] = []

    def noted(entry: Disclosure) -> Charge:
        asked.append(entry.seq)
        return charge_of(entry)

    old, young = [disclosure(request_id="a")], [disclosure(request_id="b", items=3)]
    found = chain(tmp_path / "audit", (0, old), (60, young))
    assert await replay(store, found, noted, NOW + DAY + 30) == 1
    assert asked == [2]


async def test_what_no_client_pays_for_any_more_is_left_out(
    tmp_path: Path, store: SqliteStore
) -> None:
    gone, there = disclosure("gone", items=3), disclosure(items=4)
    found = chain(tmp_path / "audit", (0, [gone, there]))
    paying = await replay(
        store, found, lambda one: None if one.principal == "gone" else charge_of(one), NOW
    )
    assert paying == 1
    assert await spent(store, NOW) == 4
    assert await spent(store, NOW, "gone") == 0


async def test_a_repeated_request_counts_again_once_its_id_is_forgotten(
    tmp_path: Path, store: SqliteStore
) -> None:
    def again(principal: str = "reimbursement") -> Disclosure:
        return disclosure(principal, request_id="a", items=5, duplicate=True)

    found = chain(
        tmp_path / "audit",
        (0, [disclosure(request_id="a", items=1), disclosure(request_id="b", items=2)]),
        (1, [again(), again("portal")]),
        (REQUEST_SECONDS, [again()]),
        (REQUEST_SECONDS + 2, [disclosure(request_id="c", items=7), again()]),
    )
    lost = [(entry.principal, entry.seq) for entry in found.lost()]
    assert lost == [
        ("reimbursement", 1),
        ("reimbursement", 2),
        ("portal", 4),
        ("reimbursement", 6),
        ("reimbursement", 7),
    ]


def lock(name: str, principal: str, end_user: str | None = None, reason: str = "") -> Event:
    detail = {"principal": principal, "end_user": end_user, "reason": reason}
    return Event(name=name, detail=detail)


async def test_the_last_lock_or_unlock_of_each_counts(tmp_path: Path, store: SqliteStore) -> None:
    await store.lock("desk", None, "before")
    await store.lock("desk", "u2", "before")
    chains = [
        chain(
            tmp_path / "one",
            (0, [lock("lock", "portal"), lock("lock", "portal", "u1"), lock("lock", "intake")]),
            (5, [lock("unlock", "intake"), lock("unlock", "desk"), lock("unlock", "desk", "u2")]),
        ),
        chain(tmp_path / "two", (3, [lock("unlock", "portal"), lock("lock", "intake")])),
    ]
    await replay_locks(store, chains, shared=False)
    assert await store.locks() == {("portal", "u1")}


async def test_a_lock_comes_back_with_its_reason(tmp_path: Path, store: SqliteStore) -> None:
    found = chain(
        tmp_path / "audit", (0, [lock("lock", "portal", reason="a drill"), lock("lock", "desk")])
    )
    await replay_locks(store, [found], shared=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "jeton.db")) as behind:
        kept = set(behind.execute("SELECT principal, reason FROM locks"))
    assert kept == {("portal", "a drill"), ("desk", "")}


async def test_only_locks_that_the_store_does_not_know_are_lost(tmp_path: Path) -> None:
    found = chain(
        tmp_path / "audit",
        (0, [lock("lock", "portal")]),
        (1, [lock("unlock", "portal"), Event(name="stop"), disclosure()]),
        mark=Mark("w0", 1, "", charged=1),
    )
    assert [event.seq for event in found.lost_locks()] == [2]


async def test_only_what_the_store_does_not_know_is_lost(tmp_path: Path) -> None:
    entries = [disclosure(request_id=f"{n}") for n in range(5)]
    known = Mark("w0", 3, "", charged=3)
    found = chain(
        tmp_path / "audit", (0, [*entries[:3]]), (1, [*entries[3:], lock("lock", "x")]), mark=known
    )
    assert [entry.seq for entry in found.lost()] == [4, 5]
    assert [event.seq for event in found.lost_locks()] == [6]
    ahead = Chain(found.path, found.tail, Mark("w0", 3, "", charged=4))
    assert [entry.seq for entry in ahead.lost()] == [5], "its charge was recorded after all"
    reused = Chain(found.path, found.tail, Mark("w0", 5, "", charged=6))
    assert [event.seq for event in reused.lost_locks()] == [6], "an event was never charged"
