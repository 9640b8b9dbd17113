"""A link to one real server: answers, deadlines, what is sent twice, what being away does."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.redis import Redis, eventually
from tests.support.redis import answers as once_answered
from vault.errors import Refusal, SetUpError
from vault.store.redis.link import Link, Script
from vault.store.redis.node import WAITING

pytestmark = pytest.mark.system

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
READ = Script("return redis.call('GET', KEYS[1])")
READ = Script("return redis.call('GET', KEYS[1])")
DEADLINE = 0.4
SLACK = 1.0
"""For a busy machine; far less than a second deadline."""

News = list[tuple[str, Any]]


@pytest.fixture
def proxy(redis_server: Redis) -> Iterator[FaultProxy]:
    with FaultProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def news() -> News:
    return []


@pytest.fixture
async def link(redis_server: Redis, proxy: FaultProxy, news: News) -> AsyncIterator[Link]:
    redis_server.ask("FLUSHALL")
    settings = redis_server.settings(timeout=DEADLINE)
    through = type(settings)(url=f"redis://127.0.0.1:{proxy.port}", timeout=DEADLINE, replicas=0)
    link = await Link.open(through, lambda name, facts: news.append((name, facts)))
    yield link
    await link.close()


async def refused(
    link: Link, script: Script = ADD, *, writes: bool = True
) -> tuple[Refusal, float]:
    began = time.monotonic()
    with pytest.raises(Refusal) as refused:
        await link.run(script, ["{jeton}a"], [1], writes=writes)
    assert refused.value.code == "store_unavailable"
    assert refused.value.retry_after == 1
    assert "{jeton}" not in refused.value.detail
    return refused.value, time.monotonic() - began


async def answers(link: Link) -> None:
    await once_answered(lambda: link.ask([("GET", "{jeton}a")]))


async def open_breaker(link: Link) -> None:
    async with asyncio.timeout(10):
        while "is away" not in (await refused(link))[0].detail:
            pass


async def test_scripts_and_reads_in_the_order_of_the_calls(link: Link) -> None:
    assert await link.run(ADD, ["{jeton}a"], [3], writes=True) == 3
    calls = [([f"jt{{{n}}}"], [n]) for n in range(200)]
    assert await link.run_many(ADD, calls, writes=True) == list(range(200))
    reads = [("GET", f"jt{{{n}}}") for n in range(200)]
    assert await link.ask(reads) == [str(n).encode() for n in range(200)]
    assert await link.run_many(ADD, [], writes=True) == await link.ask([]) == []


async def test_callers_at_once_get_their_own_answers(link: Link) -> None:
    keys = [f"jt{{{n}}}" for n in range(500)]
    writes = (link.run(ADD, [key], [n], writes=True) for n, key in enumerate(keys))
    assert await asyncio.gather(*writes) == list(range(500))


async def test_scripts_come_back_after_they_were_forgotten(link: Link, redis_server: Redis) -> None:
    await link.run(ADD, ["{jeton}a"], [1], writes=True)
    redis_server.ask("SCRIPT FLUSH")
    assert await link.run(ADD, ["{jeton}a"], [1], writes=True) == 2
    redis_server.ask("SCRIPT FLUSH")
    calls = [([f"jt{{{n}}}"], [n]) for n in range(10)]
    assert await link.run_many(ADD, calls, writes=True) == list(range(10))


async def test_an_error_of_a_script_shows_no_key(link: Link) -> None:
    wrong = Script("return redis.call('HGET', KEYS[1], 'x')")
    await link.run(ADD, ["{jeton}a"], [1], writes=True)
    refusal, _ = await refused(link, wrong)
    assert refusal.detail == "the store answers with an error (WRONGTYPE)"
    assert await link.run(ADD, ["{jeton}a"], [1], writes=True) == 2


async def test_a_full_memory_is_said(link: Link, redis_server: Redis) -> None:
    redis_server.set(maxmemory=1)
    try:
        assert (await refused(link))[0].detail == "the store's memory is full"
    finally:
        redis_server.set(maxmemory=0)


async def test_half_a_second_of_delay_is_refused_at_the_deadline(
    link: Link, proxy: FaultProxy, redis_server: Redis
) -> None:
    proxy.delay = 0.5
    refusal, seconds = await refused(link)
    assert "store.timeout" in refusal.detail
    assert DEADLINE - 0.05 < seconds < DEADLINE + SLACK
    proxy.heal()
    await answers(link)
    assert redis_server.ask("GET", "{jeton}a") in (None, b"1")


async def test_a_black_hole_is_refused_at_the_deadline_and_then_at_once(
    link: Link, proxy: FaultProxy, news: News
) -> None:
    await link.check()
    proxy.black_hole = True
    _, seconds = await refused(link)
    assert seconds < DEADLINE + SLACK
    began = time.monotonic()
    with pytest.raises(Refusal):
        await link.check()
    assert time.monotonic() - began < DEADLINE + SLACK
    await open_breaker(link)
    with pytest.raises(Refusal, match="the store is away"):
        await link.check()
    assert ("store_away", {}) in news
    _, seconds = await refused(link)
    assert seconds < DEADLINE / 2
    proxy.heal()
    await answers(link)
    assert ("store_back", {}) in news


async def test_a_server_that_is_away_leaves_memory_flat(
    link: Link, proxy: FaultProxy, news: News
) -> None:
    proxy.black_hole = True
    await open_breaker(link)
    tasks = len(asyncio.all_tasks())

    async def away(calls: int) -> int:
        """The process's memory after so many of them, in bytes."""
        for _ in range(calls):
            with suppress(Refusal):
                await link.run(ADD, ["{jeton}a"], [1], writes=True)
                pytest.fail("answered through a black hole")
        news.clear()
        gc.collect()
        return psutil.Process().memory_info().rss

    before = await away(10_000)  # what is told of them takes room too
    began = time.monotonic()
    after = await away(10_000)
    assert time.monotonic() - began < 10
    assert after - before < 1024 * 1024
    assert len(asyncio.all_tasks()) <= tasks + 2


async def test_so_many_may_wait_and_no_more(link: Link, proxy: FaultProxy) -> None:
    proxy.black_hole = True
    began = time.monotonic()
    calls = (link.run(ADD, ["{jeton}a"], [1], writes=True) for _ in range(3 * WAITING))
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert time.monotonic() - began < 10 * DEADLINE  # three thousand on a busy machine
    assert all(isinstance(one, Refusal) for one in done)
    told = [one.detail for one in done if isinstance(one, Refusal)]
    assert sum("too many" in detail for detail in told) >= WAITING
    proxy.heal()
    await answers(link)


@pytest.fixture
async def patient(redis_server: Redis, proxy: FaultProxy) -> AsyncIterator[Link]:
    """A link whose calls end by what happens, not by their deadline."""
    redis_server.ask("FLUSHALL")
    settings = redis_server.settings()
    through = type(settings)(url=f"redis://127.0.0.1:{proxy.port}", timeout=60, replicas=0)
    link = await Link.open(through)
    yield link
    await link.close()


async def lost_on_the_way(
    proxy: FaultProxy, server: Redis, call: Callable[[], Awaitable[object]]
) -> object:
    """What comes of a call whose script has run, and whose answer is lost with its connection."""

    def run() -> int:
        return int(server.ask("INFO", "commandstats")["cmdstat_evalsha"]["calls"])

    await call()
    proxy.mute()
    before = await asyncio.to_thread(run)
    asked = asyncio.ensure_future(call())
    await eventually(lambda: run() > before, "the script has run")
    proxy.cut()
    proxy.heal()
    return await asked


async def test_a_write_that_was_lost_on_the_way_is_not_sent_again(
    patient: Link, proxy: FaultProxy, redis_server: Redis
) -> None:
    with pytest.raises(Refusal, match="is not known"):
        await lost_on_the_way(
            proxy, redis_server, lambda: patient.run(ADD, ["{jeton}a"], [1], writes=True)
        )
    await answers(patient)
    assert redis_server.ask("GET", "{jeton}a") == b"2"


async def test_a_read_that_was_lost_on_the_way_is_sent_once_more(
    patient: Link, proxy: FaultProxy, redis_server: Redis
) -> None:
    redis_server.ask("SET", "{jeton}a", "7")
    read = lost_on_the_way(
        proxy, redis_server, lambda: patient.run(READ, ["{jeton}a"], [], writes=False)
    )
    assert await read == b"7"


async def test_a_restarted_server_is_found_again_with_all_that_it_acknowledged(
    link: Link, redis_server: Redis
) -> None:
    assert await link.run(ADD, ["{jeton}a"], [5], writes=True) == 5
    redis_server.kill()
    await refused(link)
    redis_server.start()
    await answers(link)
    assert await link.run(ADD, ["{jeton}a"], [1], writes=True) == 6


async def test_whoever_gives_up_leaves_the_others_their_answers(link: Link) -> None:
    calls = [
        asyncio.create_task(link.run(ADD, [f"jt{{{n}}}"], [n], writes=True)) for n in range(50)
    ]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    rest = await asyncio.gather(*calls, return_exceptions=True)
    assert rest[1::2] == list(range(1, 50, 2))
    assert all(isinstance(one, asyncio.CancelledError) for one in rest[::2])


async def test_nobody_there_at_the_start(redis_server: Redis, proxy: FaultProxy) -> None:
    settings = type(redis_server.settings())(
        url=f"redis://127.0.0.1:{proxy.port}", timeout=DEADLINE, replicas=0
    )
    proxy.cut()
    with pytest.raises(SetUpError, match=r"^store\.url: "):
        await Link.open(settings)
    proxy.heal()
    proxy.black_hole = True
    with pytest.raises(SetUpError, match="does not answer"):
        await Link.open(settings)
