"""Starts: what a crash tore is mended, what was put back is noticed, nothing spent is forgotten."""

import asyncio
import contextlib
import os
import shutil

import pytest

from tests.support.ledgers import House, failing, put_back, somebody, stored
from tests.support.records import SEED, disclosure, fill
from vault.audit.checkpoint import Checkpoints
from vault.audit.entry import Event
from vault.audit.reading import read_chain
from vault.audit.segment import segments
from vault.audit.verify import verify
from vault.audit.writer import RecordWriter
from vault.errors import Refusal, SetUpError
from vault.ledger.ledger import Ledger


async def test_a_clean_restart_replays_and_halts_nothing(house: House) -> None:
    for _ in range(3):
        async with house.ledger() as (ledger, store):
            await house.reveal(ledger)
            assert ledger.writer == "w0"
            assert (await store.state()).halted is None
    names = {event.name for event in house.recorded(Event)}
    assert names == {"start", "stop"}
    assert not house.heard("halted")


@pytest.fixture
def crashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine was started anew since the record's last checkpoint."""
    monkeypatch.setattr("vault.ledger.recovery.boot_id", lambda: "another start")


async def left(house: House, ledger: Ledger) -> int:
    """How many more single reveals of somebody known are admitted."""
    count = 0
    with contextlib.suppress(Refusal):
        while True:
            await house.reveal(ledger)
            count += 1
    return count


@pytest.mark.usefixtures("crashed")
async def test_a_store_that_lost_its_last_commits_gets_them_back(house: House) -> None:
    """As after a power cut: SQLite does not sync each commit, the record does."""
    house.reveals, house.people = 10, 3
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger, items=2)
        older = stored(house, "older.db")
        await house.reveal(ledger, items=3, persons=[somebody(), somebody()])
    put_back(house, older)
    house.now += 60
    async with house.ledger() as (ledger, store):
        assert (await store.state()).halted is None
        with pytest.raises(Refusal, match=r"people\.day"):
            await house.reveal(ledger, persons=[somebody()])
        assert await left(house, ledger) == 5
    (event,) = [event for event in house.recorded(Event) if event.name == "replayed"]
    assert event.detail == {"writer": "w0", "charges": 1}


async def test_segments_are_as_large_as_was_configured(house: House) -> None:
    house.audit = {"segment_bytes": 1_000}
    async with house.ledger() as (ledger, _):
        for _ in range(5):
            await house.reveal(ledger)
    assert len(segments(house.settings.folder / "w0")) > 2


async def test_what_is_replayed_leaves_the_window_at_its_own_time(house: House) -> None:
    house.reveals = 10
    async with house.ledger() as (ledger, _):
        older = stored(house, "older.db")
        await house.reveal(ledger, items=10)
    put_back(house, older)
    house.now += 3_500
    async with house.ledger() as (ledger, _):
        await ledger.accept_state("for a test")
        assert await left(house, ledger) == 0
        house.now += 200
        assert await left(house, ledger) == 10


async def test_without_a_crash_a_store_loses_nothing(house: House) -> None:
    """So one that did was put back, however young it is."""
    house.reveals = 10
    async with house.ledger() as (ledger, _):
        older = stored(house, "older.db")
        await house.reveal(ledger, items=4)
    put_back(house, older)
    async with house.ledger() as (ledger, store):
        halted = (await store.state()).halted
        assert halted == "the store lost charges of w0 without a crash of the machine"
        with pytest.raises(Refusal, match="store_unavailable"):
            await house.reveal(ledger)
        await ledger.accept_state("put back by mistake")
        assert await left(house, ledger) == 6


@pytest.mark.usefixtures("crashed")
async def test_an_old_store_stops_reveals_until_it_is_accepted(house: House) -> None:
    house.reveals = 10
    async with house.ledger() as (ledger, _):
        older = stored(house, "older.db")
        await house.reveal(ledger, items=4)
        await ledger.lock("portal", "agent-7", "honeytoken")
    put_back(house, older)
    house.now += 601
    for _ in range(2):  # a restart alone does not help
        async with house.ledger() as (ledger, store):
            with pytest.raises(Refusal, match="store_unavailable"):
                await house.reveal(ledger)
            halted = (await store.state()).halted
            assert halted is not None
            assert "does not know charges" in halted
    async with house.ledger() as (ledger, store):
        await ledger.accept_state("the disk was replaced")
        with pytest.raises(Refusal, match="locked"):
            await house.reveal(ledger, principal="portal", end_user="agent-7")
        assert await left(house, ledger) == 6
    async with house.ledger() as (ledger, store):
        assert (await store.state()).halted is None
    (event,) = [event for event in house.recorded(Event) if event.name == "state_accepted"]
    assert event.detail["reason"] == "the disk was replaced"


@pytest.mark.usefixtures("crashed")
async def test_what_was_charged_and_not_recorded_hides_no_later_charge(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's mark says that so many numbers are charged. They are used again: what then
    stands there is not what was charged, and is lost with the store's last commits."""
    async with house.ledger() as (ledger, _):
        mend = failing(monkeypatch)
        await asyncio.gather(*(house.reveal(ledger) for _ in range(20)), return_exceptions=True)
        older = stored(house, "older.db")
        mend()
        await ledger.maintenance.tick()
        between = stored(house, "between.db")
        for _ in range(9):
            await house.reveal(ledger)
    for store_left in (older, between):
        put_back(house, store_left)
        async with house.ledger() as (_, store):
            assert (await store.state()).halted is None
        replayed = [event for event in house.recorded(Event) if event.name == "replayed"]
        assert replayed[-1].detail == {"writer": "w0", "charges": 9}


@pytest.mark.usefixtures("crashed")
async def test_what_died_between_charge_and_record_hides_no_later_charge(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.ledger() as (ledger, _):
        failing(monkeypatch)
        await asyncio.gather(*(house.reveal(ledger) for _ in range(20)), return_exceptions=True)
    monkeypatch.undo()
    monkeypatch.setattr("vault.ledger.recovery.boot_id", lambda: "another start")
    async with house.ledger() as (ledger, store):
        mark = (await store.state()).marks["w0"]
        assert mark.charged <= 1  # the start
        older = stored(house, "older.db")
        for _ in range(9):
            await house.reveal(ledger)
    put_back(house, older)
    async with house.ledger():
        pass
    replayed = [event for event in house.recorded(Event) if event.name == "replayed"]
    assert [event.detail["charges"] for event in replayed] == [9]


@pytest.mark.usefixtures("crashed")
@pytest.mark.parametrize("recorded", [True, False])
async def test_a_repeated_request_is_charged_again_once_with_the_store(
    house: House, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    """Though its first time was charged only, and never recorded."""
    house.reveals = 10
    entry = disclosure(items=6)
    charge = house.charge(entry, entry.request_id)
    async with house.ledger() as (ledger, _):
        older = stored(house, "older.db")
        mend = failing(monkeypatch)
        if recorded:
            mend()
            await ledger.settle(charge, entry)
        else:
            with pytest.raises(Refusal, match="audit_unavailable"):
                await ledger.settle(charge, entry)
            mend()
        for _ in range(2):
            await ledger.settle(charge, entry)
    put_back(house, older)
    async with house.ledger() as (ledger, _):
        assert await left(house, ledger) == 4


@pytest.mark.usefixtures("crashed")
async def test_of_locks_by_several_workers_the_last_counts(house: House) -> None:
    async with house.ledger() as (one, _), house.ledger() as (two, _):
        await one.lock("portal", None, "honeytoken")
        await two.lock("intake", None, "honeytoken")
        older = stored(house, "older.db")
        for unlocks, locks in ((two, one), (one, two)):
            for name in ("portal", "intake"):
                house.now += 1
                await unlocks.unlock(name, None)
                house.now += 1
                await locks.lock(name, None, "again")
        house.now += 1
        await one.unlock("intake", None)
    put_back(house, older)
    for _ in range(2):
        async with house.ledger() as (ledger, _):
            with pytest.raises(Refusal, match="locked"):
                await house.reveal(ledger, principal="portal")
            await house.reveal(ledger, principal="intake")


async def test_a_line_that_is_no_entry_does_not_start(house: House) -> None:
    """An older segment was edited: it is met where the store lost what stands there."""
    async with house.ledger() as (ledger, _):
        older = stored(house, "older.db")
        await house.reveal(ledger)
    house.now += 100_000
    async with house.ledger():
        pass
    first, _ = segments(house.settings.folder / "w0")
    first.write_bytes(first.read_bytes().replace(b'"items":1', b'"items":x'))
    put_back(house, older)
    with pytest.raises(SetUpError, match="a sealed line of the record is no entry"):
        async with house.ledger():
            pass


async def test_a_new_store_beside_an_old_record_stops_reveals(house: House) -> None:
    house.reveals = 10
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger, items=4)
    for path in house.folder.glob("jeton.db*"):
        path.unlink()
    async with house.ledger() as (ledger, store):
        halted = (await store.state()).halted
        assert "the store is not the one that the record was kept with" in (halted or "")
        await ledger.accept_state("lost with its disk")
        assert await left(house, ledger) == 6
    async with house.ledger() as (ledger, store):
        assert (await store.state()).halted is None


async def test_a_record_that_was_cut_stops_reveals(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
        kept = segments(house.settings.folder / "w0")[0].stat().st_size
        await house.reveal(ledger)
    os.truncate(segments(house.settings.folder / "w0")[0], kept)
    async with house.ledger() as (ledger, store):
        halted = (await store.state()).halted
        assert halted == "the record of w0 ends before the store's mark: it was cut"
        assert house.heard("halted") == [{"reason": halted}]
        await ledger.accept_state("it was restored from a backup")
        await house.reveal(ledger)
    async with house.ledger() as (ledger, store):
        assert (await store.state()).halted is None


async def test_a_record_that_was_rewritten_stops_reveals(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
    count = len(list(read_chain(house.settings.folder / "w0")))
    shutil.rmtree(house.settings.folder / "w0")
    forger = RecordWriter.claim(house.settings.folder)
    fill(forger, 1, size=count, now=house.now)
    forger.close()
    async with house.ledger() as (_, store):
        halted = (await store.state()).halted or ""
        assert "the record of w0 is not the one the store marked" in halted


async def test_a_record_that_is_gone_stops_reveals(house: House) -> None:
    async with house.ledger() as (ledger, _):
        async with house.ledger() as (other, _), house.ledger() as (third, _):
            for gone in (other, third):
                await house.reveal(gone)
        await house.reveal(ledger)
    for name in ("w1", "w2"):
        shutil.rmtree(house.settings.folder / name)
    async with house.ledger() as (ledger, store):
        halted = (await store.state()).halted
        assert halted == "the record of w1 is gone; the record of w2 is gone"
        await ledger.accept_state("moved to the archive")
    async with house.ledger() as (_, store):
        assert (await store.state()).halted is None


async def test_a_damaged_chain_stops_reveals_and_is_left_alone(house: House) -> None:
    async with house.ledger() as (ledger, _):
        for _ in range(3):
            await house.reveal(ledger, items=7)
    path = segments(house.settings.folder / "w0")[0]
    path.write_bytes(path.read_bytes().replace(b'"items":7', b'"items":1', 1))
    damaged = path.read_bytes()
    async with house.ledger() as (ledger, store):
        assert ledger.writer == "w1"
        assert "the record is damaged: w0" in ((await store.state()).halted or "")
    assert path.read_bytes() == damaged


async def test_what_a_crash_tore_is_cut_and_noted(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
    with segments(house.settings.folder / "w0")[0].open("ab") as file:
        file.write(b'{"kind":"disclosure","seq":')
    async with house.ledger() as (_, store):
        assert (await store.state()).halted is None
    (event,) = [event for event in house.recorded(Event) if event.name == "repaired"]
    assert event.detail == {"writer": "w0", "bytes": 27}


@pytest.mark.usefixtures("crashed")
async def test_chains_of_workers_that_are_gone_are_recovered_too(house: House) -> None:
    house.reveals = 10
    async with house.ledger() as (ledger, _):
        async with house.ledger() as (other, _):
            assert (ledger.writer, other.writer) == ("w0", "w1")
            older = stored(house, "older.db")
            await house.reveal(other, items=3)
        await house.reveal(ledger, items=2)
    put_back(house, older)
    async with house.ledger() as (ledger, _):
        assert await left(house, ledger) == 5


async def test_a_live_chain_is_left_to_its_owner(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
        async with house.ledger() as (other, store):
            assert (await store.state()).halted is None
            await house.reveal(other)
        await house.reveal(ledger)
    assert "replayed" not in {event.name for event in house.recorded(Event)}
    key = Checkpoints(house.settings.folder, SEED).public_key
    assert verify(house.settings.folder, key).clean


async def test_an_older_keyset_does_not_start(house: House) -> None:
    house.generation = 3
    async with house.ledger():
        pass
    house.generation = 2
    with pytest.raises(SetUpError, match="older than one that was served"):
        async with house.ledger():
            pass
    for path in house.folder.glob("jeton.db*"):  # the checkpoints know it as well
        path.unlink()
    with pytest.raises(SetUpError, match="older than one that was served"):
        async with house.ledger():
            pass


async def test_another_keyset_does_not_start(house: House) -> None:
    writer = RecordWriter.claim(house.settings.folder)
    Checkpoints(house.settings.folder, bytes(32))
    writer.close()
    with pytest.raises(SetUpError, match="another keyset"):
        async with house.ledger():
            pass


async def test_a_folder_that_is_none_does_not_start(house: House) -> None:
    house.settings.folder.write_text("in the way")
    with pytest.raises(SetUpError, match="the record's folder cannot be used"):
        async with house.ledger():
            pass


async def test_checkpoints_of_a_halted_store_keep_the_accepted_epoch(house: House) -> None:
    async with house.ledger() as (_, store):
        first = (await store.state()).epoch
    for path in house.folder.glob("jeton.db*"):
        path.unlink()
    checkpoints = Checkpoints(house.settings.folder, SEED)
    async with house.ledger() as (ledger, store):
        await ledger.maintenance.checkpoint()
        last = checkpoints.last()
        assert last is not None
        assert last.epoch == first
        await ledger.accept_state("for a test")
        last = checkpoints.last()
        assert last is not None
        assert last.epoch == (await store.state()).epoch != first
