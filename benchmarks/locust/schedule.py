"""When a user's calls are due, and since when their latency counts.

A user that waits for each answer sends nothing while the server stalls: a stall of a second then
counts as one slow call, though hundreds would have come meanwhile (coordinated omission). At a
constant arrival rate calls are due at fixed times whatever became of those before. One that
could not be sent in time is sent late, and its latency counts from when it was due.
"""

import random
import time
from collections.abc import Callable

import gevent


class Schedule:
    """Of one user: `rate` calls a second, or 0 for the next one when the last was answered."""

    def __init__(
        self,
        rate: float,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = gevent.sleep,
    ) -> None:
        self._period = 1 / rate if rate else 0.0
        self._clock, self._sleep = clock, sleep
        # Users that start together would else call together for ever.
        self._due = clock() + random.random() * self._period

    def wait(self) -> float:
        """Returns when the next call is due, by the clock; the moment is then past already where
        the user is late."""
        if not self._period:
            return self._clock()
        due, self._due = self._due, self._due + self._period
        if (early := due - self._clock()) > 0:
            self._sleep(early)
        return due

    def since(self, due: float) -> float:
        """Milliseconds."""
        return (self._clock() - due) * 1000
