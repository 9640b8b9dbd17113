"""Which server is the primary of a key: the one that there is, or whom others name.

`sentinel` and `cluster` have the other two. Both ask in the background, once in a while and at
once after any failure, so that no call waits for a search.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from vault.store.redis.address import Host
from vault.store.redis.node import Node
from vault.store.redis.replies import SILENT
from vault.store.redis.wire import Broken, Command, Dialler, Unreachable, Wire

MakeNode = Callable[[Host], Node]
Key = str | bytes

PAUSE = 0.05
"""Seconds between two searches, however many failures ask for one."""


class Topology(ABC):
    """Nodes are asked for at every call: they change when a failover is noticed."""

    @abstractmethod
    async def start(self) -> None:
        """Find the primaries; may be called again after a failure. Raises JetonError."""

    @abstractmethod
    def node_of(self, key: Key) -> Node: ...

    @abstractmethod
    def node_at(self, host: Host) -> Node:
        """The node that a redirection names."""

    @abstractmethod
    def nodes(self) -> list[Node]:
        """All primaries."""

    @abstractmethod
    async def close(self) -> None: ...

    def moved(self, slot: int, host: Host) -> None:  # noqa: B027 - of a cluster only
        """A node said that another one has the slot now."""

    def suspect(self) -> None:  # noqa: B027 - of those that search only
        """Something failed: look again soon who the primaries are."""


class Standalone(Topology):
    """The one server that the URL names."""

    def __init__(self, host: Host, make: MakeNode) -> None:
        self._node = make(host)

    async def start(self) -> None:
        """There is nothing to find."""

    def node_of(self, key: Key) -> Node:  # noqa: ARG002 - one shape for all
        return self._node

    def node_at(self, host: Host) -> Node:  # noqa: ARG002
        return self._node

    def nodes(self) -> list[Node]:
        return [self._node]

    async def close(self) -> None:
        await self._node.close()


class Asker:
    """Asks servers about others, over connections that it keeps."""

    def __init__(self, dialler: Dialler, within: float) -> None:
        self._dialler = dialler
        self._within = within
        self._wires: dict[Host, Wire] = {}
        self.trouble = ""
        """Why the last server that did not answer did not."""

    async def ask_all(
        self, hosts: Sequence[Host], commands: Sequence[Command]
    ) -> list[tuple[Host, list[Any]]]:
        """Who answered what; those that do not answer in time are left out."""
        answers = await asyncio.gather(*(self._ask(host, commands) for host in hosts))
        return [
            (host, answer)
            for host, answer in zip(hosts, answers, strict=True)
            if answer is not None
        ]

    async def close(self) -> None:
        while self._wires:
            await self._wires.popitem()[1].close()

    async def _ask(self, host: Host, commands: Sequence[Command]) -> list[Any] | None:
        wire = self._wires.pop(host, None)
        try:
            async with asyncio.timeout(self._within):
                if wire is None or not wire.usable:
                    wire = await self._dialler.dial(*host)
                answer = await wire.exchange(commands)
        except (Unreachable, Broken, TimeoutError) as error:
            self.trouble = str(error) or SILENT
            if wire is not None:
                await wire.close()
            return None
        self._wires[host] = wire
        return answer


class Searching(Topology):
    """What looks for its primaries by itself, every `interval` seconds and when one fails."""

    def __init__(self, asker: Asker, interval: float) -> None:
        self._asker = asker
        self.interval = interval
        self._wanted = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._endings = set[asyncio.Task[None]]()
        self.trouble = ""
        """Why no primary is known, as far as somebody answered."""

    @abstractmethod
    async def search(self) -> None: ...

    def suspect(self) -> None:
        self._wanted.set()

    def watch(self) -> None:
        """Begin to search; nothing where it has begun."""
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="store-search")

    def end(self, node: Node) -> None:
        """Close a node that is no primary any more, without waiting for it."""
        self._background(node.close())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await asyncio.gather(*(node.close() for node in self.nodes()), *self._endings)
        await self._asker.close()

    async def _watch(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self.interval):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            try:
                await self.search()
            except Exception as error:  # noqa: BLE001 - an odd answer must not end all searching
                self.trouble = type(error).__name__
            await asyncio.sleep(PAUSE)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
