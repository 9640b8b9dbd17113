"""Does a write count, when Sentinel can make another primary of any replica that lacks it?

Sentinel asks nobody's leave. It promotes a replica that it can reach, and what that one lacks
is thrown away, however many others held it. So a write counts at once where every replica that
is there holds it. One that is not there (it has left, or gives no sign of life) may be the new
primary already, and nothing counts until that is known: some sentinel tells of a failover, or
enough of them, asked afterwards, still hear this primary.

From then on writes count without the missing one, as long as sentinels are heard: before they
promote it they miss the primary for `down-after-milliseconds`, and who is cut off together with
the primary has missed the sentinels by then.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from time import monotonic

GRACE = 3.0
"""Seconds until all sentinels know of a failover: the one that leads it looks every second and
tells the others at once."""
SILENT = 2
"""Seconds without a sign of life after which a replica counts as missing: they give one every
second. While it is silent and not yet missing nothing counts that it does not hold."""

ASK = ("INFO", "replication")
MISSING = (
    "a replica has left and may be about to become the primary: nothing counts until it is known"
)
ALONE = "a replica has left, and too few sentinels answer to know whether it became the primary"
LAGS = "a replica that is there does not hold the write: a failover could lose it"
UNHEARD = (
    "a replica is missing, and too few sentinels were heard lately: they may be about to make it"
    " the primary"
)

_REPLICA = re.compile(
    r"ip=([^,]*),port=(\d+),state=online,(?:.*,)?offset=[1-9]\d*,(?:.*,)?lag=(-?\d+)"
)
"""One that has said how far it is: before that it may be loading for minutes what it was sent, and
who loads is not promoted. The lag may be -1: Redis counts it from a clock that it reads less
often."""


@dataclass(slots=True)
class Hearing:
    """What the sentinels have said of one primary."""

    heard: float = -inf
    """When they were asked, by `monotonic`, as enough of them last answered that they hear it:
    so many that without them nobody can call it down, and no other be elected."""
    lasts: float = 0.0
    """Seconds from then for which none of them calls it down."""
    replicas: int = 0
    """How many it has, those that are away too."""


class Fence:
    """Of one primary. `expected`: how many replicas there should be, for one of them may have
    been promoted before anything was seen."""

    def __init__(self, hearing: Hearing, expected: int) -> None:
        self._hearing = hearing
        self._expected = expected
        self._begun = self._looked = monotonic()
        self._seen: dict[tuple[str, str], float] = {}
        self.there = 0
        """How many replicas were there when it was last looked: a write waits for them."""

    def look(self, facts: Mapping[str, str]) -> int:
        """Take in `ASK`'s facts; returns how many replicas are there."""
        self._looked = now = monotonic()
        there = 0
        for name, text in facts.items():
            if name.startswith("slave") and (found := _REPLICA.match(text)):
                address, port, lag = found.groups()
                if int(lag) <= SILENT:
                    self._seen[address, port] = now
                    there += 1
        self.there = there
        return there

    def trouble(self, facts: Mapping[str, str], held: int) -> str:
        """Why what `held` replicas hold does not count, by facts from after it; empty if it
        does."""
        there, now = self.look(facts), self._looked
        if len(self._seen) < self._expected and (unsure := self._unsure(self._begun)):
            return unsure
        self._expected = 0
        for replica, last in list(self._seen.items()):
            if last < now:
                if unsure := self._unsure(last):
                    return unsure
                del self._seen[replica]
        if held < there:
            return LAGS
        hearing = self._hearing
        unheard = hearing.heard + hearing.lasts < now
        return UNHEARD if unheard and there < hearing.replicas else ""

    def _unsure(self, since: float) -> str:
        """Why it is not known what became of a replica that was not seen `since` then."""
        if self._looked - since < GRACE:
            return MISSING
        return ALONE if self._hearing.heard < since + GRACE else ""
