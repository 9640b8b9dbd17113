"""The way to Redis: scripts and reads, within a deadline, on enough servers, or refused.

link = await Link.open(settings.store)
answer = await link.run(script, ["{jeton}:state"], [now], writes=True)
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from redis.exceptions import ResponseError

from vault.errors import JetonError, Refusal, SetUpError
from vault.store.redis.address import Address, Host, parse
from vault.store.redis.checks import Checks, Unsound
from vault.store.redis.cluster import Cluster
from vault.store.redis.delivery import Delivery, Pending
from vault.store.redis.fence import Fence
from vault.store.redis.node import Node
from vault.store.redis.options import (
    StoreSettings,
    credentials_of,
    sentinel_credentials_of,
    tls_of,
)
from vault.store.redis.replies import words_of
from vault.store.redis.sentinel import Sentinel
from vault.store.redis.topology import Asker, Key, Standalone, Topology
from vault.store.redis.weaknesses import Weakness
from vault.store.redis.wire import Broken, Dialler, Unreachable

Arg = bytes | str | int
Call = tuple[Sequence[Key], Sequence[Arg]]
Tell = Callable[[str, Mapping[str, str | int | float]], None]
"""Telemetry's ear: the name of what happened and its facts, which never hold a key."""

PATIENCE = 5.0
"""Seconds that a start waits for replicas that are not yet connected."""


class Script:
    """A Lua script: loaded where it is first needed, and again after a failover."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def _tell_nobody(name: str, facts: Mapping[str, str | int | float]) -> None: ...


class Link:
    """One Redis deployment behind one URL, for one event loop. All methods raise Refusal
    ``store_unavailable``, in words that hold neither keys nor arguments."""

    def __init__(self, settings: StoreSettings, tell: Tell = _tell_nobody) -> None:
        """Raises SetUpError. Use `open`."""
        self._timeout, self._replicas, self._tell = settings.timeout, settings.replicas, tell
        address = parse(settings.url)
        self._checks = Checks(address.kind, settings.replicas, settings.accept, self._weak)
        self._dialler = Dialler(
            credentials_of(settings, address),
            tls_of(settings) if address.tls else None,
            address.database,
            settings.timeout,
        )
        self._told = set[str]()
        self._topology = self._topology_of(address, settings)

    @classmethod
    async def open(cls, settings: StoreSettings, tell: Tell = _tell_nobody) -> "Link":
        """Raises SetUpError: a server cannot be reached, or does not hold what is promised."""
        link = cls(settings, tell)
        try:
            await link._begin()
        except JetonError as error:
            await link.close()
            words = error.detail if isinstance(error, Refusal) else str(error)
            raise SetUpError(f"store.url: {words}") from None
        return link

    async def run(
        self, script: Script, keys: Sequence[Key], args: Sequence[Arg], *, writes: bool
    ) -> Any:
        """What the script returns; all `keys` share a hash tag, and there is at least one."""
        [answer] = await self.run_many(script, [(keys, args)], writes=writes)
        return answer

    async def run_many(self, script: Script, calls: Sequence[Call], *, writes: bool) -> list[Any]:
        """The answers in the order of `calls`, which go out as one pipeline a node.

        Each call is atomic, the whole is not: where it is refused, some may have been carried
        out.
        """
        pending = [
            Pending(place, keys[0], ("EVALSHA", script.sha, len(keys), *keys, *args), script.source)
            for place, (keys, args) in enumerate(calls)
        ]
        return await self._deliver(pending, writes)

    async def ask(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers to commands that only read; each has its key in the second place."""
        pending = [
            Pending(place, command[1], command, None) for place, command in enumerate(commands)
        ]
        return await self._deliver(pending, writes=False)

    async def everywhere(self, *command: Arg) -> list[Any]:
        """What each primary answers to a command that has no key."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        answers: list[Any] = []
        for node in self._topology.nodes():
            try:
                [answer], _ = await node.exchange([command], 0, deadline)
            except (Unreachable, Unsound, Broken) as error:
                raise Refusal("store_unavailable", str(error), 1) from None
            if isinstance(answer, ResponseError):
                raise Refusal("store_unavailable", words_of(answer), 1)
            answers.append(answer)
        return answers

    async def check(self) -> None:
        """Nothing where every primary answers now: at once where one is known to be away."""
        for node in self._topology.nodes():
            node.breaker.admit()
        await self.everywhere("PING")

    async def close(self) -> None:
        await self._topology.close()

    # Start -------------------------------------------------------------------------------

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        patience = loop.time() + PATIENCE
        while True:
            try:
                await self._topology.start()
                for node in self._topology.nodes():
                    await node.probe()
            except Unsound as error:
                if not error.passing or loop.time() > patience:
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    def _topology_of(self, address: Address, settings: StoreSettings) -> Topology:
        if address.kind == "standalone":
            return Standalone(address.hosts[0], self._node)
        if address.kind == "cluster":
            return Cluster(address.hosts, Asker(self._dialler, self._timeout), self._node)
        tls = tls_of(settings) if address.tls else None
        dialler = Dialler(sentinel_credentials_of(settings), tls, 0, self._timeout)
        asker = Asker(dialler, self._timeout)
        return Sentinel(address.hosts, address.service, asker, self._node)

    def _node(self, host: Host, fence: Fence | None = None) -> Node:
        def missed() -> None:
            self._topology.suspect()

        return Node(host, self._dialler, self._checks, self._timeout, self._changed, missed, fence)

    def _changed(self, away: bool) -> None:
        self._tell("store_away" if away else "store_back", {})

    def _weak(self, weakness: Weakness) -> None:
        if weakness.name not in self._told:
            self._told.add(weakness.name)
            self._tell("store_weak", {"weakness": weakness.name, "loses": weakness.loses})

    async def _deliver(self, pending: list[Pending], writes: bool) -> list[Any]:
        began, ok = perf_counter(), False
        try:
            delivery = Delivery(self._topology, pending, writes, self._replicas)
            answers = await delivery.answers(self._timeout)
            ok = True
        finally:
            self._tell("store_call", {"seconds": perf_counter() - began, "ok": int(ok)})
        return answers
