"""The guard on Redis keeps the contract, by real servers: one alone, and a cluster."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.store.contract import (
    HOUR,
    MARK,
    T0,
    OpenStore,
    StoreContract,
    charge,
    lease,
    left,
    person,
)
from tests.store.model import machine
from tests.store.spender import limit
from tests.support.redis import Redis
from tests.support.redis_deployments import Cluster
from vault.config import StoreSettings
from vault.errors import Refusal, SetUpError
from vault.store import Store, open_store
from vault.store.base import Charge, Limit, Mark, Verdict
from vault.store.redis.guard import RedisStore
from vault.store.redis.link import Link
from vault.store.redis.replies import FEW, LATE, LOST

ROOT = Path(__file__).parents[2]


async def opened(settings: StoreSettings, *, trusted: bool = True) -> RedisStore:
    return await RedisStore.open(await Link.open(settings), trusted=trusted)


class TestRedis(StoreContract):
    @pytest.fixture
    def open_another(self, redis_server: Redis) -> OpenStore:
        redis_server.ask("FLUSHALL")
        return lambda: opened(redis_server.settings())


@pytest.mark.slow
class TestCluster(StoreContract):
    @pytest.fixture
    def open_another(self, redis_cluster: Cluster) -> OpenStore:
        redis_cluster.owner_of("{jeton}").ask("FLUSHALL")
        return lambda: opened(redis_cluster.settings())


_server: list[Redis] = []


@pytest.fixture(scope="module", autouse=True)
def _known_server(redis_server: Redis) -> Iterator[None]:
    """To the model too, which takes no fixtures."""
    _server.append(redis_server)
    yield
    _server.clear()


def two_stores() -> tuple[list[Callable[[], Coroutine[None, None, Store]]], Callable[[], None]]:
    [server] = _server
    server.ask("FLUSHALL")

    async def one() -> Store:
        return await opened(server.settings())

    return [one, one], lambda: None


TestModel = machine(two_stores).TestCase
TestModel.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


@pytest.fixture
def server(redis_server: Redis) -> Redis:
    redis_server.ask("FLUSHALL")
    return redis_server


async def refused(asked: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as info:
        await asked
    return info.value


async def spend(store: RedisStore, items: int, now: float, mark: Mark = MARK) -> str | None:
    [verdict] = await store.commit([charge(items)], mark, now)
    return verdict.code


# Opening


async def test_the_address_picks_the_store(server: Redis, tmp_path: Path) -> None:
    store = await open_store(server.settings(), tmp_path)
    assert (await store.state()).epoch == server.ask("HGET", "{jeton}:state", "epoch").decode()
    await store.close()


async def test_another_versions_state_is_refused(server: Redis) -> None:
    await (await opened(server.settings())).close()
    server.ask("HSET", "{jeton}:state", "schema", "7")
    with pytest.raises(SetUpError, match="schema 7, not 1"):
        await opened(server.settings())


async def test_everything_lies_in_one_slot_and_names_nobody(server: Redis) -> None:
    store = await opened(server.settings())
    secretive = Limit("portal/somebody", "reveal.hour", 3600, 9)
    asked = charge(1, 1, limits=(secretive,), end_user="somebody", request_id="an-id")
    assert await store.commit([asked], MARK, time.time()) == [Verdict()]
    keys = server.ask("KEYS", "*")
    assert len(keys) >= 5
    assert all(key.startswith(b"{jeton}:") for key in keys)
    assert not any(b"somebody" in key or b"an-id" in key for key in keys)
    await store.close()


async def test_a_script_that_redis_forgot_is_loaded_again(server: Redis) -> None:
    store = await opened(server.settings())
    assert await spend(store, 4, time.time()) is None
    server.ask("SCRIPT", "FLUSH")
    assert await spend(store, 6, time.time()) is None
    assert await spend(store, 1, time.time()) == "budget_exhausted"
    await store.close()


async def test_a_group_whose_answer_was_lost_is_decided_once(
    server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was carried out, and nobody heard: asked again it says the same."""
    store = await opened(server.settings())
    run, lost = store._link.run, [LATE, LOST]

    async def deaf(*asked: Any, **how: Any) -> Any:
        answer = await run(*asked, **how)
        if lost:
            raise Refusal("store_unavailable", lost.pop(), 1)
        return answer

    now = time.time()
    monkeypatch.setattr(store._link, "run", deaf)
    assert (await refused(spend(store, 3, now))).detail == LATE, "two answers are too many"
    monkeypatch.undo()
    lost.append(FEW)
    monkeypatch.setattr(store._link, "run", deaf)
    verdicts = await store.commit([charge(4), charge(4), charge(3)], MARK, now)
    assert [verdict.code for verdict in verdicts] == [None, "budget_exhausted", None]
    assert await left(store, HOUR, now) == 0
    assert (await store.state()).marks["w0"].charged == MARK.durable + 2
    store._number -= 2
    assert "a later group" in (await refused(spend(store, 1, now))).detail
    await store.close()


# Processes


@pytest.mark.slow
def test_eight_processes_spend_exactly_the_limit(server: Redis) -> None:
    ceiling = 2_000
    command = [sys.executable, "-m", "tests.store.spender", server.settings().url, str(ceiling)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    totals = [int(each.communicate()[0].split()[-1]) for each in processes]
    assert [each.returncode for each in processes] == [0] * 8
    assert sum(totals) == ceiling

    async def spent() -> int:
        store = await opened(server.settings(), trusted=False)
        try:
            return ceiling - await left(store, limit(ceiling), time.time())
        finally:
            await store.close()

    assert asyncio.run(spent()) == ceiling


# Clocks


async def test_one_wrong_clock_opens_no_limit(server: Redis) -> None:
    """A day ahead, or behind, or jumping between: Redis's own clock holds against it."""
    store = await opened(server.settings(), trusted=False)
    now = time.time()
    assert await spend(store, 10, now - 86_400) is None
    for wrong in (0, 86_400, -86_400, 40 * 86_400, 3_700):
        assert await spend(store, 1, now + wrong) == "budget_exhausted"
    stored = float(server.ask("HGET", "{jeton}:state", "seen"))
    assert stored <= time.time()
    await store.close()


async def test_what_a_slow_clock_charged_stays_as_long_as_it_should(server: Redis) -> None:
    """Charged by one whose clock is half an hour behind, it is stamped by the right one."""
    slow, right = [await opened(server.settings(), trusted=False) for _ in range(2)]
    now = time.time()
    assert await spend(slow, 10, now - 1_800) is None
    [verdict] = await right.commit([charge(1)], MARK, now)
    assert verdict.retry_after is not None
    assert verdict.retry_after > 3_600 - 1
    await slow.close()
    await right.close()


async def test_a_lease_ends_by_the_stores_time(server: Redis) -> None:
    store = await opened(server.settings(), trusted=False)
    before = time.time()
    leased = await store.lease(charge(3, limits=(HOUR,)), 7, before - 500)
    assert before - 1 <= leased.at <= time.time() + 1
    await store.give_back((HOUR,), 7, leased.at)
    assert await left(store, HOUR, time.time()) == 10
    await store.close()


# Memory


async def _sweep(store: RedisStore) -> None:
    store._swept_at = 0.0
    store._sweep_when_due(0)
    if store._sweeping is not None:
        await store._sweeping


@pytest.mark.slow
async def test_end_users_by_the_thousand_come_and_go(server: Redis) -> None:
    """Each has windows and persons of its own; memory follows who still counts. (In `make long`
    a hundred thousand of them.)"""
    store = await opened(server.settings(timeout=10.0))
    server.set(appendfsync="no")  # the disk is not what is asked about
    users = 100_000 if settings.get_current_profile_name() == "long" else 12_000
    began, group = 2_000_000_000.0, 500
    peaks = []
    for first in range(0, users, group):
        now = began + first * 1.5  # a window lasts for 2,400 of them
        charges = [_of_end_user(first + each) for each in range(group)]
        verdicts = await store.commit(charges, MARK, now)
        assert not any(verdict.code for verdict in verdicts)
        if store._sweeping is not None:
            await store._sweeping
        if first % 2_000 == 0:
            peaks.append(server.ask("DBSIZE"))
    assert max(peaks) < 4 * 2 * 2_500, "twice as many as count, two windows each, and some"
    await _until_swept(store, server, began + users * 1.5 + 90_000)
    server.set(appendfsync="always")
    await store.close()


def _of_end_user(number: int) -> Charge:
    scope = f"portal/{number}"
    return Charge(
        "portal", str(number), 1, (Limit(scope, "reveal.hour", 3600, 9),),
        frozenset([person(number)]), (Limit(scope, "people.hour", 3600, 9),),
    )  # fmt: skip


async def _until_swept(store: RedisStore, server: Redis, now: float) -> None:
    await store.commit([], MARK, now)
    for _ in range(200):
        await _sweep(store)
        if server.ask("LLEN", "{jeton}:queue") == 0:
            break
    left_over = {key.decode() for key in server.ask("KEYS", "*")}
    assert left_over == {"{jeton}:state", "{jeton}:marks"}


async def test_what_still_counts_is_never_swept(server: Redis) -> None:
    store = await opened(server.settings())
    now = T0
    asked = charge(7, 1, 2, 3)
    assert await store.commit([asked], MARK, now) == [Verdict()]
    await store.commit([], MARK, now + 3_659)
    for _ in range(3):
        await _sweep(store)
    assert await left(store, HOUR, now + 3_659) == 3
    [verdict] = await store.commit([charge(0, 4)], MARK, now + 86_400)
    assert verdict.limit == "people.day"
    await store.commit([], MARK, now + 90_000)
    await _sweep(store)
    assert await store.commit([charge(10, 4, 5, 6)], MARK, now + 90_000) == [Verdict()]
    await store.close()


# Losses


async def test_an_emptied_redis_is_no_fresh_one(server: Redis) -> None:
    store = await opened(server.settings())
    now = time.time()
    assert await spend(store, 10, now) is None
    server.ask("FLUSHALL")
    for call in (
        store.commit([charge()], MARK, now),
        lease(store, (HOUR,), 1, 1, now),
        store.locks(),
        store.set_mark(MARK),
    ):
        refusal = await refused(call)
        assert refusal.code == "store_unavailable"
        assert "emptied or replaced" in refusal.detail
    assert (await store.state()).epoch == ""
    newcomer = await opened(server.settings())  # and a fresh one beside it is not the old one
    assert (await refused(store.commit([charge()], MARK, now))).code == "store_unavailable"
    await store.halt("it was emptied")
    for each in (store, newcomer):
        assert "it was emptied" in (await refused(each.commit([charge()], MARK, now))).detail
    await store.resume()
    assert await spend(store, 10, now) is None
    await store.close()
    await newcomer.close()


async def test_after_a_restart_every_writer_says_how_far_it_was(server: Redis) -> None:
    """The other writer's last charges may be missing: nobody spends before it has looked."""
    one, other = [await opened(server.settings()) for _ in range(2)]
    now = time.time()
    mine, its = Mark("w0", 5, ""), Mark("w1", 7, "")
    assert await spend(one, 3, now, mine) is None
    assert await spend(other, 3, now, its) is None
    server.kill()
    server.start()
    told = Mark("w0", 5, "", 6)
    await asyncio.gather(one.locks(), other.locks())  # the connections are there again
    assert "being compared" in (await refused(one.commit([charge()], told, now))).detail
    await other.state()  # as once a second
    assert await spend(one, 4, now, told) is None
    assert await spend(other, 1, now, Mark("w1", 7, "", 8)) == "budget_exhausted"
    await one.close()
    await other.close()


async def test_a_writer_that_never_comes_back_is_not_waited_for_long(server: Redis) -> None:
    one, other = [await opened(server.settings()) for _ in range(2)]
    now = time.time()
    assert await spend(one, 3, now, Mark("w0", 5, "")) is None
    assert await spend(other, 3, now, Mark("w1", 7, "")) is None
    await other.close()
    server.kill()
    server.start()
    began = time.monotonic()
    while True:
        try:
            assert await spend(one, 4, now, Mark("w0", 5, "", 6)) is None
            break
        except Refusal:
            await asyncio.sleep(0.05)
    assert 2 < time.monotonic() - began < 5
    await one.close()


def keys_of(server: Redis) -> dict[bytes, Any]:
    return {key: server.ask("DUMP", key) for key in server.ask("KEYS", "*")}


async def test_a_refused_group_changes_nothing_but_the_time(server: Redis) -> None:
    store = await opened(server.settings())
    now = time.time()
    assert await spend(store, 10, now) is None
    before = keys_of(server)
    asked = charge(1, 1, 2, request_id="a", fingerprint=b"x")
    [verdict] = await store.commit([asked], MARK, now)
    assert verdict.code == "budget_exhausted"
    after = keys_of(server)
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert changed <= {b"{jeton}:marks", b"{jeton}:state"}
    await store.close()
