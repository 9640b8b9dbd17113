"""One primary: a few connections to it, and the breaker that guards them.

While all connections are under way, what is asked gathers, and the next one that is free takes
it all as one pipeline: so one flush of the server's disk and one `WAIT` serve many callers.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from vault.errors import Refusal
from vault.store.redis.address import Host
from vault.store.redis.breaker import Breaker
from vault.store.redis.checks import Checks, Unsound, facts_of
from vault.store.redis.fence import ASK, Fence
from vault.store.redis.replies import LATE, SILENT
from vault.store.redis.wire import Broken, Command, Dialler, Unreachable, Wire

LANES = 4
"""Connections. Each takes all that waits, so more would only make the pipelines shorter."""
PIPELINE = 1_024
"""The most commands of one pipeline, but for a single call that has more."""
WAITING = 1_024
"""So many calls may wait; those beyond are refused at once."""
LOOK_AGAIN = 30.0
"""Seconds after which a connection is made anew, and its server looked over: settings change."""


@dataclass(slots=True, eq=False, repr=False)  # keys and sealed values stand in it
class _Asked:
    commands: Sequence[Command]
    replicas: int
    """So many must hold what is written; 0: nothing is, or none has to."""
    deadline: float
    """By the loop's clock."""
    answer: asyncio.Future[tuple[list[Any], Any]]


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
        fence: Fence | None = None,
    ) -> None:
        self.host = host
        self._fence = fence
        self.breaker = Breaker(self.probe, changed)
        self._dialler = dialler
        self._checks = checks
        self._timeout = timeout
        self._missed = missed
        self._queue: deque[_Asked] = deque()
        self._lanes = set[asyncio.Task[None]]()
        self._idle: list[tuple[Wire, float]] = []
        self._closed = False

    async def exchange(
        self, commands: Sequence[Command], replicas: int, deadline: float
    ) -> tuple[list[Any], Any]:
        """The replies to the commands, and that to `WAIT` where there are `replicas`: how many
        hold it, or why that means nothing, in words or as an error.

        Raises Unreachable or Unsound (nothing was sent), Broken, and Refusal when too many
        wait already. Whoever is cancelled before its turn was not sent.
        """
        if len(self._queue) >= WAITING:
            raise Refusal("store_unavailable", "too many calls wait for the store", 1)
        asked = _Asked(commands, replicas, deadline, asyncio.get_running_loop().create_future())
        self._queue.append(asked)
        if len(self._lanes) < LANES:
            lane = asyncio.create_task(self._lane(), name="store-lane")
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await asked.answer

    async def probe(self) -> None:
        """Is it there, and sound? Raises Unsound or Refusal."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._give(await self._dial(), monotonic())
        except (Unreachable, Broken) as error:
            self._missed()
            raise Refusal("store_unavailable", str(error), 1) from None
        except TimeoutError:
            self._missed()
            raise Refusal("store_unavailable", SILENT, 1) from None
        except Unsound:
            self._missed()
            raise

    def failed(self, words: str) -> None:
        self.breaker.failed(words)
        self._missed()

    async def close(self) -> None:
        """What is under way comes to its end, within its deadline; nothing new is begun."""
        self._closed = True
        await self.breaker.close()
        if self._lanes:
            await asyncio.wait(self._lanes)
        while self._idle:
            await self._idle.pop()[0].close()

    # One connection at work ----------------------------------------------------------------

    async def _lane(self) -> None:
        while batch := self._next_batch():
            deadline = max(asked.deadline for asked in batch)
            try:
                async with asyncio.timeout_at(deadline):
                    await self._carry(batch, deadline)
            except (Unreachable, Unsound, Broken) as error:
                _fail(batch, error)
            except TimeoutError:
                _fail(batch, Broken(LATE))
            except BaseException:  # a bug here, or the end of the loop: nobody may wait for ever
                _fail(batch, Broken("ended"))
                raise

    def _next_batch(self) -> list[_Asked]:
        batch: list[_Asked] = []
        size = 0
        while self._queue and (not batch or size + len(self._queue[0].commands) <= PIPELINE):
            asked = self._queue.popleft()
            if not asked.answer.done():
                batch.append(asked)
                size += len(asked.commands)
        return batch

    async def _carry(self, batch: Sequence[_Asked], deadline: float) -> None:
        commands = [command for asked in batch for command in asked.commands]
        wire, looked = await self._take()
        try:
            replicas = max(asked.replicas for asked in batch)
            if replicas and self._fence is not None:
                replicas = max(replicas, self._fence.there)
            if replicas:
                commands += self._wait(replicas, deadline)
            await wire.send(commands)
            held = []
            for asked in batch:
                replies = await wire.receive(len(asked.commands))
                if asked.replicas:
                    held.append((asked, replies))
                elif not asked.answer.done():
                    asked.answer.set_result((replies, None))
            waited = await self._waited(wire, replicas, deadline) if replicas else None
            for asked, replies in held:
                if not asked.answer.done():
                    asked.answer.set_result((replies, waited))
        finally:
            await self._give(wire, looked)

    def _wait(self, replicas: int, deadline: float) -> list[Command]:
        left = deadline - asyncio.get_running_loop().time()
        wait: Command = ("WAIT", replicas, _patience(left))
        return [wait] if self._fence is None else [wait, ASK]

    async def _waited(self, wire: Wire, replicas: int, deadline: float) -> Any:
        """How many replicas hold it, or in words why that means nothing."""
        if self._fence is None:
            return (await wire.receive(1))[0]
        waited, facts = await wire.receive(2)
        if isinstance(facts, bytes) and replicas < (there := self._fence.look(facts_of(facts))):
            # More are there than were known: each of them has to hold it.
            waited, facts = await wire.exchange(self._wait(there, deadline))
        if not isinstance(facts, bytes) or not isinstance(waited, int):
            return waited if isinstance(facts, bytes) else facts
        return self._fence.trouble(facts_of(facts), waited) or waited

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
        if wire.usable and not self._closed and len(self._idle) < LANES:
            self._idle.append((wire, looked))
        else:
            await wire.close()


def _patience(left: float) -> int:
    """Milliseconds for `WAIT`, of the seconds that are left: Redis looks at its clock only every
    tenth of a second, and its answer has to come in time. 0 would be for ever."""
    return max(1, int(1000 * (left - min(0.12, left / 2))))


def _fail(batch: Sequence[_Asked], error: Exception) -> None:
    for asked in batch:
        if not asked.answer.done():
            asked.answer.set_exception(type(error)(*error.args))
