"""How often and where a call is sent until it has an answer: decided here, done elsewhere.

`Attempts.of(call)` is a generator. It yields `Send` (send the call there, within so long) and
is sent the `Answer`, or the `Unreachable` or `NoAnswer` that came instead; or it yields `Wait`.
It ends with the result, or raises. Clocks, chance and I/O are those who drive it.

- A call ends by its deadline, whatever happens.
- It is tried again where that may help, after a random part of a wait that doubles (full
  jitter), or after `Retry-After`, which is never waited for beyond the deadline. The request id
  stays the same, so the service charges a reveal once.
- Tries again are paid from a quota that successes fill: while a service is down its clients
  do not ask it many times what they would ask once.
- Another address is tried at once; an address that keeps failing is left alone for a while.
"""

import random
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from jeton.endpoints import COOL_SECONDS, LONGEST_COOL_SECONDS, Circuit, Endpoint
from jeton.errors import BudgetExhausted, JetonError, NoAnswer, Unavailable, Unreachable
from jeton.protocol import Answer, Call

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0
SHORTEST_TRY_SECONDS = 1.0
SHORTEST_SECONDS = 1e-6
QUOTA = 500.0
RETRY_COSTS = 5.0
RETRY_AFTER_SILENCE_COSTS = 10.0


@dataclass(frozen=True, slots=True)
class Send:
    """Send the call to `endpoint`; whatever comes back has to be there within `seconds`."""

    endpoint: Endpoint
    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


Got = Answer | Unreachable | NoAnswer | None
Steps = Generator[Send | Wait, Got, T]


@dataclass(slots=True)
class Attempts:
    """What the calls of one client share: addresses and how they did, and the quota.

    `tries` is how often one call is sent at most. Thread-safe."""

    endpoints: Sequence[Endpoint]
    tries: int = 5
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    _circuits: list[Circuit] = field(init=False)
    _quota: float = field(default=QUOTA, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        alone = len(self.endpoints) == 1
        cool = COOL_SECONDS if alone else LONGEST_COOL_SECONDS
        self._circuits = [Circuit(endpoint, cool) for endpoint in self.endpoints]

    def of(self, call: Call[T], deadline: float) -> Steps[T]:
        """The steps of one call, which ends by `deadline` of the clock."""
        failed: dict[Endpoint, JetonError] = {}
        last: JetonError | None = None
        paid = 0.0
        for sent in range(1, self.tries + 1):
            circuit, price = yield from self._place(call, failed, last, deadline)
            paid += price
            left = deadline - self.clock()
            got = yield Send(circuit.endpoint, self._share(max(left, SHORTEST_SECONDS), failed))
            try:
                result = _result(call, got)
            except JetonError as error:
                last = error
            else:
                self._remember(circuit, None, paid)
                return result
            self._remember(circuit, last, paid)
            failed[circuit.endpoint] = last
            pause = self._pause(last, sent, failed)
            price = RETRY_AFTER_SILENCE_COSTS if isinstance(last, NoAnswer) else RETRY_COSTS
            late = self.clock() + pause >= deadline
            if sent == self.tries or not last.may_retry or late or not self._pay(price):
                break
            paid += price
            if pause > 0:
                yield Wait(pause)
        assert last is not None
        raise last

    def _place(
        self,
        call: Call[Any],
        failed: dict[Endpoint, JetonError],
        last: JetonError | None,
        deadline: float,
    ) -> Generator[Send | Wait, Got, tuple[Circuit, float]]:
        """The address to send to: waited for, at a price, while all of them are left alone."""
        paid = 0.0
        while True:
            now = self.clock()
            if now >= deadline:
                raise last or _never_sent(call, "the deadline has passed")
            with self._lock:
                usable = [one for one in self._circuits if one.wait(now) <= 0]
                if usable:
                    chosen = min(usable, key=lambda one: one.endpoint in failed)
                    chosen.taken(now)
                    return chosen, paid
                wait = min(one.wait(now) for one in self._circuits)
            wait *= 1 + self.chance() / 4
            if now + wait >= deadline or not self._pay(RETRY_COSTS):
                why = "every address failed lately and is left alone for now"
                raise last or _never_sent(call, why, wait)
            paid += RETRY_COSTS
            yield Wait(wait)

    def _remember(self, circuit: Circuit, failure: JetonError | None, paid: float) -> None:
        """How the address did, and what a success gives back to the quota."""
        with self._lock:
            if failure is not None and _says_that_the_place_is_bad(failure):
                circuit.failed(self.clock())
                return
            circuit.succeeded()
            if failure is None:
                self._quota = min(QUOTA, self._quota + max(paid, 1.0))

    def _pause(self, failure: JetonError, sent: int, failed: dict[Endpoint, JetonError]) -> float:
        """Seconds before the next try: none where there is another address to ask."""
        if not isinstance(failure, BudgetExhausted) and self._untried(failed):
            return 0.0
        doubled = FIRST_WAIT_SECONDS * 2.0 ** (sent - 1)
        jitter = self.chance() * min(doubled, LONGEST_WAIT_SECONDS)
        return (failure.retry_after or 0.0) + jitter

    def _share(self, left: float, failed: dict[Endpoint, JetonError]) -> float:
        """Where there is another address to go to, one that is silent gets half the time."""
        if len(self._circuits) > 1 and self._untried(failed, others=1):
            return max(left / 2, min(left, SHORTEST_TRY_SECONDS))
        return left

    def _untried(self, failed: dict[Endpoint, JetonError], others: int = 0) -> bool:
        now = self.clock()
        with self._lock:
            usable = [one for one in self._circuits if one.wait(now) <= 0]
        return sum(one.endpoint not in failed for one in usable) > others

    def _pay(self, price: float) -> bool:
        with self._lock:
            if self._quota < price:
                return False
            self._quota -= price
            return True


def _result(call: Call[T], got: Got) -> T:
    if isinstance(got, Answer):
        return call.read(got)
    assert got is not None, "a Send is answered"
    raise got


def _says_that_the_place_is_bad(failure: JetonError) -> bool:
    """A refusal in Jeton's words is an answer: where reveals cannot be had, tokens may be."""
    if isinstance(failure, Unavailable):
        return failure.code is None
    return isinstance(failure, Unreachable | NoAnswer)


def _never_sent(call: Call[Any], why: str, wait: float | None = None) -> Unreachable:
    return Unreachable(why, request_id=call.request_id, retry_after=wait)
