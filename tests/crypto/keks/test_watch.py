"""How long keys may be used whose KEK is away."""

import asyncio

import pytest

from vault.crypto.keks.watch import KekWatch, News
from vault.errors import SetUpError


class Kek:
    def __init__(self) -> None:
        self.there = True
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if not self.there:
            raise SetUpError("away")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_keys_may_be_used_so_long_and_no_longer() -> None:
    kek, clock = Kek(), Clock()
    news: list[News] = []
    watch = KekWatch(kek, 60.0, news.append, clock)
    kek.there = False
    clock.now = 60.0
    await watch.look()
    await watch.look()
    assert watch.trouble is None
    clock.now = 60.1
    trouble = watch.trouble
    assert trouble is not None
    assert trouble.code == "keys_unavailable"
    kek.there = True
    await watch.look()
    assert watch.trouble is None
    assert news == ["away", "back"]
    clock.now = 120.1
    assert watch.trouble is None
    clock.now = 120.2
    assert watch.trouble is not None
    watch.renew(kek, 60.0)  # what was just opened was just had
    assert watch.trouble is None


async def test_nothing_is_asked_where_nothing_is_said() -> None:
    kek, clock = Kek(), Clock()
    watch = KekWatch(kek, None, lambda _: None, clock)
    watch.start()
    clock.now = 1e9
    assert watch.trouble is None
    await watch.close()
    assert kek.asked == 0


@pytest.mark.parametrize("within", [0.08, 0.8])
async def test_it_asks_by_itself(within: float) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    watch = KekWatch(lambda: loop.call_soon_threadsafe(asked.set), within, lambda _: None)
    watch.start()
    await asyncio.wait_for(asked.wait(), 10)
    await watch.close()


async def test_whatever_opening_fails_by_it_is_tried_again() -> None:
    """It ended the watch, and with it the service once the time was over."""
    kek, clock, news = Kek(), Clock(), list[News]()
    back = asyncio.Event()

    def opening() -> None:
        if not kek.there:
            raise KeyError("nobody thought of this")

    def tell(one: News) -> None:
        news.append(one)
        if one == "away":
            kek.there = True
        else:
            back.set()

    watch = KekWatch(opening, 0.08, tell, clock)
    kek.there = False
    watch.start()
    async with asyncio.timeout(10):
        await back.wait()
    assert news == ["away", "back"]
    await watch.close()
