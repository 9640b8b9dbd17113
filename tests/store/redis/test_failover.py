"""A failover by Sentinel is followed, and takes nothing with it that was acknowledged."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.store.redis.load import Load, through
from tests.support.redis import CLIENT, VARIABLE, Redis, answers
from tests.support.redis_deployments import Replicated, cut_off
from vault.config import StoreSettings
from vault.errors import Refusal
from vault.store.redis.fence import GRACE, SILENT
from vault.store.redis.link import Link, Script

pytestmark = [pytest.mark.system, pytest.mark.slow]

PUT = Script("redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]")
LOOK = Script("return redis.call('GET', KEYS[1])")
NOT_HELD = "a replica that is there does not hold the write|too few replicas hold the write"
WITHOUT_SERVICE = 5.0
"""Seconds: what a failover may take, with sentinels that wait one second."""


@pytest.fixture
async def link(redis_replicated: Replicated) -> AsyncIterator[Link]:
    link = await Link.open(redis_replicated.settings(timeout=0.5))
    yield link
    await link.close()


def straight_to(server: Redis) -> StoreSettings:
    return server.settings(replicas=1, timeout=0.5)


async def test_a_primary_that_is_killed(link: Link, redis_replicated: Replicated) -> None:
    old = redis_replicated.primary
    load = Load(link, "{jeton}killed")
    await through(load, old.kill, lambda: redis_replicated.primary is not old)
    assert await load.lost() == 0
    assert len(load.acknowledged) > 100
    assert load.gap < WITHOUT_SERVICE
    print(f"killed: {load.gap:.1f} s without service, {len(load.acknowledged)} acknowledged")


async def test_a_primary_that_is_cut_off_with_its_clients(
    link: Link, redis_replicated: Replicated
) -> None:
    old = redis_replicated.primary
    stranded = await Link.open(straight_to(old))
    behind = Load(stranded, "{jeton}stranded")
    load = Load(link, "{jeton}followed")
    writing = asyncio.create_task(behind.run())
    try:
        await through(load, lambda: cut_off(old), lambda: redis_replicated.primary is not old)
    finally:
        writing.cancel()
        await asyncio.wait([writing])
    since = len(behind.acknowledged)
    assert await refused(stranded)
    assert behind.refusals, "the side that was cut off went on"
    assert load.gap < WITHOUT_SERVICE
    print(f"cut off: {load.gap:.1f} s without service, {len(load.acknowledged)} acknowledged")
    await asyncio.to_thread(redis_replicated.restore)
    # What the old primary acknowledged is on the new one, and what it took since is not: it
    # was refused.
    behind.link = link
    assert (await load.lost(), await behind.lost()) == (0, 0)
    assert since > 50
    await stranded.close()


async def refused(link: Link) -> bool:
    try:
        await link.run(PUT, ["{jeton}late"], [1], writes=True)
    except Refusal:
        return True
    return False


async def test_a_write_on_too_few_replicas_does_not_count(
    link: Link, redis_replicated: Replicated
) -> None:
    primary = redis_replicated.primary
    replicas = [one for one in redis_replicated.servers if one is not primary]
    await answers(lambda: link.run(PUT, ["{jeton}few"], [1], writes=True))
    await answers(lambda: link.run(LOOK, ["{jeton}few"], [], writes=True))
    for replica in replicas:
        replica.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(Refusal, match=NOT_HELD):
            await link.run(PUT, ["{jeton}few"], [2], writes=True)
        assert time.monotonic() - began < 1.0
        # Whoever only looks sees what the other one wrote: that does not count yet either.
        with pytest.raises(Refusal, match=NOT_HELD):
            await link.run(LOOK, ["{jeton}few"], [], writes=True)
        assert await link.run(LOOK, ["{jeton}few"], [], writes=False) == b"2"
    finally:
        for replica in replicas:
            replica.thaw()
    await answers(lambda: link.run(PUT, ["{jeton}few"], [3], writes=True))


async def test_one_replica_of_two_is_enough_for_one_once_the_other_is_known_to_be_gone(
    link: Link, redis_replicated: Replicated
) -> None:
    primary = redis_replicated.primary
    replica = next(one for one in redis_replicated.servers if one is not primary)
    both = await Link.open(
        redis_replicated.settings(timeout=0.5, replicas=2, accept=("no-min-replicas",))
    )
    await link.run(PUT, ["{jeton}one"], [0], writes=True)
    replica.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(Refusal, match="a replica that is there does not hold the write"):
            await link.run(PUT, ["{jeton}one"], [1], writes=True)
        await answers(lambda: link.run(PUT, ["{jeton}one"], [1], writes=True))
        assert time.monotonic() - began < SILENT + 1 + GRACE + 2
        with pytest.raises(Refusal):
            await both.run(PUT, ["{jeton}one"], [2], writes=True)
    finally:
        replica.thaw()
        await both.close()


async def test_a_failover_that_an_operator_asks_for(
    link: Link, redis_replicated: Replicated
) -> None:
    """The old primary goes on with the other replica for a while, and all of that is lost."""
    old = redis_replicated.primary
    load = Load(link, "{jeton}asked")
    await through(load, redis_replicated.switch, lambda: redis_replicated.primary is not old)
    await asyncio.to_thread(redis_replicated.await_whole)
    assert await load.lost() == 0
    assert load.gap < WITHOUT_SERVICE
    print(f"asked for: {load.gap:.1f} s without service, {len(load.acknowledged)} acknowledged")
    evalsha = redis_replicated.primary.ask("INFO", "commandstats")["cmdstat_evalsha"]
    assert evalsha["failed_calls"] >= 1  # the script was not there, and was loaded


async def test_a_replica_that_is_gone_stops_writes_until_no_sentinel_knows_more(
    link: Link, redis_replicated: Replicated
) -> None:
    await link.run(PUT, ["{jeton}gone"], [1], writes=True)
    primary = redis_replicated.primary
    gone = next(one for one in redis_replicated.servers if one is not primary)
    gone.kill()
    with pytest.raises(Refusal, match="a replica has left"):
        await link.run(PUT, ["{jeton}gone"], [2], writes=True)
    began = time.monotonic()
    await answers(lambda: link.run(PUT, ["{jeton}gone"], [3], writes=True))
    assert time.monotonic() - began < GRACE + 2


async def test_a_sentinel_that_was_left_behind_is_not_believed(
    link: Link, redis_replicated: Replicated
) -> None:
    old = redis_replicated.primary
    *others, left = redis_replicated.sentinels
    left.freeze()
    await asyncio.to_thread(redis_replicated.switch)
    await answers(lambda: link.run(PUT, ["{jeton}left"], [1], writes=True))
    for sentinel in others:
        sentinel.freeze()
    left.thaw()
    try:
        assert await asyncio.to_thread(lambda: _named_by(left)) in (old.port, _port(link))
        for number in range(20):
            await link.run(PUT, ["{jeton}left"], [number], writes=True)
            await asyncio.sleep(0.05)
        assert _port(link) != old.port
    finally:
        for sentinel in others:
            sentinel.thaw()


def _named_by(sentinel: Redis) -> int:
    return int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "jeton")[1])


def _port(link: Link) -> int:
    [node] = link._topology.nodes()
    return node.host[1]


async def test_the_url_may_name_one_sentinel_that_is_away(redis_replicated: Replicated) -> None:
    right = redis_replicated.settings()
    hosts = right.url.partition("@")[2].partition("/")[0].split(",")
    url = f"redis+sentinel://{CLIENT}@127.0.0.1:1,{hosts[0]}/jeton"
    link = await Link.open(StoreSettings(url=url, password=f"env:{VARIABLE}", timeout=2.0))
    assert await link.run(PUT, ["{jeton}a"], [1], writes=True) == b"1"
    await link.close()
