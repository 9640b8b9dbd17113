"""What a start finds, in whose words it says so, and what it leaves alone."""

import asyncio
import contextlib
import shutil
import sqlite3

import pytest

from tests.support.ledgers import House, put_back, stored
from vault.audit.checkpoint import FILE
from vault.audit.entry import Event
from vault.audit.locking import FileLock
from vault.audit.segment import segments
from vault.store.base import Mark

GONE = "the checkpoints of the record are gone"


def without_its_store(house: House) -> None:
    for path in house.folder.glob("jeton.db*"):
        path.unlink()


async def halted(house: House) -> str | None:
    """Why this start stopped reveals: said by the store, to telemetry and on the record alike."""
    async with house.ledger() as (_, store):
        reason = (await store.state()).halted
    halts = [event for event in house.recorded(Event) if event.name == "halted"]
    noted = [event.detail["reason"] for event in halts]
    assert noted == ([reason] if reason else [])
    assert house.heard("halted") == [{"reason": reason} for reason in noted]
    return reason


async def test_a_record_without_its_store(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
    without_its_store(house)
    assert await halted(house) == (
        "the store is not the one that the record was kept with; "
        "the store lost charges of w0 without a crash of the machine"
    )


async def test_a_record_without_its_checkpoints(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
    (house.settings.folder / FILE).unlink()
    assert await halted(house) == GONE


async def test_a_record_without_either(house: House) -> None:
    async with house.ledger():
        pass
    without_its_store(house)
    (house.settings.folder / FILE).unlink()
    assert await halted(house) == GONE


async def test_a_store_without_its_record(house: House) -> None:
    async with house.ledger():
        pass
    shutil.rmtree(house.settings.folder)
    assert await halted(house) == (
        f"the record of w0 ends before the store's mark: it was cut; {GONE}"
    )


async def test_starts_wait_for_each_other(house: House) -> None:
    async def opened() -> str:
        async with house.ledger() as (ledger, _):
            return ledger.writer

    house.settings.folder.mkdir()
    other = FileLock.take(house.settings.folder / "record.lock")
    assert other is not None
    starting = asyncio.create_task(opened())
    done, _ = await asyncio.wait({starting}, timeout=0.5)
    assert not done
    other.release()
    assert await starting == "w0"


@pytest.mark.parametrize(("durable", "reason"), [(0, None), (1, "the record of w7 is gone")])
async def test_a_chain_that_is_gone_is_missed_where_something_stood_in_it(
    house: House, durable: int, reason: str | None
) -> None:
    async with house.ledger() as (_, store):
        await store.set_mark(Mark("w7", durable, "ab" * 32))
    assert await halted(house) == reason


@pytest.mark.parametrize(
    ("durable", "digest", "reason"),
    [
        (0, "", None),  # nothing was marked yet
        (1, "ab" * 32, "the record of w0 is not the one the store marked"),
        (2, "ab" * 32, "the record of w0 is not the one the store marked"),
        (3, "ab" * 32, "the record of w0 ends before the store's mark: it was cut"),
    ],
)
async def test_a_mark_is_held_against_what_stands_there(
    house: House, durable: int, digest: str, reason: str | None
) -> None:
    async with house.ledger():
        pass
    assert [entry.seq for entry in house.recorded()] == [1, 2]
    with contextlib.closing(sqlite3.connect(house.database)) as behind:
        behind.execute("UPDATE marks SET durable = ?, digest = ?", (durable, digest))
        behind.commit()
    assert await halted(house) == reason


async def test_what_a_start_has_noted_is_marked(house: House) -> None:
    async with house.ledger():
        pass
    with segments(house.settings.folder / "w0")[0].open("ab") as file:
        file.write(b'{"kind":"event","seq":')
    async with house.ledger() as (_, store):
        (noted,) = [event for event in house.recorded(Event) if event.name == "repaired"]
        assert (await store.state()).marks["w0"].durable == noted.seq


async def test_what_a_crash_tore_of_another_chain_is_noted_as_its(house: House) -> None:
    async with house.ledger(), house.ledger() as (other, _):
        assert other.writer == "w1"
    with segments(house.settings.folder / "w1")[0].open("ab") as file:
        file.write(b'{"kind":"event","seq":')
    assert await halted(house) is None
    (event,) = [event for event in house.recorded(Event) if event.name == "repaired"]
    assert event.detail == {"writer": "w1", "bytes": 22}


async def test_a_store_of_the_network_may_lose_what_is_recent_without_a_crash_of_ours(
    house: House,
) -> None:
    house.audit = {"host": "north"}
    async with house.ledger() as (ledger, _):
        older = stored(house, "older.db")
        await house.reveal(ledger)
    put_back(house, older)
    assert await halted(house) is None
    (event,) = [event for event in house.recorded(Event) if event.name == "replayed"]
    assert event.detail == {"writer": "north-w0", "charges": 1}


@pytest.mark.parametrize(("host", "stays"), [("north", True), (None, False)])
async def test_an_unlock_that_a_shared_store_lost_is_left_alone(
    house: House, host: str | None, stays: bool
) -> None:
    house.audit = {"host": host}
    async with house.ledger() as (ledger, _):
        await ledger.lock("portal", None, "honeytoken")
        older = stored(house, "older.db")
        await ledger.unlock("portal", None, "looked into")
    put_back(house, older)
    async with house.ledger() as (_, store):
        assert (("portal", None) in await store.locks()) == stays
