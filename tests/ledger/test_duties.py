"""Each duty is done when it is due, told by its name when it fails, and told in known words."""

import asyncio
import contextlib
import os
import sqlite3
from types import SimpleNamespace

import pytest

from tests.support.ledgers import House
from tests.support.records import SEED
from vault.audit.checkpoint import Checkpoints
from vault.audit.entry import Disclosure, Event, Refusals
from vault.audit.locking import FileLock
from vault.audit.verify import verify
from vault.config import DAY
from vault.errors import Refusal
from vault.ledger.maintenance import Maintenance
from vault.store.base import Mark, State
from vault.store.sqlite import SqliteStore


async def test_a_duty_that_fails_is_told_by_its_name(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("what it met")

    house.audit = {"host": "north"}
    async with house.ledger() as (ledger, _):
        with monkeypatch.context() as failing:
            for duty in ("_look", "_look_at_space", "flush", "mark", "_watch", "_retain"):
                failing.setattr(Maintenance, duty, broken)
            for part, duty in (("leases", "give_back_idle"), ("locks", "read")):
                kind = type(getattr(ledger.maintenance._parts, part))
                failing.setattr(kind, duty, broken)
            await ledger.maintenance.tick()
    assert house.heard("duty_failed") == [
        {"duty": duty, "error": "KeyError"}
        for duty in (
            "store",
            "free_space",
            "aggregates",
            "locks",
            "leases",
            "mark",
            "state",
            "retention",
        )
    ]


async def test_duties_are_done_by_themselves(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.ledger.maintenance.TICK_SECONDS", 0.001)
    async with house.ledger() as (ledger, store), asyncio.timeout(20):
        await store.lock("portal", None, "by somebody else")
        ledger.refused("portal", "not_allowed")
        while len(house.heard("record_space")) < 3:  # noqa: ASYNC110 - it is told, and waits for none
            await asyncio.sleep(0.001)
        assert house.recorded(Refusals)
        with pytest.raises(Refusal, match="locked"):
            ledger.check_lock("portal", None)


async def test_a_turn_that_fails_is_told_and_followed_by_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: object) -> None:
        raise KeyError("what it met")

    monkeypatch.setattr("vault.ledger.maintenance.TICK_SECONDS", 0.001)
    monkeypatch.setattr(Maintenance, "tick", broken)
    async with house.ledger(), asyncio.timeout(20):
        while len(house.heard("duty_failed")) < 2:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
    assert house.heard("duty_failed")[0] == {"duty": "tick", "error": "KeyError"}


async def test_locks_are_watched_by_themselves(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the other duties take, and again after a store that was away."""
    monkeypatch.setattr("vault.ledger.maintenance.TICK_SECONDS", 3_600)
    monkeypatch.setattr("vault.ledger.maintenance.LOCK_SECONDS", 0.001)
    async with house.ledger() as (ledger, store), asyncio.timeout(20):
        with monkeypatch.context() as away:

            async def broken(_: object) -> None:
                raise KeyError("what it met")

            away.setattr(SqliteStore, "locks", broken)
            while not house.heard("duty_failed"):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
        assert house.heard("duty_failed")[0] == {"duty": "locks", "error": "KeyError"}
        await store.lock("portal", None, "by somebody else")
        while ("portal", None) not in ledger._locks._known:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        with pytest.raises(Refusal, match="locked"):
            ledger.check_lock("portal", None)


@pytest.mark.parametrize(
    ("reserve", "alarm", "low", "told"),
    [
        (12_288, 12_288, False, []),
        (12_289, 12_288, True, []),
        (0, 12_289, False, [{"free_bytes": 12_288}]),
    ],
)
async def test_space_is_what_others_than_root_may_use(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    reserve: int,
    alarm: int,
    low: bool,
    told: list[object],
) -> None:
    house.audit = {"reserve_bytes": reserve, "alarm_bytes": alarm}
    async with house.ledger() as (ledger, _):
        monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=3, f_frsize=4_096))
        ledger.refused("portal", "not_allowed")
        await ledger.maintenance.tick()
        assert house.heard("record_space") == [{"free_bytes": 12_288}]
        assert house.heard("space_low") == told
        assert bool(house.recorded(Refusals)) == (not low)


async def test_the_stores_state_is_looked_at_once_a_period_or_when_the_clock_went_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    state = SqliteStore.state

    async def noted(store: SqliteStore) -> State:
        asked.append(house.now)
        return await state(store)

    house.audit = {"checkpoint_seconds": 60}
    async with house.ledger() as (ledger, _):
        began = house.now
        await ledger.maintenance.tick()
        monkeypatch.setattr(SqliteStore, "state", noted)
        for later in (0, 0.5, 59.5, 60, 60, 119, 120, 50, 50.5):
            house.now = began + later
            await ledger.maintenance.tick()
        monkeypatch.undo()
    assert sorted({at - began for at in asked}) == [50, 60, 120]


async def test_retention_is_looked_at_once_a_day_by_one_worker(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[float] = []

    async def noted(_: Maintenance, before: float) -> None:
        dropped.append(house.now - began)

    monkeypatch.setattr(Maintenance, "drop_expired", noted)
    async with house.ledger() as (ledger, _):
        began = house.now
        for later in (0, 0, 0.5, DAY - 1, DAY, DAY + 1, DAY - 10, DAY - 9.5):
            house.now = began + later
            await ledger.maintenance.tick()
        assert dropped == [0, DAY, DAY - 10]
        other = FileLock.take(house.settings.folder / "retention.lock")
        assert other is not None
        for later in (2 * DAY, 3 * DAY):
            house.now = began + later
            await ledger.maintenance.tick()
            other.release()  # another worker is done with it
        assert dropped == [0, DAY, DAY - 10, 3 * DAY]


async def test_a_worker_that_was_idle_for_long_lets_its_own_last_segment_go(house: House) -> None:
    house.audit = {"retention_days": 30}
    async with house.ledger() as (ledger, _):
        receipt = await house.reveal(ledger)
        await ledger.maintenance.tick()
        house.now += 40 * DAY
        await ledger.maintenance.tick()
        assert not house.recorded(Disclosure)
        await house.reveal(ledger)
    noted = [event.detail for event in house.recorded(Event) if event.name == "retention"]
    assert noted == [
        {"closed": 1},
        {"writer": "w0", "through": receipt.sequence, "segments": 1},
    ]
    key = Checkpoints(house.settings.folder, SEED).public_key
    assert verify(house.settings.folder, key).clean


async def test_a_store_that_went_backwards_is_told_and_brought_up_by_what_it_lost(
    house: House,
) -> None:
    house.reveals = 20
    async with house.ledger() as (ledger, store):
        first = await house.reveal(ledger, items=4)
        await house.reveal(ledger, items=3)
        await ledger.maintenance.tick()
        await put_mark(house, Mark("w0", first.sequence, first.digest, first.sequence))
        house.now += 61
        await ledger.maintenance.tick()
        reason = "the store went backwards or was replaced under the running service"
        assert (await store.state()).halted == reason
        assert house.heard("halted") == [{"reason": reason}]
        assert not house.heard("duty_failed")
        await ledger.accept_state("for a test")
        # It still knew of all seven; what its mark disowned is charged again, nothing else is.
        with pytest.raises(Refusal, match="budget_exhausted"):
            await house.reveal(ledger, items=11)
        await house.reveal(ledger, items=10)
    noted = [(event.name, event.detail) for event in house.recorded(Event)]
    assert ("halted", {"reason": reason}) in noted
    assert ("replayed", {"writer": "w0", "charges": 1}) in noted
    assert house.heard("replayed") == [{"charges": 1}]


async def test_a_store_that_lost_charges_but_not_its_mark_went_backwards_too(house: House) -> None:
    async with house.ledger() as (ledger, store):
        first = await house.reveal(ledger)
        second = await house.reveal(ledger)
        await ledger.maintenance.tick()
        await put_mark(house, Mark("w0", second.sequence, second.digest, first.sequence))
        house.now += 61
        await ledger.maintenance.tick()
        assert (await store.state()).halted


@pytest.mark.parametrize(("later", "halts"), [(599, False), (602, True)])
async def test_of_a_store_of_the_network_it_is_usual_to_lose_what_is_recent(
    house: House, later: float, halts: bool
) -> None:
    house.audit = {"host": "north"}
    async with house.ledger() as (ledger, store):
        first = await house.reveal(ledger)
        house.now += 1
        await house.reveal(ledger)
        await ledger.maintenance.tick()
        await put_mark(house, Mark("", first.sequence, first.digest, first.sequence))
        house.now += later
        await ledger.maintenance.tick()
        assert bool((await store.state()).halted) == halts
        assert house.heard("replayed") == [{"charges": 1}]
        assert not house.heard("duty_failed")


async def test_of_a_store_of_the_network_a_mark_may_go_back_alone(house: House) -> None:
    house.audit = {"host": "north"}
    async with house.ledger() as (ledger, store):
        first = await house.reveal(ledger)
        second = await house.reveal(ledger)
        await ledger.maintenance.tick()
        await put_mark(house, Mark("", first.sequence, first.digest, second.sequence))
        await ledger.maintenance.tick()
        assert not (await store.state()).halted
        assert not house.heard("replayed")
        assert not house.heard("duty_failed")


async def put_mark(house: House, mark: Mark) -> None:
    """Behind the store's back."""
    with contextlib.closing(sqlite3.connect(house.database)) as behind:
        behind.execute(
            "UPDATE marks SET durable = ?, charged = ?, digest = ?",
            (mark.durable, mark.charged, mark.digest),
        )
        behind.commit()


async def test_after_a_reload_charges_and_checkpoints_follow_the_new_configuration(
    house: House,
) -> None:
    house.reveals = 20
    checkpoints = Checkpoints(house.settings.folder, SEED)
    async with house.ledger() as (ledger, _):
        first = await house.reveal(ledger, items=4)
        await house.reveal(ledger, items=3)
        await ledger.maintenance.tick()
        ledger.renew(2, lambda entry: None)  # the client is gone: nothing to charge again
        await put_mark(house, Mark("w0", first.sequence, first.digest, first.sequence))
        house.now += 61
        await ledger.maintenance.tick()
        last = checkpoints.last()
        assert last is not None
        assert last.generation == 2
        await ledger.accept_state("for a test")
        await house.reveal(ledger, items=13)
