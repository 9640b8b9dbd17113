"""The primary that Sentinel names: the one of the latest failover that any sentinel knows.

A sentinel that was cut off goes on naming the old primary, so the failover's number decides,
not who answers first; and what was once known is not unlearned.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from redis.exceptions import ResponseError

from vault.store.redis.address import Host
from vault.store.redis.checks import Unsound
from vault.store.redis.fence import Fence
from vault.store.redis.node import Node
from vault.store.redis.replies import words_of
from vault.store.redis.topology import Asker, Key, Searching

INTERVAL = 1.0
"""Seconds: for so long a primary may be taken for one that is none any more."""


class Sentinel(Searching):
    def __init__(
        self,
        sentinels: Sequence[Host],
        service: str,
        asker: Asker,
        make: Callable[[Host, Fence], Node],
    ) -> None:
        super().__init__(asker, INTERVAL)
        self._sentinels = sentinels
        self._service = service
        self._make = make
        self._node: Node | None = None
        self._failovers = -1
        self._heard: float | None = None

    async def start(self) -> None:
        await self.search()
        if self._node is None:
            raise Unsound(f"no sentinel names a primary: {self.trouble or self._asker.trouble}")
        self.watch()

    def node_of(self, key: Key) -> Node:  # noqa: ARG002 - one shape for all
        assert self._node is not None
        return self._node

    def node_at(self, host: Host) -> Node:
        return self.node_of(host[0])

    def nodes(self) -> list[Node]:
        return [] if self._node is None else [self._node]

    async def search(self) -> None:
        commands = [
            ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service),
            ("SENTINEL", "MASTER", self._service),
        ]
        began, heard = monotonic(), 0
        for _, (address, facts) in await self._asker.ask_all(self._sentinels, commands):
            if isinstance(address, ResponseError):
                self.trouble = words_of(address)
            elif address is None or isinstance(facts, ResponseError):
                self.trouble = "it does not know the service that store.url names"
            else:
                heard += 1
                self._follow((address[0].decode(), int(address[1])), _facts(facts))

        self._heard = began if heard > len(self._sentinels) // 2 else None

    def _follow(self, host: Host, facts: Mapping[bytes, bytes]) -> None:
        failovers = int(facts[b"config-epoch"])
        if failovers < self._failovers:
            return
        self._failovers = failovers
        before = self._node
        if before is None or before.host != host:
            # After a failover that was followed, the old primary is among those that are missed.
            replicas = int(facts[b"num-slaves"]) if before is None else 0
            self._node = self._make(host, Fence(lambda: self._heard, replicas))
            if before is not None:
                self.end(before)


def _facts(told: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(told[::2], told[1::2], strict=True))
