"""How far a long piece of work has come, on a terminal, and how fast it may go."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
STEP = 1_000


class Pace:
    """A progress bar with the time left, on stderr where that is a terminal; `rate`: the most
    changes a second."""

    def __init__(self, what: str, total: int, rate: int | None = None) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        self._bar = Progress(
            *columns, TimeRemainingColumn(), console=console, disable=not sys.stderr.isatty()
        )
        self._task = self._bar.add_task(what, total=total or None)
        self._rate = rate
        self._free = self._last = time.monotonic()
        """When it may go on, and when it did the last time."""

    async def __aenter__(self) -> Self:
        self._bar.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    async def went(self, gone: int, changed: int = 0) -> None:
        """So many more are done; waits where they were changed faster than they may be. What
        was done before is gone through as fast as it can be read."""
        self._bar.advance(self._task, gone)
        if self._rate is not None:
            self._free = max(self._free, self._last) + changed / self._rate
            await asyncio.sleep(max(0.0, self._free - time.monotonic()))
            self._last = time.monotonic()

    async def along(self, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """The same items, each of them counted."""
        count = 0
        async for item in items:
            count += 1
            if count % STEP == 0:
                await self.went(STEP)
            yield item
        await self.went(count % STEP)
