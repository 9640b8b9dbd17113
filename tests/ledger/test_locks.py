"""A lock is known at once where it was set, at the next tick elsewhere, and with the store away."""

import pytest

from tests.support.ledgers import House
from vault.audit.entry import Event
from vault.errors import Refusal


def locked(ledger, principal: str, end_user: str | None = None) -> bool:
    try:
        ledger.check_lock(principal, end_user)
    except Refusal as refusal:
        assert refusal.code == "locked"  # noqa: PT017 - no test function
        return True
    return False


async def test_every_worker_knows_within_a_tick(house: House) -> None:
    async with house.ledger() as (one, _), house.ledger() as (two, _):
        await one.lock("portal", None, "a drill")
        await one.lock("intake", "u1", "a drill")
        assert locked(one, "portal")
        assert not locked(two, "portal")
        await two.maintenance.tick()
        assert locked(two, "portal")
        assert locked(two, "portal", "u1"), "with all its end users"
        assert locked(two, "intake", "u1")
        assert not locked(two, "intake", "u2")
        assert not locked(two, "intake")
        assert await two.unlock("portal", None)
        assert not locked(two, "portal")
        assert locked(one, "portal")
        await one.maintenance.tick()
        assert not locked(one, "portal")


async def test_a_start_knows_who_is_locked(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await ledger.lock("portal", None, "a drill")
    async with house.ledger() as (ledger, _):
        assert locked(ledger, "portal")


async def test_with_the_store_away_a_known_lock_holds(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.ledger() as (ledger, store):
        await ledger.lock("portal", None, "a drill")

        async def away() -> None:
            raise Refusal("store_unavailable", "away", 1)

        monkeypatch.setattr(store, "locks", away)
        await ledger.maintenance.tick()
        assert house.heard("duty_failed") == [{"duty": "locks", "error": "Refusal"}]
        assert locked(ledger, "portal")


async def test_locks_stand_on_the_record_with_whom_and_why(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await ledger.lock("portal", "u1", "a drill")
        await ledger.lock("portal", None, "honeytoken")
        assert await ledger.unlock("portal", "u1")
        assert locked(ledger, "portal")
        assert await ledger.unlock("portal", None)
        assert not await ledger.unlock("portal", "u1")
        assert not locked(ledger, "portal", "u1")
    noted = [
        (event.name, event.detail)
        for event in house.recorded(Event)
        if event.name in ("lock", "unlock")
    ]
    assert noted == [
        ("lock", {"principal": "portal", "end_user": "u1", "reason": "a drill"}),
        ("lock", {"principal": "portal", "end_user": None, "reason": "honeytoken"}),
        ("unlock", {"principal": "portal", "end_user": "u1", "reason": None}),
        ("unlock", {"principal": "portal", "end_user": None, "reason": None}),
        ("unlock", {"principal": "portal", "end_user": "u1", "reason": None}),
    ]
