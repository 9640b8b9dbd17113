"""One primary: a bounded number of connections to it, and the breaker that guards them."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from vault.errors import Refusal
from vault.store.redis.address import Host
from vault.store.redis.breaker import Breaker
from vault.store.redis.checks import Checks, Unsound
from vault.store.redis.wire import Broken, Command, Dialler, Unreachable, Wire

CONNECTIONS = 16
WAITING = 1_024
"""So many calls may wait for a connection; those beyond are refused at once."""
LOOK_AGAIN = 30.0
"""Seconds after which a connection's server is looked over again: settings can change."""


class Node:
    """`changed` is told when its breaker opens (True) or closes; `missed` at every failure."""

    def __init__(
        self,
        host: Host,
        dialler: Dialler,
        checks: Checks,
        timeout: float,
        changed: Callable[[bool], None],
        missed: Callable[[], None],
    ) -> None:
        self.host = host
        self.breaker = Breaker(self.probe, changed)
        self._dialler = dialler
        self._checks = checks
        self._timeout = timeout
        self._missed = missed
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._waiting = 0
        self._idle: list[tuple[Wire, float]] = []
        self._closed = False

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Raises Unreachable or Unsound (nothing was sent), Broken, and Refusal when too many
        wait already."""
        if self._waiting >= WAITING:
            raise Refusal("store_unavailable", "too many calls wait for the store", 1)
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1
        try:
            wire, looked = await self._take()
            try:
                return await wire.exchange(commands)
            finally:
                await self._give(wire, looked)
        finally:
            self._room.release()

    async def probe(self) -> None:
        """Is it there, and sound? Raises Unsound or Refusal."""
        try:
            async with asyncio.timeout(self._timeout):
                wire = await self._dial()
                await self._give(wire, monotonic())
        except (Unreachable, Broken) as error:
            self._missed()
            raise Refusal("store_unavailable", str(error), 1) from None
        except TimeoutError:
            self._missed()
            raise Refusal("store_unavailable", "it does not answer", 1) from None
        except Unsound:
            self._missed()
            raise

    def failed(self, words: str) -> None:
        self.breaker.failed(words)
        self._missed()

    async def close(self) -> None:
        """Calls in flight end by themselves; nothing new is begun."""
        self._closed = True
        await self.breaker.close()
        while self._idle:
            await self._idle.pop()[0].close()

    async def _take(self) -> tuple[Wire, float]:
        while self._idle:
            wire, looked = self._idle.pop()
            if wire.usable and monotonic() - looked < LOOK_AGAIN:
                return wire, looked
            await wire.close()
        return await self._dial(), monotonic()

    async def _dial(self) -> Wire:
        wire = await self._dialler.dial(*self.host)
        try:
            await self._checks.look(wire)
        except BaseException:
            await wire.close()
            raise
        return wire

    async def _give(self, wire: Wire, looked: float) -> None:
        if wire.usable and not self._closed:
            self._idle.append((wire, looked))
        else:
            await wire.close()
