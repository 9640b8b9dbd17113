"""How many calls are worked on at once: no more than are answered in time.

Everything that a call may have to wait for (the store, the record's disk, a thread for large
batches) is a queue. Taking in more than comes out makes every answer late and none more, so
here the limit follows what comes out: where there are many, and even the quickest of an interval
takes longer than `PATIENCE`, it shrinks, and otherwise it grows back. The quickest one is asked
because a large batch is slow by itself, and says nothing of a queue; nor do a few of them.
"""

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Final

from vault.errors import Refusal

PATIENCE: Final = 1.0
"""Seconds that a call may take for the queue it stands in."""
INTERVAL: Final = 0.5
"""Seconds between two looks, at least."""
FEWEST: Final = 16
"""However slow it gets, so many go on: they find out when it is over."""


class InFlight:
    """The calls of one process that are waited for. `tell` hears their number, whenever it
    changes."""

    def __init__(
        self, most: int, tell: Callable[[int], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._most = self.limit = most
        self._tell = tell
        self._clock = clock
        self._quickest = inf
        self._looked = clock()
        self._crowd = 0
        """The most that there were at once since it was looked."""
        self.count = 0

    def check(self) -> None:
        """Rather a refusal now than an answer too late: raises Refusal ``overloaded``."""
        if self.count >= self.limit:
            raise Refusal("overloaded", "more is being worked on than can be answered in time", 1)

    def enter(self) -> float:
        """One more. Returns when it came, for `leave`. Raises as `check`."""
        self.check()
        self.count += 1
        self._crowd = max(self._crowd, self.count)
        self._tell(self.count)
        return self._clock()

    def leave(self, came: float) -> None:
        """One less, however it ended."""
        self.count -= 1
        self._tell(self.count)
        now = self._clock()
        self._quickest = min(self._quickest, now - came)
        if now - self._looked >= INTERVAL:
            self._look(now)

    def _look(self, now: float) -> None:
        step = self.limit // 4 or 1
        if self._quickest > PATIENCE and self._crowd > self.limit // 2:
            self.limit = max(min(FEWEST, self._most), self.limit - step)
        else:
            self.limit = min(self._most, self.limit + step)
        self._looked, self._quickest, self._crowd = now, inf, self.count
