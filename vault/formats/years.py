"""Dates of consecutive Gregorian years as ranks, calendar dates or whatever else is written.

A year's dates are pairs of month and day, each 00 to 99, as the number ``100 * month + day``.
Which pairs count depends on the year only through its being a leap year.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

PAIRS = 10_000
CYCLE = 400
"""The Gregorian calendar repeats itself after this many years,"""
CYCLE_DAYS = 146_097
"""which have this many days."""

_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def is_calendar(pair: int, leap: bool) -> bool:
    """Whether a month and day are a calendar date."""
    month, day = divmod(pair, 100)
    if not 1 <= month <= 12:
        return False
    return 1 <= day <= _LENGTHS[month - 1] + (leap and month == 2)


class Pairs:
    """The pairs of common years and of leap years that `holds(pair, leap)` picks. Arrays: there
    are tens of thousands of them, and each number in a list would be an object of its own."""

    def __init__(self, holds: Callable[[int, bool], bool]) -> None:
        self.of = [
            array("h", (pair for pair in range(PAIRS) if holds(pair, leap)))
            for leap in (False, True)
        ]
        self.indexes = [array("h", [-1]) * PAIRS for _ in self.of]
        for pairs, indexes in zip(self.of, self.indexes, strict=True):
            for index, pair in enumerate(pairs):
                indexes[pair] = index


class Years:
    """The dates of the years `first` to `last` (inclusive) with one of the `pairs`, in order, as
    the ranks ``0 .. size-1``."""

    def __init__(self, first: int, last: int, pairs: Pairs) -> None:
        self.first, self.last = first, last
        self._pairs, self._indexes = pairs.of, pairs.indexes
        sizes = (len(self._pairs[is_leap(year)]) for year in range(first, last + 1))
        self._starts = array("l", accumulate(sizes, initial=0))
        self.size = self._starts.pop()

    def rank(self, year: int, pair: int) -> int | None:
        """None where the date is none of these."""
        if not self.first <= year <= self.last:
            return None
        index = self._indexes[is_leap(year)][pair]
        return None if index < 0 else self._starts[year - self.first] + index

    def date(self, rank: int) -> tuple[int, int]:
        """Year and pair: the inverse of `rank`, for ranks below `size`."""
        at = bisect_right(self._starts, rank) - 1
        year = self.first + at
        return year, self._pairs[is_leap(year)][rank - self._starts[at]]
