"""Vaulted tokens with several processes, and with processes and servers that die."""

import asyncio
import random
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings

from tests.store.token_writers import SPACE, Journal, check, start, write
from tests.store.tokens_contract import check_whole
from tests.support.redis import Redis, until
from vault.config import StoreSettings
from vault.store import open_tokens

LONG = settings.default.max_examples > 1_000
ROUNDS = 20 if LONG else 3


def sqlite(folder: Path) -> StoreSettings:
    return StoreSettings(url=f"sqlite:{folder / 'jeton.db'}")


async def look(store: StoreSettings, journal: Journal) -> int:
    """Check what was acknowledged and all there is; returns how many tokens there are."""
    tokens = await open_tokens(store, Path())
    await check(tokens, journal)
    standing = await check_whole(tokens, SPACE)
    await tokens.close()
    return len(standing)


def more_than(journal: Journal, times: int) -> bool:
    return len(journal.times) > times


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@pytest.mark.slow
def test_a_thousand_racing_creations_of_ten_values(
    kind: str, tmp_path: Path, redis_server: Redis
) -> None:
    """Four processes, which also race to make the file."""
    redis_server.ask("FLUSHALL")
    store = sqlite(tmp_path) if kind == "sqlite" else redis_server.settings()
    journals = [tmp_path / f"journal-{number}" for number in range(4)]
    writers = [start(store, path, pool=10, batch=1, calls=250) for path in journals]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    journal = Journal()
    for path in journals:
        journal.read(path)
    assert len(journal.tokens) == 10
    assert asyncio.run(look(store, journal)) == 10


@pytest.mark.slow
def test_killed_in_the_middle_of_sqlite(tmp_path: Path) -> None:
    """Two processes under load, killed at a random instant, again and again on one file."""
    store, journal = sqlite(tmp_path), Journal()
    for number in range(ROUNDS):
        paths = [tmp_path / f"journal-{number}-{each}" for each in range(2)]
        writers = [start(store, path, pool=20_000, batch=1 + 40 * each)
                   for each, path in enumerate(paths)]  # fmt: skip
        until(lambda paths=paths: all(p.exists() and p.stat().st_size for p in paths), "writing")
        time.sleep(random.uniform(0, 0.2))
        for writer in writers:
            writer.kill()
        for writer in writers:
            writer.wait(10)
        for path in paths:
            journal.read(path)
        assert asyncio.run(look(store, journal)) >= len(journal.tokens)


@pytest.mark.slow
async def test_killed_in_the_middle_of_redis(tmp_path: Path) -> None:
    """The server, with `appendfsync always`, at a random instant under load."""
    server, journal = Redis(tmp_path / "redis").start(), Journal()
    try:
        for _ in range(ROUNDS):
            stores = [await open_tokens(server.settings(timeout=0.5), Path()) for _ in range(2)]
            async with asyncio.TaskGroup() as group:
                writers = [
                    group.create_task(write(store, journal, 20_000, batch))
                    for store in stores
                    for batch in (1, 1, 40)
                ]
                enough = len(journal.times) + 5
                await asyncio.to_thread(until, partial(more_than, journal, enough), "writing")
                await asyncio.sleep(random.uniform(0, 0.2))
                await asyncio.to_thread(server.kill)
                for writer in writers:
                    writer.cancel()
            for store in stores:
                await store.close()  # else what was on its way would still come
            await asyncio.to_thread(server.start)
            assert await look(server.settings(), journal) >= len(journal.tokens)
    finally:
        server.kill()


@pytest.mark.slow
async def test_an_append_only_file_that_ends_anywhere(tmp_path: Path) -> None:
    """As a power cut leaves it: a change is there in both directions, or not at all."""
    server, journal = Redis(tmp_path / "redis").start(), Journal()
    try:
        store = await open_tokens(server.settings(), Path())
        await write(store, journal, pool=1_000, batch=5, calls=3)
        await store.erase(SPACE, list(journal.tokens.values())[:5])
        await store.close()
        server.kill()
        [file] = (server.folder / "appendonlydir").glob("*.incr.aof")
        whole = file.read_bytes()
        for _ in range(10 * ROUNDS if LONG else ROUNDS):
            file.write_bytes(whole[: random.randrange(len(whole))])
            await asyncio.to_thread(server.start)
            assert await look(server.settings(), Journal()) <= len(journal.tokens)
            server.kill()
    finally:
        server.kill()
