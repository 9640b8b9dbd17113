"""A thread that waits for the disk in the event loop's place.

What is asked for while it is busy it takes as one group next: one transaction, one flush, for
all that came meanwhile. Neighbours that ask for the same thing become one piece of work, with
their items one after the other; so few statements run, and between two of them the thread
has to win the interpreter's lock back from a busy loop.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

MOST_ITEMS = 20_000
"""In one group: what comes then waits for the next one."""
LAST_SECONDS = 5.0
"""How long the work in hand is waited for at the end."""

What = tuple[Any, ...]
"""A function and its arguments but for the items."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)  # tokens and sealed values stand in it
class Job:
    what: What
    items: Sequence[Any]
    answer: "asyncio.Future[list[Any]]"


class Work(NamedTuple):
    """Jobs that ask for the same thing, as one: answers are as many as items."""

    what: What
    items: list[Any]


Do = Callable[[Sequence[Work]], list[list[Any]]]
"""Does a group, whole or not at all: a list of answers for each piece of work."""


class Lane:
    """One thread and its queue, for callers of any event loop."""

    def __init__(self, name: str, do: Do) -> None:
        self._do = do
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        # A daemon: a disk that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._closed = False

    async def ask(self, what: What, items: Sequence[Any]) -> list[Any]:
        """An answer for each item, or whatever `do` raises."""
        if self._closed:
            raise RuntimeError("the lane is closed")
        if self._thread.ident is None:
            self._thread.start()
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._queue.put(Job(what, items, answer))
        return await answer

    async def close(self) -> None:
        """What was asked for before is done first."""
        self._closed = True
        self._queue.put(None)
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join, LAST_SECONDS)

    def _serve(self) -> None:
        while group := self._group():
            _answer(group, *self._done(group))

    def _group(self) -> list[Job]:
        """All that waits now, or the first to come; none at the end."""
        group: list[Job] = []
        items = 0
        job = self._queue.get()
        while job is not None:
            group.append(job)
            items += len(job.items)
            if items >= MOST_ITEMS:
                return group
            try:
                job = self._queue.get_nowait()
            except Empty:
                return group
        if group:  # the end, but these first
            self._queue.put(None)
        return group

    def _done(self, group: list[Job]) -> tuple[list[list[Any]], BaseException | None]:
        works = [
            Work(what, [item for job in jobs for item in job.items])
            for what, jobs in groupby(group, key=lambda job: job.what)
        ]
        try:
            return self._do(works), None
        except BaseException as error:  # noqa: BLE001 - the callers' to deal with, all of it
            return [], error


def _answer(group: list[Job], answers: list[list[Any]], error: BaseException | None) -> None:
    """Wake each event loop once, with all that is for it."""
    flat = iter([answer for some in answers for answer in some])
    told: dict[asyncio.AbstractEventLoop, list[tuple[Job, list[Any]]]] = {}
    for job in group:
        theirs = [] if error else [next(flat) for _ in job.items]
        told.setdefault(job.answer.get_loop(), []).append((job, theirs))
    for loop, some in told.items():
        try:
            loop.call_soon_threadsafe(_arrive, some, error)
        except RuntimeError:  # the loop has ended meanwhile
            continue


def _arrive(some: list[tuple[Job, list[Any]]], error: BaseException | None) -> None:
    """In the loop."""
    for job, theirs in some:
        if job.answer.done():  # its caller was cancelled meanwhile
            continue
        if error is not None:
            job.answer.set_exception(error)
        else:
            job.answer.set_result(theirs)
