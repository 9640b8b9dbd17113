"""Coalescing for asyncio: whoever finds a call like theirs in flight joins the next batch.

A batch is sent by a task of its own, so that no caller that is cancelled harms another; where
all are, the task is cancelled too. None outlives `close()`.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from jeton.coalescing import (
    ALONE,
    COMPANY_SECONDS,
    MOST_CALLS,
    Outcome,
    Single,
    outcomes,
    refused,
    together,
)
from jeton.errors import JetonError, NoAnswer
from jeton.protocol import Call, Question

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Group:
    """A batch that waits for company, and then, with its task, is on its way."""

    key: Hashable
    question: Question[Any]
    deadline: float
    singles: list[Single] = field(default_factory=list, repr=False)
    futures: list[asyncio.Future[Outcome]] = field(default_factory=list, repr=False)
    departure: asyncio.Handle | None = None
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    """That of the first caller: whoever comes back and sends the batch on its way is another."""
    task: asyncio.Task[None] | None = None
    landed: bool = False


class AsyncCoalescing:
    """Brings the calls of one event loop together. `send` sends a call by a deadline."""

    def __init__(self, send: Callable[[Call[Any], float], Coroutine[Any, Any, Any]]) -> None:
        self._send = send
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: dict[Hashable, _Group] = {}
        self._flying: dict[Hashable, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question[T], single: Single, deadline: float) -> T:
        """The result of one call, which may travel with others; raises as it would alone."""
        key = single.key(question)
        if key is None:
            return await self._alone(question, single, deadline)
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # another loop, perhaps in another process
            self._renew(loop)
        if key not in self._open and key not in self._flying:
            self._flying[key] = 1
            try:
                return await self._alone(question, single, deadline)
            finally:
                self._landed(key)
        outcome = await self._travel(key, question, single, deadline)
        if outcome is ALONE:
            return await self._alone(question, single, deadline)
        if isinstance(outcome, Exception):
            raise outcome
        return cast("T", outcome)

    async def _alone(self, question: Question[T], single: Single, deadline: float) -> T:
        result: T = await self._send(question.single(single.given, single.context), deadline)
        return result

    async def close(self) -> None:
        """End what is on its way: its callers are told that the client was closed."""
        for group in list(self._open.values()):
            self._deliver(group, [_closed() for _ in group.futures])
        tasks = [task for task in self._tasks if task.get_loop() is asyncio.get_running_loop()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._renew(None)

    async def _travel(
        self, key: Hashable, question: Question[Any], single: Single, deadline: float
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        group = self._open.get(key)
        if group is None:
            group = self._open[key] = _Group(key, question, deadline)
            group.departure = loop.call_later(COMPANY_SECONDS, self._depart, group)
        future: asyncio.Future[Outcome] = loop.create_future()
        group.singles.append(single)
        group.futures.append(future)
        if len(group.singles) == MOST_CALLS:
            self._depart(group)
        try:
            return await future
        except asyncio.CancelledError:
            if group.task is not None and all(one.cancelled() for one in group.futures):
                group.task.cancel()
            raise

    def _renew(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop, self._open, self._flying, self._tasks = loop, {}, {}, set()

    def _depart(self, group: _Group) -> None:
        """From now on nobody joins."""
        if self._open.get(group.key) is not group:
            return
        del self._open[group.key]
        if group.departure is not None:
            group.departure.cancel()
        here = [at for at, future in enumerate(group.futures) if not future.done()]
        group.singles = [group.singles[at] for at in here]
        group.futures = [group.futures[at] for at in here]
        if here:
            self._flying[group.key] = self._flying.get(group.key, 0) + 1
            group.task = asyncio.get_running_loop().create_task(
                self._fly(group), context=group.context
            )
            self._tasks.add(group.task)
            group.task.add_done_callback(partial(self._ended, group))

    async def _fly(self, group: _Group) -> None:
        got: list[Outcome] = [_closed() for _ in group.futures]
        try:
            items = await self._send(together(group.question, group.singles), group.deadline)
            got = outcomes(items)
        except JetonError as error:
            got = refused(error, len(group.futures))
        except Exception as error:  # noqa: BLE001 # of the header hook: it is the callers' own
            got = [error] * len(group.futures)
        finally:
            self._land(group, got)

    def _ended(self, group: _Group, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not group.landed:  # cancelled before its first step: nothing of it ran
            self._land(group, [_closed() for _ in group.futures])

    def _land(self, group: _Group, got: list[Outcome]) -> None:
        group.landed = True
        self._deliver(group, got)
        self._landed(group.key)

    def _deliver(self, group: _Group, got: list[Outcome]) -> None:
        for future, outcome in zip(group.futures, got, strict=True):
            if not future.done():
                future.set_result(outcome)

    def _landed(self, key: Hashable) -> None:
        left = self._flying.pop(key, 1) - 1
        if left:
            self._flying[key] = left
        if key in self._open:
            self._depart(self._open[key])


def _closed() -> JetonError:
    return NoAnswer("the client was closed while the call was on its way")
