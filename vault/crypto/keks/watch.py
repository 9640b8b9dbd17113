"""Asks, while a service runs, whether its KEK can still be had.

Keys that are in memory work without their KEK. Where the configuration says for how long they
may (`keys.kek_required_within`), the keyset is opened again every now and then; once that has not
worked for so long, nothing is answered until it works again. So a service outlives its key
service's bad hour, and does not outlive for ever a key that was taken from it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final, Literal, Self

from vault.errors import Refusal

SHARE: Final = 8
"""How often it is asked, at least, in the time that it may be away."""
MOST_SECONDS: Final = 300.0

News = Literal["away", "back"]


class KekWatch:
    """Of one serving process; `start` it on its loop."""

    def __init__(
        self,
        open_keyset: Callable[[], object],
        within: float | None,
        tell: Callable[[News], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`open_keyset` blocks, and raises SetUpError where it does not open. `within`: seconds;
        None: nothing is ever asked."""
        self._open = open_keyset
        self._within = within
        self._tell = tell
        self._clock = clock
        self._seen = clock()
        self._away = False
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def start(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="kek watch")
        return self

    def renew(self, open_keyset: Callable[[], object], within: float | None) -> None:
        """Go on under a new configuration, whose keyset was just opened."""
        self._open, self._within = open_keyset, within
        self._had()
        self._changed.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def trouble(self) -> Refusal | None:
        """Why the keys may not be used any more; None while they may."""
        if self._within is None or self._clock() - self._seen <= self._within:
            return None
        return Refusal("keys_unavailable", "the keys' KEK has been away for too long", 5)

    def check(self) -> None:
        """Raises Refusal (keys_unavailable) where the keys may not be used any more."""
        if (trouble := self.trouble) is not None:
            raise trouble

    async def look(self) -> None:
        """Ask once."""
        opening = self._open
        try:
            await asyncio.to_thread(opening)
        except Exception:  # noqa: BLE001 - whatever it is, it is tried again: it would never be back
            if opening is self._open and not self._away:
                self._away = True
                self._tell("away")
        else:
            if opening is self._open:
                self._had()

    def _had(self) -> None:
        self._seen = self._clock()
        if self._away:
            self._away = False
            self._tell("back")

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            wait = None if self._within is None else min(self._within / SHARE, MOST_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait)
                continue
            await self.look()
