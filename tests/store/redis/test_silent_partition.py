"""A partition that nobody sees: links swallow what is sent, and no connection breaks.

Primary, one replica and a client are on one side; the other replica and the sentinels, which
promote it, on the other. Every server has a proxy before it that lets nothing through from the
other side: who connects is told apart by the address that it comes from.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.store.redis.load import Load
from tests.support.fault_proxy import FaultProxy
from tests.support.ports import free_port
from tests.support.redis import Redis, eventually, until
from tests.support.redis_deployments import DOWN_AFTER, HASTE, SERVICE
from vault.config import StoreSettings
from vault.store.redis.fence import UNHEARD
from vault.store.redis.link import Link

pytestmark = [pytest.mark.system, pytest.mark.slow]

NEAR, FAR, WATCHING = "127.0.0.2", "127.0.0.3", "127.0.0.4"
"""Where the two replicas and the sentinels come from. The client is 127.0.0.1."""


@dataclass
class Divided:
    """`servers`: the primary, the replica on its side, the one on the other."""

    servers: list[Redis]
    sentinels: list[Redis]
    doors: list[FaultProxy]
    """Of the servers, and then of the sentinels, for the client alone."""

    def settings(self) -> StoreSettings:
        hosts = ",".join(f"127.0.0.1:{door.port}" for door in self.doors[3:])
        return StoreSettings(url=f"redis+sentinel://{hosts}/{SERVICE}", timeout=0.5)

    def divide(self) -> None:
        primary, near, _, *sentinels = self.doors
        primary.swallow(FAR)
        primary.swallow(WATCHING)
        near.swallow(WATCHING)
        for door in sentinels:
            door.black_hole = True

    def promoted(self) -> bool:
        told = self.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(told[1]) == self.doors[2].port and self.servers[2].info()["role"] == "master"

    def whole(self) -> bool:
        views = {
            int(one.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])
            for one in self.sentinels
        }
        masters = [one for one in self.servers if one.info()["role"] == "master"]
        if len(views) != 1 or len(masters) != 1:
            return False
        [facts] = [one.info() for one in masters]
        replicas = [facts.get(f"slave{number}", {"offset": 0}) for number in range(2)]
        return all(one["offset"] > 1 for one in replicas)


@pytest.fixture
def divided(tmp_path: Path) -> Iterator[Divided]:
    with ExitStack() as stack:
        servers, doors = [], []
        for number, source in enumerate(("127.0.0.1", NEAR, FAR)):
            door = FaultProxy(port := free_port())
            doors.append(stack.enter_context(door))
            config = {
                "min-replicas-to-write": "1",
                "min-replicas-max-lag": "10",
                "repl-ping-replica-period": "1",
                "bind-source-addr": source,
                "replica-announce-ip": "127.0.0.1",
                "replica-announce-port": str(door.port),
            }
            if number:
                config["replicaof"] = f"127.0.0.1 {doors[0].port}"
            servers.append(Redis(tmp_path / f"server-{number}", config, port))
            stack.callback(servers[-1].kill)
            servers[-1].start()
        sentinels = [_sentinel(tmp_path, doors, number) for number in range(3)]
        for one in sentinels:
            stack.callback(one.kill)
            one.start()
            one.ask("SENTINEL", "DEBUG", *HASTE)
            doors.append(stack.enter_context(FaultProxy(one.port)))
        until(lambda: all(map(_knows_all, sentinels)), "sentinels know each other and all servers")
        made = Divided(servers, sentinels, doors)
        until(made.whole, "all servers replicate")
        yield made


def _sentinel(folder: Path, doors: list[FaultProxy], number: int) -> Redis:
    lines = [
        f"myid {secrets.token_hex(20)}",
        "announce-ip 127.0.0.1",
        f"monitor {SERVICE} 127.0.0.1 {doors[0].port} 2",
        f"down-after-milliseconds {SERVICE} {DOWN_AFTER}",
        f"failover-timeout {SERVICE} 3000",
        f"parallel-syncs {SERVICE} 2",
    ]
    config = {"bind-source-addr": WATCHING, "sentinel": "\nsentinel ".join(lines)}
    return Redis(folder / f"sentinel-{number}", config, program="redis-sentinel")


def _knows_all(sentinel: Redis) -> bool:
    told = sentinel.ask("SENTINEL", "MASTER", SERVICE)
    return bool(told[b"num-other-sentinels"] == told[b"num-slaves"] == b"2")


@pytest.fixture
async def load(divided: Divided) -> AsyncIterator[Load]:
    link = await Link.open(divided.settings())
    yield Load(link, "{jeton}silent")
    await link.close()


async def test_nothing_acknowledged_is_lost(divided: Divided, load: Load) -> None:
    task = asyncio.create_task(load.run())
    try:
        await eventually(lambda: len(load.acknowledged) > 200, "writes count")
        divided.divide()
        cut, before = time.monotonic(), load.sent
        await eventually(divided.promoted, "the other replica is promoted")
        await eventually(lambda: load.sent > before + 20, "writes are tried")
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert load.asked < cut + 0.2, "a write that only one side has was acknowledged"
    assert any("does not hold the write" in words for words in load.refusals)
    for door in divided.doors:
        door.heal()
    await asyncio.to_thread(until, divided.whole, "the two sides are one again", 30)
    other = await Link.open(divided.settings())
    load.link, mine = other, load.link
    assert await load.lost() == 0
    load.link = mine
    await other.close()
    print(f"{len(load.acknowledged)} acknowledged, {load.sent - len(load.acknowledged)} refused")


async def test_without_one_of_its_replicas_a_primary_needs_the_sentinels(
    divided: Divided, load: Load
) -> None:
    """They may have promoted the missing one: whoever does not hear them stops before."""
    task = asyncio.create_task(load.run())
    try:
        await eventually(lambda: len(load.acknowledged) > 50, "writes count")
        divided.servers[2].kill()
        await eventually(lambda: bool(load.refusals), "writes are refused")
        before = len(load.acknowledged)
        await eventually(lambda: len(load.acknowledged) > before + 50, "writes count again")
        for door in divided.doors[3:]:
            door.black_hole = True
        cut, before = time.monotonic(), len(load.acknowledged)
        await eventually(lambda: UNHEARD in load.refusals, "writes are refused")
        assert time.monotonic() < cut + DOWN_AFTER / 1000
        assert len(load.acknowledged) > before
    finally:
        task.cancel()
        await asyncio.wait([task])
