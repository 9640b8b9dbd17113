"""Records of several machines over one Redis: each looks after its own, and brings back what the
store has lost."""

import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.ledgers import House
from tests.support.records import SEED
from tests.support.redis import Redis
from vault.audit.checkpoint import Checkpoints
from vault.audit.entry import Event, Receipt
from vault.audit.group import Tail
from vault.audit.verify import verify
from vault.errors import Refusal
from vault.ledger.ledger import Ledger
from vault.store.base import Store
from vault.store.redis.guard import RedisStore
from vault.store.redis.link import Link

MakeHouse = Callable[[str], House]


@pytest.fixture
def server(redis_server: Redis) -> Redis:
    redis_server.ask("FLUSHALL")
    return redis_server


@pytest.fixture
def house_of(server: Redis, tmp_path: Path) -> MakeHouse:
    def make(host: str) -> House:
        async def opening() -> Store:
            return await RedisStore.open(await Link.open(server.settings()))

        folder = tmp_path / host
        folder.mkdir()
        audit = {"host": host, "checkpoint_seconds": 1}
        return House(folder, reveals=10, now=time.time(), audit=audit, opening=opening)

    return make


async def refusal(house: House, ledger: Ledger) -> Refusal | None:
    try:
        await house.reveal(ledger)
    except Refusal as refused:
        return refused
    return None


async def revealed(house: House, ledger: Ledger, most: int) -> int:
    for count in range(most):
        if await refusal(house, ledger) is not None:
            return count
    return most


def is_clean(house: House, state_marks: dict[str, Tail]) -> bool:
    key = Checkpoints(house.settings.folder, SEED).public_key
    return verify(house.settings.folder, key, marks=state_marks).clean


async def test_two_machines_share_limits_and_leave_each_others_chains_alone(
    house_of: MakeHouse,
) -> None:
    north, south = house_of("north"), house_of("south")
    for _ in range(2):  # and after a restart, when both have records
        async with AsyncExitStack() as stack:
            one, _ = await stack.enter_async_context(north.ledger())
            two, store = await stack.enter_async_context(south.ledger())
            assert (one.writer, two.writer) == ("north-w0", "south-w0")
            spent = await asyncio.gather(revealed(north, one, 3), revealed(south, two, 2))
            assert spent == [3, 2]
            for house, ledger in ((north, one), (south, two)):
                house.now += 1
                await ledger.maintenance.tick()
                assert not house.heard("duty_failed")
                assert not house.heard("halted")
            state = await store.state()
            assert state.halted is None
            assert {"north-w0", "south-w0"} <= set(state.marks)
    async with south.ledger() as (ledger, _):
        assert (await refusal(south, ledger)).code == "budget_exhausted"  # type: ignore[union-attr]
    for house, host in ((north, "north"), (south, "south")):
        marks = {
            name: Tail(mark.durable, mark.digest)
            for name, mark in state.marks.items()
            if name.startswith(host)
        }
        assert is_clean(house, marks)
        last = Checkpoints(house.settings.folder, SEED).last()
        assert last is not None
        assert set(last.writers) == {f"{host}-w0"}


async def test_a_receipt_names_the_machine(house_of: MakeHouse) -> None:
    house = house_of("north-1")
    async with house.ledger() as (ledger, _):
        receipt = await house.reveal(ledger)
    assert Receipt.parse(str(receipt)) == receipt
    assert str(receipt).startswith("north-1-w0.")


async def test_a_record_that_was_cut_stops_reveals_for_all(house_of: MakeHouse) -> None:
    north, south = house_of("north"), house_of("south")
    async with north.ledger() as (ledger, _):
        await north.reveal(ledger)
        await ledger.maintenance.tick()
    shutil.rmtree(north.settings.folder / "north-w0")
    async with south.ledger() as (ledger, store):
        assert await refusal(south, ledger) is None, "it is not south's to miss"
        async with north.ledger() as (_, _):
            assert "north-w0" in ((await store.state()).halted or "")
        assert (await refusal(south, ledger)).code == "store_unavailable"  # type: ignore[union-attr]
    async with north.ledger() as (ledger, store):
        await ledger.accept_state("for a test")
        assert "south-w0" in (await store.state()).marks
        assert (await store.state()).marks["south-w0"].durable > 0, "left as it was"
    async with south.ledger() as (ledger, store):
        assert await refusal(south, ledger) is None


async def test_an_emptied_redis_stops_reveals_and_gets_locks_and_charges_back(
    house_of: MakeHouse, server: Redis
) -> None:
    house = house_of("north")
    async with house.ledger() as (ledger, store):
        assert await revealed(house, ledger, 8) == 8
        await ledger.lock("portal", None, "a drill")
        async with house.ledger() as (other, _):  # as a command does, whose chain stays behind
            await other.lock("intake", "u1", "another")
        await ledger.maintenance.tick()
        server.ask("FLUSHALL")
        assert (await refusal(house, ledger)).code == "store_unavailable"  # type: ignore[union-attr]
        with pytest.raises(Refusal, match="locked"):
            ledger.check_lock("portal", None)
        await ledger.maintenance.tick()
        assert "replaced" in ((await store.state()).halted or "")
        assert await store.locks() == {("portal", None), ("intake", "u1")}
        with pytest.raises(Refusal, match="locked"):
            ledger.check_lock("portal", None)
        refused = await refusal(house, ledger)
        assert refused is not None
        assert "jeton audit accept" in refused.detail
        await ledger.accept_state("it was emptied by mistake")
        assert await revealed(house, ledger, 5) == 2, "what was charged counts again"
        await ledger.maintenance.tick()
        assert (await store.state()).halted is None, "it is known by now"
        assert not house.heard("duty_failed")


async def test_what_a_failover_lost_is_charged_again_without_a_stop(
    house_of: MakeHouse, server: Redis
) -> None:
    """A server comes up that lacks the last commits, of both machines."""
    north, south = house_of("north"), house_of("south")
    files = server.folder / "appendonlydir"
    async with AsyncExitStack() as stack:
        one, store = await stack.enter_async_context(north.ledger())
        two, _ = await stack.enter_async_context(south.ledger())
        assert await revealed(north, one, 1) == 1
        assert await revealed(south, two, 1) == 1
        older = server.folder / "older"
        shutil.rmtree(older, ignore_errors=True)
        shutil.copytree(files, older)
        assert await revealed(north, one, 2) == 2
        assert await revealed(south, two, 3) == 3
        server.kill()
        shutil.rmtree(files)
        older.rename(files)
        server.start()
        admitted = 0
        for _ in range(8):
            for house, ledger in ((north, one), (south, two)):
                admitted += await refusal(house, ledger) is None
                await ledger.maintenance.tick()
            if admitted >= 3:
                break
        assert (await store.state()).halted is None
        assert [house.heard("replayed") for house in (north, south)] == [
            [{"charges": 2}],
            [{"charges": 3}],
        ]
        left = await revealed(north, one, 10)
        assert 7 + admitted + left == 10
    replayed = [event for event in north.recorded(Event) if event.name == "replayed"]
    assert [event.detail["charges"] for event in replayed] == [2]
