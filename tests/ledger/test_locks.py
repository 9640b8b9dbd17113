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


async def test_what_stands_on_the_record_need_not_be_done_again(house: House) -> None:
    async with house.ledger() as (ledger, store):
        await ledger.lock("portal", None, "a drill")
        lock = house.recorded(Event)[-1]
        assert (lock.name, (await store.state()).marks["w0"].charged) == ("lock", lock.seq)
        await ledger.unlock("portal", None, "it was one")
        unlock = house.recorded(Event)[-1]
        assert (unlock.name, unlock.detail["reason"]) == ("unlock", "it was one")
        assert (await store.state()).marks["w0"].charged == unlock.seq


async def test_locks_that_the_store_could_not_be_told_hold_here_and_come_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.ledger() as (ledger, store):
        with monkeypatch.context() as gone:

            async def away(*_: object) -> None:
                raise Refusal("store_unavailable", "away", 1)

            gone.setattr(store, "lock", away)
            for principal, end_user in (("portal", None), ("intake", "u1")):
                with pytest.raises(Refusal, match="store_unavailable"):
                    await ledger.lock(principal, end_user, "a drill")
            assert locked(ledger, "portal")
            assert locked(ledger, "intake", "u1")
            assert await store.locks() == set()
        noted = [event.detail for event in house.recorded(Event) if event.name == "lock"]
        assert noted == [
            {"principal": "portal", "end_user": None, "reason": "a drill"},
            {"principal": "intake", "end_user": "u1", "reason": "a drill"},
        ]
        await ledger.maintenance.tick()
        assert await store.locks() == {("portal", None), ("intake", "u1")}


async def test_an_alarm_of_a_proved_end_user_locks_nobody_else(house: House) -> None:
    async with house.ledger() as (ledger, store):
        await ledger.alarm({"operation": "detokenise"}, "portal", "people 1")
        assert locked(ledger, "portal", "people 1")
        assert not locked(ledger, "portal", "people 2")
        assert not locked(ledger, "portal")
        assert await store.locks() == {("portal", "people 1")}


async def test_an_alarm_locks_and_is_recorded_with_whatever_is_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.ledger() as (ledger, store):
        await ledger.alarm({"operation": "mask"}, None)
        assert not locked(ledger, "thief")
        await ledger.alarm({"operation": "detokenise"}, "thief")
        assert locked(ledger, "thief")

        async def away(*_: object) -> None:
            raise Refusal("store_unavailable", "away", 1)

        monkeypatch.setattr(store, "lock", away)
        await ledger.alarm({"operation": "match"}, "other")
        assert locked(ledger, "other")
        assert house.heard("duty_failed") == [{"duty": "alarm", "error": "Refusal"}]
        monkeypatch.undo()
    noted = [
        (event.name, event.detail.get("operation") or event.detail["reason"])
        for event in house.recorded(Event)
        if event.name in ("honeytoken", "lock")
    ]
    assert noted == [
        ("honeytoken", "mask"),
        ("lock", "honeytoken"),
        ("honeytoken", "detokenise"),
        ("lock", "honeytoken"),
        ("honeytoken", "match"),
    ]
