"""Whole Redis deployments for tests: a primary with replicas and sentinels, a cluster.

Both start from files that say what they would otherwise find out by gossip, so they are there
within two or three seconds. `cut_off` is a partition that leaves clients connected: the users
of replicas and sentinels are switched off on one server.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.exceptions import ResponseError

from tests.support.ports import free_port
from tests.support.redis import (
    CLIENT,
    PASSWORD,
    REPLICATOR,
    VARIABLE,
    WATCHER,
    Redis,
    until,
    users,
)
from vault.config import StoreSettings

SERVICE = "jeton"
DOWN_AFTER = 1_000
"""Milliseconds until a sentinel takes a silent server for dead."""
HASTE = ("PUBLISH-PERIOD", 500, "INFO-PERIOD", 1_000, "MIN-LINK-RECONNECT-PERIOD", 500)
"""What else a sentinel does every so many milliseconds; lost again when it is started anew."""
NODE_TIMEOUT = 1_500
SLOTS = 16_384


def cut_off(server: Redis) -> None:
    """From its replicas and sentinels, both ways; clients stay."""
    for user in (REPLICATOR, WATCHER):
        server.ask("ACL", "SETUSER", user, "off")
        server.ask("CLIENT", "KILL", "USER", user)
    server.ask("CLIENT", "KILL", "TYPE", "replica")


def heal(server: Redis) -> None:
    for user in (REPLICATOR, WATCHER):
        server.ask("ACL", "SETUSER", user, "on")
    server.ask("CLIENT", "KILL", "TYPE", "normal")  # sentinels that could not say who they are


@dataclass
class Replicated:
    """One primary and its replicas, watched by sentinels; who is the primary changes."""

    folder: Path
    replicas: int = 2
    min_replicas: int = 1
    servers: list[Redis] = field(default_factory=list)
    sentinels: list[Redis] = field(default_factory=list)

    def start(self) -> "Replicated":
        common = users() | {
            "min-replicas-to-write": str(self.min_replicas),
            "min-replicas-max-lag": "10",
            "repl-ping-replica-period": "1",
        }
        first = Redis(self.folder / "server-0", dict(common))
        self.servers.append(first)
        for number in range(self.replicas):
            config = common | {"replicaof": f"127.0.0.1 {first.port}"}
            self.servers.append(Redis(self.folder / f"server-{number + 1}", config))
        for server in self.servers:
            server.start(wait=False)
        for server in self.servers:
            server.await_answer()
        self._start_sentinels()
        self.await_whole()
        return self

    def _start_sentinels(self) -> None:
        known = [(free_port(), secrets.token_hex(20)) for _ in range(3)]
        for number, (port, me) in enumerate(known):
            lines = [f"monitor {SERVICE} 127.0.0.1 {self.servers[0].port} 2"]
            lines += [f"down-after-milliseconds {SERVICE} {DOWN_AFTER}"]
            lines += [f"failover-timeout {SERVICE} 3000", f"parallel-syncs {SERVICE} 2"]
            lines += [f"auth-user {SERVICE} {WATCHER}", f"auth-pass {SERVICE} {PASSWORD}"]
            lines += [f"known-replica {SERVICE} 127.0.0.1 {s.port}" for s in self.servers[1:]]
            lines += [
                f"known-sentinel {SERVICE} 127.0.0.1 {other} {name}"
                for other, name in known
                if other != port
            ]
            config = {"sentinel": f"myid {me}\n" + "\n".join(f"sentinel {line}" for line in lines)}
            folder = self.folder / f"sentinel-{number}"
            self.sentinels.append(Redis(folder, config, port, "redis-sentinel").start(wait=False))
        for sentinel in self.sentinels:
            sentinel.await_answer()
            sentinel.ask("SENTINEL", "DEBUG", *HASTE)

    @property
    def primary(self) -> Redis:
        """As the sentinels see it."""
        port = int(self.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])
        return next(server for server in self.servers if server.port == port)

    def switch(self) -> None:
        """A failover that an operator asks for, all servers well."""
        old = self.primary

        def begun() -> bool:
            with suppress(ResponseError):  # no replica is known to be well yet
                return bool(self.sentinels[0].ask("SENTINEL FAILOVER", SERVICE))
            return False

        until(begun, "a failover begins")
        until(lambda: self.primary is not old, "another primary")

    def await_whole(self) -> None:
        """Until every server is there, replicates, and is known to every sentinel."""
        until(self._whole, "all servers replicate")

    def _whole(self) -> bool:
        views = {
            int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])
            for sentinel in self.sentinels
        }
        if len(views) != 1 or any(server.process is None for server in self.servers):
            return False
        facts = [server.info() for server in self.servers if server.port not in views]
        [primary] = [server.info() for server in self.servers if server.port in views]
        return (
            primary["role"] == "master"
            and sum(
                isinstance(one, dict)
                and one.get("state") == "online"
                and one["lag"] <= 1 < one["offset"]
                for name, one in primary.items()
                if name.startswith("slave")
            )
            == len(facts)
            and all(one.get("master_link_status") == "up" for one in facts)
        )

    def settings(self, **changes: Any) -> StoreSettings:
        changes.setdefault("timeout", 2.0)
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        url = f"redis+sentinel://{CLIENT}@{hosts}/{SERVICE}"
        return StoreSettings(url=url, password=f"env:{VARIABLE}", **changes)

    def restore(self) -> None:
        """After a test's faults: all servers there, healed, and replicating."""
        for server in [*self.servers, *self.sentinels]:
            if server.process is None or server.process.poll() is not None:
                server.start()
            server.thaw()
        for server in self.servers:
            heal(server)
        self.await_whole()

    def stop(self) -> None:
        for server in [*self.sentinels, *self.servers]:
            server.kill()


@dataclass
class Cluster:
    """Three primaries with a replica each."""

    folder: Path
    nodes: list[Redis] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def start(self) -> "Cluster":
        buses = [free_port() for _ in range(6)]
        self.names = [secrets.token_hex(20) for _ in range(6)]
        for number, bus in enumerate(buses):
            config = {
                "cluster-enabled": "yes",
                "cluster-port": str(bus),
                "cluster-node-timeout": str(NODE_TIMEOUT),
                "cluster-allow-reads-when-down": "no",
                "min-replicas-to-write": "1",
                "repl-ping-replica-period": "1",
            }
            self.nodes.append(Redis(self.folder / f"node-{number}", config))
        for number, node in enumerate(self.nodes):
            (node.folder / "nodes.conf").write_text(self._view_of(number, buses))
            node.start(wait=False)
        self.await_whole()
        return self

    def _view_of(self, number: int, buses: list[int]) -> str:
        """What a node's own file says of all, as if they had met long ago."""
        lines = []
        for other, node in enumerate(self.nodes):
            flags = ["myself"] if other == number else []
            flags += ["master"] if other < 3 else ["slave"]
            master = "-" if other < 3 else self.names[other - 3]
            slots = f" {SLOTS * other // 3}-{SLOTS * (other + 1) // 3 - 1}" if other < 3 else ""
            lines.append(
                f"{self.names[other]} 127.0.0.1:{node.port}@{buses[other]} {','.join(flags)} "
                f"{master} 0 0 {other % 3 + 1} connected{slots}\n"
            )
        return "".join(lines) + "vars currentEpoch 6 lastVoteEpoch 0\n"

    def await_whole(self) -> None:
        for node in self.nodes:
            node.await_answer()
        until(self._whole, "the cluster is whole")

    def _whole(self) -> bool:
        for node in self.nodes:
            facts, role = node.ask("CLUSTER INFO"), node.info()
            if facts["cluster_state"] != "ok" or facts["cluster_slots_ok"] != str(SLOTS):
                return False
            if role["role"] == "slave" and role["master_link_status"] != "up":
                return False
            if role["role"] == "master" and role["connected_slaves"] < 1:
                return False
        return True

    def settings(self, **changes: Any) -> StoreSettings:
        changes.setdefault("timeout", 2.0)
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:3])
        return StoreSettings(url=f"redis+cluster://{hosts}", **changes)

    def owner_of(self, key: str) -> Redis:
        """The primary that has a key's slot, as the nodes see it that are there."""
        there = next(node for node in self.nodes if node.process is not None)
        slot = there.ask("CLUSTER KEYSLOT", key)
        for first, last, (_, port, *_), *_ in there.ask("CLUSTER SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError("nobody has the slot")

    def name_of(self, node: Redis) -> str:
        return self.names[self.nodes.index(node)]

    def restore(self) -> None:
        for node in self.nodes:
            if node.process is None or node.process.poll() is not None:
                node.start()
            node.thaw()
        self.await_whole()

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()


@contextmanager
def running(deployment: Any) -> Iterator[Any]:
    """Started, and ended whatever happens, half a start too."""
    try:
        yield deployment.start()
    finally:
        deployment.stop() if hasattr(deployment, "stop") else deployment.kill()
