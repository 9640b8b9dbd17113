"""Which server is the primary of a key: one server, or whom Sentinel or a cluster names."""

from collections.abc import Callable
from typing import Protocol

from vault.store.redis.address import Host
from vault.store.redis.node import Node

MakeNode = Callable[[Host], Node]
Key = str | bytes


class Topology(Protocol):
    """Nodes are asked for at every call: they change when a failover is noticed."""

    async def start(self) -> None:
        """Find the primaries. Raises Refusal or SetUpError."""
        ...

    def node_of(self, key: Key) -> Node: ...

    def node_at(self, host: Host) -> Node:
        """The node that a redirection names."""
        ...

    def moved(self, slot: int, host: Host) -> None:
        """A node said that another one has the slot now."""
        ...

    def suspect(self) -> None:
        """Something failed: look again soon who the primaries are."""
        ...

    def nodes(self) -> list[Node]: ...

    async def close(self) -> None: ...


class Standalone:
    """The one server that the URL names."""

    def __init__(self, host: Host, make: MakeNode) -> None:
        self._node = make(host)

    async def start(self) -> None:
        """There is nothing to find."""

    def node_of(self, key: Key) -> Node:  # noqa: ARG002 - one shape for all
        return self._node

    def node_at(self, host: Host) -> Node:  # noqa: ARG002
        return self._node

    def moved(self, slot: int, host: Host) -> None: ...

    def suspect(self) -> None: ...

    def nodes(self) -> list[Node]:
        return [self._node]

    async def close(self) -> None:
        await self._node.close()
