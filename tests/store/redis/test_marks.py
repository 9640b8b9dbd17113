"""Marks of machines that are gone: set aside, and there again for one that is back."""

import time

import msgspec
import pytest

from tests.store.contract import charge
from tests.support.redis import Redis
from vault.config import StoreSettings
from vault.errors import Refusal
from vault.store.base import Mark
from vault.store.redis.guard import RedisStore
from vault.store.redis.link import Link

pytestmark = pytest.mark.system


@pytest.fixture
def server(redis_server: Redis) -> Redis:
    redis_server.ask("FLUSHALL")
    return redis_server


async def opened(settings: StoreSettings) -> RedisStore:
    return await RedisStore.open(await Link.open(settings))


def age(server: Redis, writer: str, days: float) -> None:
    """As if it had last been heard of so long ago."""
    mark = msgspec.msgpack.decode(server.ask("HGET", "{jeton}:marks", writer))
    mark[3] -= days * 86_400
    server.ask("HSET", "{jeton}:marks", writer, msgspec.msgpack.encode(mark))


async def test_marks_of_machines_that_are_gone_are_not_read_each_second(server: Redis) -> None:
    """Names of pods are new ones each time: a year of them was read each second."""
    store = await opened(server.settings())
    now = time.time()
    writers = ("old-w0", "old-w1", "a-b-w0", "a-b-w1", "a-w0")
    marks = {writer: Mark(writer, 7, "ff", 8) for writer in writers}
    for writer in writers:
        [verdict] = await store.commit([charge(0)], Mark(writer, 7, "ff"), now)
        assert verdict.code is None
    reader = await opened(server.settings())
    assert (await reader.state()).marks == marks
    for writer, days in zip(writers, (1.1, 1.2, 0.9, 2.0, 1.5), strict=True):
        age(server, writer, days)
    await reader.state()
    staying = {writer: mark for writer, mark in marks.items() if writer.startswith("a-b-")}
    assert (await reader.state()).marks == staying  # one of that machine's was heard of
    again = await opened(server.settings())
    assert (await again.state()).marks == marks, "whoever starts is told all"
    assert (await again.state()).marks == staying
    with pytest.raises(Refusal, match="without its last charges"):
        await store.commit([charge(0)], Mark("old-w0", 9, "", 9), now)  # it is still known
    await store.set_mark(Mark("old-w0", 9, "ee"))
    back = {"old-w0": Mark("old-w0", 9, "ee", 8), "old-w1": marks["old-w1"]}
    assert (await reader.state()).marks == staying | back
    await reader.close()
    await store.close()
    await again.close()
