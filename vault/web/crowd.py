"""How many connections a process holds, and who has to go for another one.

Whoever keeps connections open without asking for anything can hold a file each, and there are
only so many: when they run out, honest callers are no longer accepted. So there is a bound below
the kernel's, and at the bound those go that wait for nothing: idle ones, and those whose
handshake or head does not come to an end. What is being answered stays.
"""

import resource
from collections.abc import Iterable
from heapq import nsmallest
from typing import Final, Protocol

RESERVED: Final = 256
"""Files that the rest of the process may have open: the store, the record, accepted connections
on their way in or out."""
SHARE: Final = 16
"""So many times fewer than all go at once: choosing costs a look at all of them."""


class Guest(Protocol):
    """A connection."""

    def waits_until(self) -> float | None:
        """When it would be ended for waiting; None while it is being answered."""
        ...

    def leave(self) -> None:
        """Close it."""
        ...


def capacity(wanted: int) -> int:
    """The connections that this process can hold: `wanted`, or what there may be files for.

    The soft limit, which of old is low for programs that use ``select``, is raised as needed.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    return max(soft - RESERVED, soft // 2)


def make_room(guests: Iterable[Guest], most: int) -> None:
    """Have those leave that have waited longest, compared to how long they may."""
    waiting = [(until, id(one), one) for one in guests if (until := one.waits_until()) is not None]
    for _, _, one in nsmallest(max(1, most // SHARE), waiting):
        one.leave()
