"""Is this still the primary, when Sentinel can make another one of its replicas?

Sentinel takes no leave of the old primary. Between the moment when one replica is promoted and
the one when the others are told, the old primary goes on with those, and `WAIT` is content:
then all of that is thrown away. (Seen with `SENTINEL FAILOVER`: a write that one of two
replicas held was gone.) But the promoted one has left, so whoever writes can see that one is
missing. Then nothing counts until it is known why: some sentinel tells of a failover, or most
of them, asked afterwards, tell of none.
"""

import re
from collections.abc import Callable, Mapping
from time import monotonic

GRACE = 3.0
"""Seconds until all sentinels know of a failover: the one that leads it looks every second and
tells the others at once."""
SILENT = 5
"""Seconds without a sign of life after which a replica counts as missing: they give one every
second, and Sentinel waits longer than this (`down-after-milliseconds`, as shipped 30,000) until
it makes a primary of one that cannot even say good-bye."""

ASK = ("INFO", "replication")
MISSING = (
    "a replica has left and may be about to become the primary: nothing counts until it is known"
)
ALONE = "a replica has left, and too few sentinels answer to know whether it became the primary"

_REPLICA = re.compile(r"ip=([^,]*),port=(\d+),state=online,.*lag=(-?\d+)")
"""The lag may be -1: Redis counts it from a clock that it reads less often."""


class Fence:
    """Of one primary. `certain`: since when, by `monotonic`, most sentinels have been heard to
    name no other one; None where they are not heard. `expected`: how many replicas there should
    be, for one of them may have been promoted before anything was seen."""

    def __init__(self, certain: Callable[[], float | None], expected: int) -> None:
        self._certain = certain
        self._expected = expected
        self._begun = monotonic()
        self._seen: dict[tuple[str, str], float] = {}

    def trouble(self, facts: Mapping[str, str]) -> str:
        """Why what was written does not count, by `ASK`'s facts from after it; empty if it does."""
        now = monotonic()
        for name, text in facts.items():
            if name.startswith("slave") and (found := _REPLICA.match(text)):
                address, port, lag = found.groups()
                if int(lag) <= SILENT:
                    self._seen[address, port] = now
        if len(self._seen) < self._expected and (unsure := self._unsure(self._begun, now)):
            return unsure
        self._expected = 0
        for replica, last in list(self._seen.items()):
            if last < now:
                if unsure := self._unsure(last, now):
                    return unsure
                del self._seen[replica]
        return ""

    def _unsure(self, since: float, now: float) -> str:
        """Why it is not known what became of a replica that was not seen `since` then."""
        if now - since < GRACE:
            return MISSING
        asked = self._certain()
        return ALONE if asked is None or asked < since + GRACE else ""
