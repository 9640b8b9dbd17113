"""Failovers under load: no acknowledged token is lost, none opens to another index, no index has
two. The seconds without service are printed, and bounded.

Clients come through the sentinels or the cluster, and some are left on the primary that is cut
off, with a link straight to it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from tests.store.token_writers import SPACE, Journal, check, write
from tests.store.tokens_contract import check_whole
from tests.support.redis import Redis, until
from tests.support.redis_deployments import Cluster, Replicated, cut_off, heal
from vault.config import StoreSettings
from vault.errors import SetUpError
from vault.store import open_tokens

LONG = settings.default.max_examples > 1_000
ROUNDS = 10 if LONG else 1
POOL = 1_000_000
WITHOUT_SERVICE = 5.0

pytestmark = [pytest.mark.system, pytest.mark.slow]


@asynccontextmanager
async def load(*stores: tuple[StoreSettings, Journal]) -> AsyncIterator[None]:
    """Three writers on each store, single and in batches, as long as it lasts."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        writers = []
        for store, journal in stores:
            opened = await open_tokens(store, Path())
            stack.push_async_callback(opened.close)
            writers += [
                group.create_task(write(opened, journal, POOL, batch)) for batch in (1, 1, 30)
            ]
        try:
            yield
        finally:
            for writer in writers:
                writer.cancel()


async def goes_on(journal: Journal, calls: int = 30) -> None:
    """Wait until so many more calls were acknowledged."""
    enough = len(journal.times) + calls
    await asyncio.to_thread(until, lambda: len(journal.times) >= enough, "calls are acknowledged")


async def checked(store: StoreSettings, journal: Journal, what: str) -> None:
    tokens = await open_tokens(store, Path())
    await check(tokens, journal)
    await check_whole(tokens, SPACE)
    await tokens.close()
    print(f"{what}: {len(journal.tokens)} tokens, {journal.gap:.2f} s without service")
    assert journal.gap < WITHOUT_SERVICE


async def promoted(replicated: Replicated, before: Redis) -> None:
    await asyncio.to_thread(until, lambda: replicated.primary is not before, "a failover")


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_the_primary_is_cut_off_with_clients_left_on_it(
    redis_replicated: Replicated, round_: int
) -> None:
    before = redis_replicated.primary
    straight = before.settings(replicas=1, timeout=0.5)
    journal, left_on = Journal(), Journal()
    async with load((redis_replicated.settings(timeout=0.5), journal), (straight, left_on)):
        await goes_on(journal)
        await goes_on(left_on)
        await asyncio.to_thread(cut_off, before)
        cut = time.monotonic()
        await promoted(redis_replicated, before)
        await goes_on(journal)
        refused = left_on.refused
        await asyncio.to_thread(until, lambda: left_on.refused > refused, "writes are refused")
        await asyncio.to_thread(heal, before)
        await asyncio.to_thread(redis_replicated.await_whole)
        await goes_on(journal)
    assert max(left_on.times) < cut + 0.5, "a write on the cut-off side was acknowledged"
    both = Journal()
    for one in (journal, left_on):
        both.add(one.tokens.items())
    both.twice += journal.twice + left_on.twice
    both.gap = journal.gap
    await checked(redis_replicated.settings(), both, "cut off")


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_the_primary_is_killed(redis_replicated: Replicated, round_: int) -> None:
    before, journal = redis_replicated.primary, Journal()
    async with load((redis_replicated.settings(timeout=0.5), journal)):
        await goes_on(journal)
        await asyncio.to_thread(before.kill)
        await promoted(redis_replicated, before)
        await goes_on(journal)
        await asyncio.to_thread(before.start)
        await asyncio.to_thread(redis_replicated.await_whole)
        await goes_on(journal)
    await checked(redis_replicated.settings(), journal, "killed")


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_a_primary_of_a_cluster_is_killed(redis_cluster: Cluster, round_: int) -> None:
    before, journal = redis_cluster.owner_of("jt{0}"), Journal()
    async with load((redis_cluster.settings(timeout=0.5), journal)):
        await goes_on(journal)
        await asyncio.to_thread(before.kill)
        await asyncio.to_thread(
            until, lambda: redis_cluster.owner_of("jt{0}") is not before, "a failover"
        )
        await goes_on(journal)
        await asyncio.to_thread(before.start)
        await asyncio.to_thread(redis_cluster.await_whole)
        await goes_on(journal)
    await checked(redis_cluster.settings(), journal, "killed in a cluster")


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_slots_of_a_cluster_are_moved(redis_cluster: Cluster, round_: int) -> None:
    journal = Journal()
    async with load((redis_cluster.settings(timeout=0.5), journal)):
        await goes_on(journal)
        for partition in range(8):
            await asyncio.to_thread(move, redis_cluster, f"jt{{{partition}}}")
            await goes_on(journal, 3)
        await goes_on(journal)
    await checked(redis_cluster.settings(), journal, "slots moved")


def move(cluster: Cluster, key: str) -> None:
    """The slot of a key to the next primary, as `redis-cli --cluster reshard` does it."""
    source = cluster.owner_of(key)
    primaries = [node for node in cluster.nodes if node.info()["role"] == "master"]
    target = primaries[(primaries.index(source) + 1) % len(primaries)]
    slot = source.ask("CLUSTER", "KEYSLOT", key)
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.name_of(source))
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.name_of(target))
    while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 20):
        source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
    for node in (target, source):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", cluster.name_of(target))


async def test_without_min_replicas_nothing_starts(redis_replicated: Replicated) -> None:
    """What loses most acknowledged writes in a partition is refused at the start."""
    primary = redis_replicated.primary
    primary.set(min_replicas_to_write=0)
    try:
        with pytest.raises(SetUpError, match="no-min-replicas"):
            await open_tokens(redis_replicated.settings(), Path())
    finally:
        primary.set(min_replicas_to_write=1)
