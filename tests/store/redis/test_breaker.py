"""The breaker alone: when it opens, what it asks meanwhile, when it closes."""

import asyncio
from collections.abc import Callable

import pytest

from vault.errors import Refusal, SetUpError
from vault.store.redis import breaker as module
from vault.store.redis.breaker import FAILURES, Breaker


class Away:
    """A server that is away until it is told otherwise."""

    def __init__(self) -> None:
        self.back = False
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0

    async def probe(self) -> None:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if not self.back:
            raise SetUpError("it has no disk\nsecond line")


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.001)


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not there():  # noqa: ASYNC110 - the breaker has no event for it, and needs none
            await asyncio.sleep(0.001)


async def test_it_opens_after_failures_in_a_row_only() -> None:
    changes: list[bool] = []
    breaker = Breaker(Away().probe, changes.append)
    for _ in range(FAILURES - 1):
        breaker.failed("slow")
    breaker.succeeded()
    for _ in range(FAILURES - 1):
        breaker.failed("slow")
    breaker.admit()
    assert changes == []
    breaker.failed("slow")
    with pytest.raises(Refusal, match="the store is away: slow") as refused:
        breaker.admit()
    assert (refused.value.code, refused.value.retry_after) == ("store_unavailable", 1)
    assert changes == [True]
    await breaker.close()
    assert changes == [True, False]


async def test_one_probe_at_a_time_closes_it_and_says_why_not() -> None:
    server, changes = Away(), list[bool]()
    breaker = Breaker(server.probe, changes.append)
    for _ in range(FAILURES * 10):
        breaker.failed("slow")
    await until(lambda: server.asked >= 3)
    with pytest.raises(Refusal, match=r"away: it has no disk$"):
        breaker.admit()
    server.back = True
    await until(lambda: not breaker.open)
    breaker.admit()
    assert (server.most_at_once, changes) == (1, [True, False])


async def test_after_a_recovery_one_failure_opens_it_until_a_call_came_through() -> None:
    server = Away()
    server.back = True
    breaker = Breaker(server.probe, lambda _: None)
    for _ in range(FAILURES):
        breaker.failed("slow")
    await until(lambda: not breaker.open)
    breaker.failed("slow")
    assert breaker.open
    await until(lambda: not breaker.open)
    breaker.succeeded()
    breaker.failed("slow")
    assert not breaker.open


async def test_closed_for_good_it_asks_nobody() -> None:
    server = Away()
    breaker = Breaker(server.probe, lambda _: None)
    await breaker.close()
    for _ in range(FAILURES):
        breaker.failed("slow")
    assert not breaker.open
