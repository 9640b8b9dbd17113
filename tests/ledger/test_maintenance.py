"""Upkeep: checkpoints by whoever is first, marks, a store that changes, and retention."""

import errno
import shutil
import sqlite3

import pytest

from tests.support.ledgers import House
from tests.support.records import SEED
from vault.audit.checkpoint import Checkpoints
from vault.audit.entry import Disclosure, Event
from vault.audit.findings import Report
from vault.audit.retention import Expired
from vault.audit.segment import OpenSegment, segments
from vault.audit.verify import verify
from vault.config import DAY
from vault.errors import Refusal
from vault.ledger.recovery import open_ledger
from vault.store.base import Mark
from vault.store.sqlite import SqliteStore


def verified(house: House) -> Report:
    folder = house.settings.folder
    return verify(folder, Checkpoints(folder, SEED).public_key)


async def test_one_checkpoint_a_period_covers_all_workers(house: House) -> None:
    checkpoints = Checkpoints(house.settings.folder, SEED)
    async with house.ledger() as (one, _), house.ledger() as (two, _):
        await house.reveal(two)
        for ledger in (two, one):
            await ledger.maintenance.tick()
        house.now += 61
        before = checkpoints.last()
        assert before is not None
        for ledger in (two, one):
            await ledger.maintenance.tick()
        last = checkpoints.last()
        assert last is not None
        assert last.number == before.number + 1
        assert {writer: sequence for writer, (sequence, _) in last.writers.items()} == {
            "w0": 1,
            "w1": 2,
        }
    assert verified(house).clean


async def test_the_store_knows_how_far_the_record_is(house: House) -> None:
    async with house.ledger() as (ledger, store):
        receipt = await house.reveal(ledger)
        await ledger.maintenance.tick()
        mark = (await store.state()).marks["w0"]
        assert (mark.durable, mark.digest) == (receipt.sequence, receipt.digest)


async def test_it_is_told_again_only_when_the_record_has_gone_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    set_mark = SqliteStore.set_mark

    async def noted(store: SqliteStore, mark: Mark) -> None:
        told.append(mark.durable)
        await set_mark(store, mark)

    monkeypatch.setattr(SqliteStore, "set_mark", noted)
    async with house.ledger() as (ledger, _):
        told.clear()
        receipts = []
        for _ in range(2):
            receipts.append(await house.reveal(ledger))
            for _ in range(3):
                await ledger.maintenance.mark()
        assert told == [receipt.sequence for receipt in receipts]


@pytest.mark.parametrize(("host", "gone"), [(None, "w7"), ("north", "north-w7")])
async def test_a_checkpoint_speaks_of_our_chains_only_and_of_those_that_are_gone_too(
    house: House, host: str | None, gone: str
) -> None:
    house.audit = {"host": host}
    async with house.ledger() as (ledger, store):
        for writer in (gone, "south-w0"):
            await store.set_mark(Mark(writer, 5, "ab" * 32))
        await ledger.maintenance.checkpoint()
        last = Checkpoints(house.settings.folder, SEED).last()
        assert last is not None
        assert set(last.writers) == {ledger.writer, gone}


async def test_once_stopped_no_duty_is_at_work(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await ledger.maintenance.stop()
        assert all(task.done() for task in ledger.maintenance._tasks)


async def test_a_mark_that_went_back_stops_reveals_and_brings_charges_back(house: House) -> None:
    house.reveals = 10
    async with house.ledger() as (ledger, store):
        await house.reveal(ledger, items=4)
        await ledger.maintenance.tick()
        with sqlite3.connect(house.database) as behind:
            behind.execute("UPDATE marks SET durable = 1, charged = 1")
            behind.execute("DELETE FROM windows")
        house.now += 61
        await ledger.maintenance.tick()
        assert "went backwards" in ((await store.state()).halted or "")
        with pytest.raises(Refusal, match="store_unavailable"):
            await house.reveal(ledger)
        await ledger.accept_state("for a test")
        await house.reveal(ledger, items=6)
        with pytest.raises(Refusal, match="budget_exhausted"):
            await house.reveal(ledger)


@pytest.mark.parametrize("column", ["durable", "charged"])
async def test_either_half_of_a_mark_that_went_back_is_seen(house: House, column: str) -> None:
    async with house.ledger() as (ledger, store):
        await house.reveal(ledger)
        await ledger.maintenance.tick()
        with sqlite3.connect(house.database) as behind:
            behind.execute(f"UPDATE marks SET {column} = 1")
        house.now += 61
        await ledger.maintenance.tick()
        assert "went backwards" in ((await store.state()).halted or "")


@pytest.mark.parametrize(("host", "stays"), [("north", True), (None, False)])
async def test_an_unlock_that_a_shared_store_lost_is_left_alone(
    house: House, host: str | None, stays: bool
) -> None:
    """Somebody else may have locked since; of a store of our own we know that nobody did."""
    house.audit = {"host": host}
    async with house.ledger() as (ledger, store):
        await ledger.lock("portal", None, "honeytoken")
        await ledger.unlock("portal", None, "looked into")
        await ledger.maintenance.tick()
        await store.lock("portal", None, "as it was, or again")
        with sqlite3.connect(house.database) as behind:
            behind.execute("UPDATE marks SET durable = 1, charged = 1")
        house.now += 61
        await ledger.maintenance.tick()
        assert (("portal", None) in await store.locks()) == stays


async def test_a_duty_that_fails_keeps_none_of_the_others(house: House) -> None:
    async with house.ledger() as (ledger, store):

        async def away(*_: object) -> None:
            raise Refusal("store_unavailable", "away", 1)

        set_mark, store.set_mark = store.set_mark, away  # type: ignore[method-assign]
        ledger.refused("portal", "not_allowed")
        await house.reveal(ledger)
        await ledger.maintenance.tick()
        assert {"duty": "mark", "error": "Refusal"} in house.heard("duty_failed")
        assert "refusals" in {entry.__struct_config__.tag for entry in house.recorded()}
        store.set_mark = set_mark  # type: ignore[method-assign]


async def test_a_ledger_that_was_never_started_closes_and_refuses(house: House) -> None:
    store = SqliteStore.open(house.database)
    ledger = await open_ledger(
        house.settings,
        store,
        SEED,
        generation=1,
        charge_of=house.charge,
        clock=lambda: house.now,
    )
    with pytest.raises(Refusal, match="overloaded"):
        await house.reveal(ledger)
    await ledger.close()
    await store.close()
    assert not house.recorded()


async def test_retention_drops_whole_days_and_says_so(house: House) -> None:
    house.audit = {"retention_days": 30}
    for _ in range(4):
        async with house.ledger() as (ledger, _):
            await house.reveal(ledger)
        house.now += 10 * DAY
    assert len(segments(house.settings.folder / "w0")) == 4
    async with house.ledger() as (ledger, _):
        await ledger.maintenance.tick()
        (retired,) = house.heard("retention")
        assert retired["segments"] == 1
    oldest = min(entry.time for entry in house.recorded(Disclosure))
    assert len(house.recorded(Disclosure)) == 3
    assert oldest > house.recorded()[0].time[:4]
    (event,) = [event for event in house.recorded(Event) if event.name == "retention"]
    assert (event.detail["writer"], event.detail["segments"]) == ("w0", 1)
    report = verified(house)
    assert report.clean, report.findings


async def test_retention_that_was_stopped_between_two_files_is_no_finding(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.audit = {"retention_days": 30}
    for _ in range(4):
        async with house.ledger() as (ledger, _):
            await house.reveal(ledger)
        house.now += 2 * DAY
    house.now += 40 * DAY

    def dies(gone: Expired) -> None:
        gone.paths[0].unlink()
        raise OSError("killed here")

    monkeypatch.setattr("vault.ledger.maintenance.drop", dies)
    async with house.ledger() as (ledger, _):
        await ledger.maintenance.tick()
        report = verified(house)
    assert report.clean, report.findings
    first = segments(house.settings.folder / "w0")[0]
    first.write_bytes(first.read_bytes().replace(b'"items":1', b'"items":9'))
    assert "edited" in {finding.code for finding in verified(house).findings}


async def test_the_record_comes_back_though_nobody_asks(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is away the service is not ready, and a load balancer sends no reveal."""
    async with house.ledger() as (ledger, _):
        broken = [True]
        append = OpenSegment.append

        def maybe(segment: OpenSegment, data: bytes) -> None:
            if broken:
                raise OSError(errno.EIO, "Input/output error")
            append(segment, data)

        monkeypatch.setattr(OpenSegment, "append", maybe)
        with pytest.raises(Refusal, match="audit_unavailable"):
            await house.reveal(ledger)
        await ledger.maintenance.tick()
        assert ledger.trouble == "Input/output error"
        broken.clear()
        await ledger.maintenance.tick()
        assert ledger.trouble is None
    assert not house.heard("duty_failed")
    assert not house.heard("ledger_failed")
    assert [event.name for event in house.recorded(Event)] == ["start", "resumed", "stop"]


async def test_chains_that_nobody_writes_any_more_are_dropped_too(house: House) -> None:
    house.audit = {"retention_days": 30}
    async with house.ledger() as (ledger, _), house.ledger() as (other, _):
        await house.reveal(other)
    house.now += 40 * DAY
    async with house.ledger() as (ledger, store):
        await ledger.maintenance.tick()
        assert not house.recorded(Disclosure)
        report = verified(house)
        assert report.clean, report.findings
        assert report.tails["w1"].sequence > 0
        async with house.ledger() as (other, _):  # and the chain goes on
            assert other.writer == "w1"
            await house.reveal(other)
        assert (await store.state()).halted is None
    assert verified(house).clean


async def test_segments_that_vanish_unannounced_are_found(house: House) -> None:
    for _ in range(3):
        async with house.ledger() as (ledger, _):
            await house.reveal(ledger)
        house.now += 2 * DAY
    shutil.rmtree(house.folder / "kept", ignore_errors=True)
    segments(house.settings.folder / "w0")[0].unlink()
    assert "missing_segment" in {finding.code for finding in verified(house).findings}


async def test_retention_that_failed_is_tried_again_soon(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.audit = {"retention_days": 30}
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
    house.now += 40 * DAY
    async with house.ledger() as (ledger, _):
        with monkeypatch.context() as patched:

            def away(*_: object) -> None:
                raise OSError(errno.EIO, "Input/output error")

            patched.setattr("vault.ledger.maintenance.expired", away)
            await ledger.maintenance.tick()
        assert house.recorded(Disclosure)
        house.now += 1
        await ledger.maintenance.tick()
    assert not house.recorded(Disclosure)
