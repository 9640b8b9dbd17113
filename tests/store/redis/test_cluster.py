"""A cluster: the right node for each key, slots on their way, a primary that dies."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.store.redis.load import Load, through
from tests.support.redis import Redis, answers
from tests.support.redis_deployments import Cluster
from vault.errors import Refusal
from vault.store.redis.link import Link, Script

pytestmark = [pytest.mark.system, pytest.mark.slow]

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
SLOTS = 16_384


@pytest.fixture
async def link(redis_cluster: Cluster) -> AsyncIterator[Link]:
    for node in redis_cluster.nodes:
        if node.info()["role"] == "master":
            node.ask("FLUSHALL")
    link = await Link.open(redis_cluster.settings(timeout=0.5))
    yield link
    await link.close()


def move(cluster: Cluster, key: str, source: Redis, target: Redis) -> None:
    """The slot of a key, as `redis-cli --cluster reshard` does it."""
    slot = source.ask("CLUSTER KEYSLOT", key)
    begin_move(cluster, slot, source, target)
    while keys := source.ask("CLUSTER GETKEYSINSLOT", slot, 10):
        source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
    for node in (target, source):
        node.ask("CLUSTER SETSLOT", slot, "NODE", cluster.name_of(target))


def begin_move(cluster: Cluster, slot: int, source: Redis, target: Redis) -> None:
    target.ask("CLUSTER SETSLOT", slot, "IMPORTING", cluster.name_of(source))
    source.ask("CLUSTER SETSLOT", slot, "MIGRATING", cluster.name_of(target))


def another(cluster: Cluster, owner: Redis) -> Redis:
    return next(n for n in cluster.nodes if n is not owner and n.info()["role"] == "master")


async def test_one_call_over_all_nodes(link: Link) -> None:
    calls = [([f"jt{{{n}}}"], [n]) for n in range(300)]
    assert await link.run_many(ADD, calls, writes=True) == list(range(300))
    reads = [("GET", f"jt{{{n}}}") for n in range(300)]
    assert await link.ask(reads) == [str(n).encode() for n in range(300)]
    assert len(link._topology.nodes()) == 3


async def test_a_slot_that_has_moved(link: Link, redis_cluster: Cluster) -> None:
    await link.run(ADD, ["jt{moved}"], [1], writes=True)
    owner = redis_cluster.owner_of("jt{moved}")
    target = another(redis_cluster, owner)
    await asyncio.to_thread(move, redis_cluster, "jt{moved}", owner, target)
    assert await link.run(ADD, ["jt{moved}"], [1], writes=True) == 2
    assert await link.ask([("GET", "jt{moved}")]) == [b"2"]
    assert target.ask("GET", "jt{moved}") == b"2"


async def test_a_slot_on_its_way(link: Link, redis_cluster: Cluster) -> None:
    """Old keys are still where they were, new ones go to the node that they will be on."""
    await link.run(ADD, ["jt{way}old"], [1], writes=True)
    owner = redis_cluster.owner_of("jt{way}")
    target = another(redis_cluster, owner)
    slot = owner.ask("CLUSTER KEYSLOT", "jt{way}")
    begin_move(redis_cluster, slot, owner, target)
    try:
        calls = [(["jt{way}old"], [1]), (["jt{way}new"], [5])]
        assert await link.run_many(ADD, calls, writes=True) == [2, 5]
        assert await link.run(ADD, ["jt{way}new"], [1], writes=True) == 6
        reads = [("GET", "jt{way}new"), ("GET", "jt{way}old"), ("GET", "jt{way}none")]
        assert await link.ask(reads) == [b"6", b"2", None]
        two = Script("return redis.call('MGET', KEYS[1], KEYS[2])")
        with pytest.raises(Refusal):  # half here, half there: not before the move is over
            await link.run(two, ["jt{way}old", "jt{way}new"], [], writes=False)
    finally:
        await asyncio.to_thread(move, redis_cluster, "jt{way}", owner, target)
    assert await answers(lambda: link.run(two, ["jt{way}old", "jt{way}new"], [], writes=False)) == [
        b"2",
        b"6",
    ]


async def test_slots_that_move_under_load_lose_nothing(link: Link, redis_cluster: Cluster) -> None:
    load = Load(link, "{jeton}moving")
    owner = redis_cluster.owner_of("{jeton}")

    def there_and_back() -> None:
        target = another(redis_cluster, owner)
        for _ in range(2):
            move(redis_cluster, "{jeton}", owner, target)
            move(redis_cluster, "{jeton}", target, owner)

    await through(load, there_and_back, lambda: redis_cluster.owner_of("{jeton}") is owner)
    assert await load.lost() == 0
    print(f"moved: {load.gap:.2f} s without, {len(load.acknowledged)} acknowledged")


async def test_a_primary_that_is_killed(link: Link, redis_cluster: Cluster) -> None:
    old = redis_cluster.owner_of("{jeton}")
    load = Load(link, "{jeton}killed")

    def replaced() -> bool:
        """By its only replica, which takes no write before it has one itself."""
        if redis_cluster.owner_of("{jeton}") is old:
            return False
        old.start()
        return True

    await through(load, old.kill, replaced)
    assert await load.lost() == 0
    assert load.gap < 10
    print(f"killed: {load.gap:.1f} s without service, {len(load.acknowledged)} acknowledged")
    other = next(
        key for n in range(100) if redis_cluster.owner_of(key := f"jt{{{n}}}") not in (old,)
    )
    assert await link.run(ADD, [other], [1], writes=True) == 1


async def test_the_others_go_on_while_one_is_away(link: Link, redis_cluster: Cluster) -> None:
    away = redis_cluster.owner_of("{jeton}")
    near = next(key for n in range(100) if redis_cluster.owner_of(key := f"jt{{{n}}}") is not away)
    away.freeze()
    try:
        for number in range(1, 6):
            with pytest.raises(Refusal):
                await link.run(ADD, ["{jeton}a"], [1], writes=True)
            assert await link.run(ADD, [near], [1], writes=True) == number
    finally:
        away.thaw()
