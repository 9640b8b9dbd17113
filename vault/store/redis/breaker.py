"""When a server is away: answer at once instead of waiting, and try again in the background.

Without it every caller waits for the deadline, and they pile up. After `FAILURES` in a row it
is open: nobody is let through, and one probe at a time asks whether the server is back. Then
it is closed again, but one failure opens it at once, until a call has come through.
"""

import asyncio
from collections.abc import Awaitable, Callable

from vault.errors import JetonError, Refusal

FAILURES = 3
PAUSE = 0.25
"""Seconds between two probes."""


class Breaker:
    """`probe` raises a JetonError while the server is away or unsound; `changed` is told
    whenever the breaker opens (True) and closes."""

    def __init__(
        self, probe: Callable[[], Awaitable[None]], changed: Callable[[bool], None]
    ) -> None:
        self._probe = probe
        self._changed = changed
        self._failures = 0
        self._recovery: asyncio.Task[None] | None = None
        self._words = ""
        self._closed = False

    @property
    def open(self) -> bool:
        return self._recovery is not None

    def admit(self) -> None:
        """Raises Refusal while it is open."""
        if self._recovery is not None:
            raise Refusal("store_unavailable", f"the store is away: {self._words}", 1)

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, words: str) -> None:
        """`words`: why, as callers are told."""
        self._failures += 1
        self._words = words
        if self._failures >= FAILURES and self._recovery is None and not self._closed:
            self._recovery = asyncio.create_task(self._recover(), name="store-probe")
            self._changed(True)

    async def close(self) -> None:
        """End its probing; it is not to be used any more."""
        self._closed = True
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.wait([self._recovery])
            self._recovery = None
            self._changed(False)

    async def _recover(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            try:
                await self._probe()
            except JetonError as error:
                words = error.detail if isinstance(error, Refusal) else str(error)
                self._words = words.partition("\n")[0]
                continue
            self._failures = FAILURES - 1
            self._recovery = None
            self._changed(False)
            return
