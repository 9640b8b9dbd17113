"""Charge, record, answer: exactly, durably, in groups, and whatever the callers do."""

import asyncio
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from tests.support.ledgers import House, failing, limits, somebody
from tests.support.records import SEED
from vault.audit.checkpoint import Checkpoints
from vault.audit.entry import Disclosure, Event, Receipt, Refusals, Tokenised, seconds
from vault.audit.group import Group
from vault.audit.verify import verify
from vault.audit.writer import RecordWriter
from vault.errors import Refusal
from vault.ledger.lease import Leases
from vault.ledger.maintenance import Maintenance
from vault.store.base import Charge, Mark, Verdict


def verified(house: House, *receipts: Receipt) -> None:
    key = Checkpoints(house.settings.folder, SEED).public_key
    report = verify(house.settings.folder, key, receipts=receipts)
    assert report.clean, report.findings


async def refusal(work: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await work
    return caught.value


async def test_an_answered_reveal_stands_in_the_record(house: House) -> None:
    async with house.ledger() as (ledger, store):
        receipt = await house.reveal(ledger, items=3, failed=1)
        (entry,) = house.recorded(Disclosure)
        assert (receipt.writer, receipt.sequence) == (ledger.writer, entry.seq)
        assert (entry.items, entry.failed, entry.duplicate) == (3, 1, False)
        assert seconds(entry.time) == house.now
        state = await store.state()
        assert state.marks["w0"].charged == receipt.sequence
    verified(house, receipt)
    assert [event.name for event in house.recorded(Event)] == ["start", "stop"]


async def test_who_writes_nothing_is_told_where_the_record_ends(house: House) -> None:
    async with house.ledger() as (ledger, _):
        receipt = await house.reveal(ledger)
        assert await ledger._committer.write(()) == receipt


async def test_exactly_the_limit_is_admitted_whoever_comes_first(house: House) -> None:
    house.reveals = 1_000
    async with house.ledger() as (ledger, _):
        work = [house.reveal(ledger, items=1 + n % 3) for n in range(1_500)]
        answers = await asyncio.gather(*work, return_exceptions=True)
        while not isinstance(last := (await gathered(house.reveal(ledger))), Refusal):
            answers.append(last)
        receipts = [answer for answer in answers if isinstance(answer, Receipt)]
        refused = [answer for answer in answers if isinstance(answer, Refusal)]
        assert {each.code for each in refused} == {"budget_exhausted"}
        assert refused[0].detail.startswith("reveal.hour ")
        assert refused[0].limit == "reveal.hour"  # the metrics count by it
        assert refused[0].retry_after
    recorded = house.recorded(Disclosure)
    assert sum(entry.items for entry in recorded) == 1_000
    assert sorted(receipt.sequence for receipt in receipts) == [entry.seq for entry in recorded]
    verified(house, *receipts)


async def gathered(work: Any) -> Any:
    return (await asyncio.gather(work, return_exceptions=True))[0]


async def test_people_are_counted_once(house: House) -> None:
    house.people = 2
    async with house.ledger() as (ledger, _):
        one, two = somebody(), somebody()
        for person in (one, two, one):
            await house.reveal(ledger, persons=[person])
        refused = await refusal(house.reveal(ledger, persons=[somebody()]))
        assert refused.detail.startswith("people.day ")
    assert len(house.recorded(Disclosure)) == 3


async def test_a_repeated_request_is_recorded_and_not_charged_again(house: House) -> None:
    house.reveals = 1
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger, "id")
        await house.reveal(ledger, "id")
        assert (await refusal(house.reveal(ledger, "other"))).code == "budget_exhausted"
    assert [entry.duplicate for entry in house.recorded(Disclosure)] == [False, True]


async def test_a_reused_id_and_a_lock_say_why(house: House) -> None:
    async with house.ledger() as (ledger, store):
        await house.reveal(ledger, "id")
        charge = house.charge(Disclosure(**facts()), "id")
        other = Charge(**{**as_dict(charge), "fingerprint": b"another body"})
        refused = await refusal(ledger.settle(other, Disclosure(**facts())))
        assert refused.code == "request_id_reused"
        await ledger.lock("reimbursement", None, "honeytoken")
        assert (await refusal(house.reveal(ledger))).code == "locked"
        assert await ledger.unlock("reimbursement", None)
        assert not await ledger.unlock("reimbursement", None)
        await house.reveal(ledger)
        await store.halt("for a test")
        assert (await refusal(house.reveal(ledger))).code == "store_unavailable"
    names = [event.name for event in house.recorded(Event)]
    assert names == ["start", "lock", "unlock", "unlock", "stop"]


def facts() -> dict[str, Any]:
    return {
        "principal": "reimbursement",
        "credential": "0a1b2c3d",
        "source": "192.0.2.7",
        "operation": "mask",
        "transformation": "fr-nir",
        "items": 1,
    }


def as_dict(charge: Charge) -> dict[str, Any]:
    return {name: getattr(charge, name) for name in Charge.__slots__}


async def test_what_gathers_meanwhile_is_one_group(house: House) -> None:
    async with house.ledger() as (ledger, _):
        await asyncio.gather(*(house.reveal(ledger) for _ in range(600)))
        groups = house.heard("group")
        assert [facts["size"] for facts in groups if facts["size"] > 1] == [512, 88]
        assert all(set(facts) == {"size", "store_seconds", "sync_seconds"} for facts in groups)
        assert all(0 < facts[took] < 20 for facts in groups for took in list(facts)[1:])


class Gate:
    """Holds the record's thread inside `write` until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered: asyncio.Queue[None] = asyncio.Queue()
        self._open: Future[None] = Future()
        loop, write = asyncio.get_running_loop(), RecordWriter.write

        def gated(record: RecordWriter, group: Group) -> list[Receipt]:
            loop.call_soon_threadsafe(self.entered.put_nowait, None)
            self._open.result(10)
            return write(record, group)

        monkeypatch.setattr(RecordWriter, "write", gated)

    def open(self) -> None:
        self._open.set_result(None)


async def test_nothing_is_answered_before_it_is_durable(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.ledger() as (ledger, store):
        gate = Gate(monkeypatch)
        answer = asyncio.create_task(house.reveal(ledger))
        await gate.entered.get()
        assert (await store.state()).marks["w0"].charged == 2  # charged before it is recorded
        assert not answer.done()
        gate.open()
        await answer


async def test_the_record_has_threads_of_its_own(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else waits for a thread, it never waits behind that."""
    threads: set[str] = set()
    write = RecordWriter.write

    def noted(record: RecordWriter, group: Group) -> list[Receipt]:
        threads.add(threading.current_thread().name)
        return write(record, group)

    async with house.ledger() as (ledger, _):
        monkeypatch.setattr(RecordWriter, "write", noted)
        for _ in range(3):
            await house.reveal(ledger)
    assert {name.rpartition("_")[0] for name in threads} == {"record"}


async def test_a_caller_who_goes_away_breaks_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.reveals = 3
    async with house.ledger() as (ledger, _):
        gate = Gate(monkeypatch)
        charged = asyncio.create_task(house.reveal(ledger, purpose="charged"))
        stays = asyncio.create_task(house.reveal(ledger, purpose="stays"))
        await gate.entered.get()
        queued = asyncio.create_task(house.reveal(ledger, purpose="queued"))
        later = asyncio.create_task(house.reveal(ledger, purpose="later"))
        await asyncio.sleep(0)
        charged.cancel()
        queued.cancel()
        gate.open()
        await stays
        await later  # had the queued one been charged, this would be one too many
        assert charged.cancelled() or (await gathered(charged)).__class__ is not Receipt
    purposes = [entry.purpose for entry in house.recorded(Disclosure)]
    assert purposes == ["charged", "stays", "later"]


async def test_without_a_record_nobody_is_answered_and_one_group_is_charged(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.reveals = 10
    async with house.ledger() as (ledger, _):
        first = await house.reveal(ledger)
        mend = failing(monkeypatch)
        for _ in range(20):  # were each charged for nothing, the budget would be gone
            refused = await refusal(house.reveal(ledger))
            assert (refused.code, refused.retry_after) == ("audit_unavailable", 1)
        assert ledger.trouble == "Input/output error"
        mend()
        second = await house.reveal(ledger)
        assert ledger.trouble is None
        assert second.sequence == first.sequence + 2  # behind the event that says so
        for _ in range(7):
            await house.reveal(ledger)
        assert (await refusal(house.reveal(ledger))).code == "budget_exhausted"
    resumed = [event for event in house.recorded(Event) if event.name == "resumed"]
    assert [event.detail for event in resumed] == [{"after": "Input/output error"}]
    assert house.heard("record_unavailable") == [{"reason": "Input/output error"}]
    assert house.heard("record_resumed") == [{}]
    verified(house, first, second)


async def test_a_record_that_is_back_takes_what_costs_nothing_though_the_store_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Refusal("store_unavailable", "away", 1)

    async with house.ledger() as (ledger, store):
        await house.reveal(ledger)
        mend = failing(monkeypatch)
        assert (await refusal(ledger.event("lock"))).code == "audit_unavailable"
        mend()
        monkeypatch.setattr(store, "replay", away)  # there is nothing to take back
        await ledger.event("lock")
        monkeypatch.undo()
    names = [event.name for event in house.recorded(Event)]
    assert names == ["start", "resumed", "lock", "stop"]


async def test_the_mark_never_claims_what_is_not_durable(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.ledger() as (ledger, store):
        await house.reveal(ledger)
        mend = failing(monkeypatch)
        await refusal(house.reveal(ledger))
        await ledger.maintenance.tick()
        assert (await store.state()).marks["w0"].durable == 2
        mend()


async def test_a_store_that_fails_refuses_the_group_and_the_next_goes_on(house: House) -> None:
    async with house.ledger() as (ledger, store):

        async def away(group: list[Charge], mark: Mark, now: float) -> list[Verdict]:
            raise Refusal("store_unavailable", "away", 1)

        async def wrong(group: list[Charge], mark: Mark, now: float) -> list[Verdict]:
            raise KeyError

        async def forgetful(group: list[Charge], mark: Mark, now: float) -> list[Verdict]:
            return []

        commit = store.commit
        store.commit = away  # type: ignore[method-assign, assignment]
        answers = await asyncio.gather(
            *(house.reveal(ledger) for _ in range(3)), return_exceptions=True
        )
        assert [str(answer) for answer in answers] == ["store_unavailable: away"] * 3
        assert len({id(answer) for answer in answers}) == 3
        store.commit = wrong  # type: ignore[method-assign, assignment]
        assert str(await refusal(house.reveal(ledger))) == "internal: the ledger failed"
        assert house.heard("ledger_failed") == [{"error": "KeyError"}]
        store.commit = forgetful  # type: ignore[method-assign, assignment]
        async with asyncio.timeout(5):  # nobody is left waiting for a verdict
            assert (await refusal(house.reveal(ledger))).code == "internal"
        store.commit = commit  # type: ignore[method-assign]
        await house.reveal(ledger)


async def test_closing_settles_what_is_queued_and_takes_no_more(house: House) -> None:
    async with house.ledger() as (ledger, _):
        queued = [asyncio.create_task(house.reveal(ledger)) for _ in range(600)]
        await asyncio.sleep(0)
    assert len([await task for task in queued]) == 600
    refused = await refusal(house.reveal(ledger))
    assert (str(refused), refused.retry_after) == ("overloaded: not serving", 1)
    assert len(house.recorded(Disclosure)) == 600


@pytest.mark.parametrize(
    "failure", [Refusal("store_unavailable", "away", 1), OSError("broken")], ids=["store", "disk"]
)
async def test_closing_goes_on_whatever_fails(
    house: House, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    async def broken(*_: object) -> None:
        raise failure

    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
        for duty in ("flush", "mark", "checkpoint"):
            monkeypatch.setattr(Maintenance, duty, broken)
        monkeypatch.setattr(Leases, "close", broken)
    monkeypatch.undo()
    async with house.ledger() as (ledger, _):
        assert ledger.writer == "w0", "the chain was left"
    assert [event.name for event in house.recorded(Event)] == ["start", "stop"] * 2


async def test_shares_are_those_of_the_store_and_go_back_to_it_with_a_lock(house: House) -> None:
    charge = Charge("intake", None, 1, limits(12_800, "intake"))
    async with house.ledger() as (ledger, _):
        for _ in range(50):
            await ledger.spend(charge)
        assert ledger.can_spend
        await ledger.lock("intake", None, "a drill")
        await ledger.maintenance.tick()
        assert not ledger.can_spend
        await ledger.unlock("intake", None)
        await ledger.spend(replace(charge, items=12_750))
        with pytest.raises(Refusal, match="budget_exhausted"):
            await ledger.spend(charge)
    assert not house.heard("duty_failed")


async def test_sums_are_one_entry_a_second(house: House) -> None:
    async with house.ledger() as (ledger, _):
        for n in range(500):
            ledger.tokenised("intake", "fr-nir", 10, n % 2)
            ledger.refused("portal", "not_allowed")
            ledger.refused("portal", "budget_exhausted")
        house.now += 1
        await ledger.maintenance.tick()
        ledger.tokenised("intake", "fr-nir", 1)
    first, last = house.recorded(Tokenised)
    assert (first.items, first.failed, first.seconds, last.items) == (5_000, 250, 1, 1)
    assert {entry.code: entry.count for entry in house.recorded(Refusals)} == {
        "not_allowed": 500,
        "budget_exhausted": 500,
    }


async def test_sums_survive_a_record_that_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.ledger() as (ledger, _):
        mend = failing(monkeypatch)
        for _ in range(5):
            ledger.refused("portal", "not_allowed")
            house.now += 1
            await ledger.maintenance.tick()
        mend()
        await house.reveal(ledger)
        house.now += 1
        await ledger.maintenance.tick()
    (entry,) = house.recorded(Refusals)
    assert (entry.count, entry.seconds) == (5, 6)


async def test_the_last_of_the_space_is_for_reveals(house: House) -> None:
    house.audit = {"reserve_bytes": 2**60, "alarm_bytes": 2**60}
    async with house.ledger() as (ledger, _):
        await ledger.maintenance.tick()
        assert len(house.heard("space_low")) == 1
        for _ in range(3):
            ledger.refused("portal", "not_allowed")
            await ledger.maintenance.tick()
            await house.reveal(ledger)
        assert not house.recorded(Refusals)
        assert len(house.heard("space_low")) == 1
    assert len(house.recorded(Disclosure)) == 3
    assert [entry.count for entry in house.recorded(Refusals)] == [3]  # at the end, in one
