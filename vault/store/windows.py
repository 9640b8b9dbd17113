"""Sliding windows as pure arithmetic: what a limit counts, and when there is room again.

Time is cut into buckets of a sixtieth of the window, numbered from the epoch. The bucket
being filled and the sixty before it are counted: any interval of the window's length touches
at most these, so none ever holds more than the ceiling. Nothing here reads a clock or a
store; every store counts like this.
"""

from collections.abc import Mapping
from math import ceil

from vault.store.base import BUCKETS, Limit


def bucket_of(at: float, window: int) -> int:
    """The number of the bucket of a `window` (in seconds) that the time `at` falls into."""
    return int(at // (window / BUCKETS))


class Window:
    """How much one limit counted, by bucket, as seen from the newest bucket.

    Mutable, and lives for one transaction: a store loads it, decides, and writes it back.
    """

    __slots__ = ("changed", "counts", "newest", "total")

    def __init__(self, newest: int, counts: Mapping[int, int] | None = None) -> None:
        """`counts` as they were stored; what has left the window since is dropped."""
        self.newest = newest
        self.changed = False
        oldest = newest - BUCKETS
        self.counts = {at: n for at, n in counts.items() if at >= oldest} if counts else {}
        self.total = sum(self.counts.values())

    @property
    def oldest(self) -> int:
        return self.newest - BUCKETS

    def add(self, items: int) -> None:
        """Count `items` now."""
        newest = self.newest
        self.counts[newest] = self.counts.get(newest, 0) + items
        self.total += items
        self.changed = True

    def add_at(self, bucket: int, items: int) -> None:
        """Count `items` in an earlier bucket; one that has left counts nothing."""
        if bucket >= self.oldest:
            self.counts[bucket] = self.counts.get(bucket, 0) + items
            self.total += items
            self.changed = True

    def remove(self, items: int, bucket: int) -> None:
        """Take back from exactly this bucket what `add` counted there."""
        left = self.counts[bucket] - items
        if left:
            self.counts[bucket] = left
        else:
            del self.counts[bucket]
        self.total -= items
        self.changed = True

    def give_back(self, items: int, bucket: int) -> None:
        """Take back what was counted in `bucket` or, where the store's clock was ahead of the
        caller's, in a later one.

        The earliest first: what is then left stands at its own time or later, so it never
        leaves the window too early. Where `bucket` itself has left nothing is taken: the
        items may have left with it, and those that remain are somebody else's.
        """
        if bucket < self.oldest:
            return
        for at in sorted(at for at in self.counts if at >= bucket):
            taken = min(items, self.counts[at])
            self.remove(taken, at)
            items -= taken

    def wait(self, items: int, limit: Limit, now: float) -> int:
        """Whole seconds, at least one, until enough has left for `items`, which do not fit now.

        The whole window where they are more than the ceiling and never will.
        """
        if items > limit.ceiling:
            return limit.window
        excess = self.total + items - limit.ceiling
        for at in sorted(self.counts):
            excess -= self.counts[at]
            if excess <= 0:
                leaves = (at + BUCKETS + 1) * (limit.window / BUCKETS)
                return max(1, ceil(leaves - now))
        return 1
