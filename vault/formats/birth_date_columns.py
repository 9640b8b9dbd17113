"""Calendar dates and their tokens, thousands at a time.

Rows of 8 characters are ``YYYYMMDD``, rows of 10 ``YYYY-MM-DD``, ``DD/MM/YYYY`` or
``DD^MM^YYYY``: a batch is read in the one form that most of its rows have, and the others are
left to the scalar side, as are lunar dates. Days are looked up in one cycle of the calendar,
400 years: both the first year of the values and that of the tokens begin one.
"""

from functools import cache

import numpy as np

from vault.formats.base import Cells, Flags, Ranks
from vault.formats.words import (
    FOUR_DIGITS,
    Numbers,
    Words,
    as_word,
    load,
    read,
    store,
    store_half,
    table,
    written,
)
from vault.formats.years import CYCLE, CYCLE_DAYS, PAIRS, is_calendar, is_leap

COMPACT, SEPARATED = 8, 10
ABSENT = 1 << 31

_DASHES = as_word("-", 4) | as_word("-", 7)
_DASH_BYTES = 0xFF << 32 | 0xFF << 56
_YEAR_LAST_BYTES = 0xFF << 16 | 0xFF << 40


class BirthDateColumns:
    """The column codec of kind 0 (see `vault.formats.base.Columns`)."""

    def __init__(self, values: tuple[int, int], tokens: tuple[int, int]) -> None:
        self._values = _Days(*values)
        self._tokens = _Days(*tokens)

    def kind(self, width: int) -> int | None:
        return 0 if width in (COMPACT, SEPARATED) else None

    def read_values(self, cells: Cells) -> tuple[Flags, Ranks]:
        return self._values.read(cells)

    def write_tokens(self, ranks: Ranks, like: Cells) -> Cells:
        return _printed(self._tokens.dates(ranks), like)

    def read_tokens(self, cells: Cells) -> tuple[Flags, Ranks]:
        return self._tokens.read(cells)

    def write_values(self, ranks: Ranks, like: Cells) -> tuple[Flags, Cells]:
        good = ranks < np.uint64(self._values.size)
        ranks = np.where(good, ranks, np.uint64(0))
        return good, _printed(self._values.dates(ranks), like)


class _Days:
    """The days of some years by rank, and dates, as numbers of eight digits, by rank."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._years = first, last - first + 1
        leap = np.array([is_leap(year) for year in range(first, last + 1)])
        self._starts = np.zeros(self._years, np.uint32)
        self._starts[1:] = np.cumsum(np.where(leap, 366, 365))[:-1]
        self.size = int(self._starts[-1]) + (366 if leap[-1] else 365)
        self._offsets = np.where(leap, PAIRS, 0).astype(np.uint32)
        self._cycle = _cycle(first % CYCLE)

    def read(self, cells: Cells) -> tuple[Flags, Ranks]:
        good, words = _digits(cells)
        digits, numbers = read(words)
        good &= digits
        years = numbers // np.uint32(PAIRS)
        pairs = numbers - years * np.uint32(PAIRS)
        years -= np.uint32(self._first)  # wraps around for years before
        good &= years < np.uint32(self._years)
        at = np.minimum(years, np.uint32(self._years - 1)).astype(np.int64)
        days = _DAYS_OF_YEAR.take(self._offsets.take(at) + pairs)
        good &= days < np.uint32(ABSENT)
        days += self._starts.take(at)
        return good, days.astype(np.uint64)

    def dates(self, ranks: Ranks) -> Numbers:
        days = ranks.astype(np.uint32)
        cycles = days // np.uint32(CYCLE_DAYS)
        days -= cycles * np.uint32(CYCLE_DAYS)
        cycles *= np.uint32(CYCLE * PAIRS)
        cycles += np.uint32(self._first * PAIRS)
        cycles += self._cycle.take(days)
        return cycles


_PAIRS = [
    np.array([pair for pair in range(PAIRS) if is_calendar(pair, leap)], np.uint32)
    for leap in (False, True)
]
_DAYS_OF_YEAR = np.full(2 * PAIRS, ABSENT, np.uint32)
"""The day of the year by pair of month and day: common years, then leap years."""
for _leap, _pairs in enumerate(_PAIRS):
    _DAYS_OF_YEAR[_pairs + PAIRS * _leap] = np.arange(len(_pairs))

_MONTH_DAY = table([f"-{pair // 100:02d}-{pair % 100:02d}" for pair in range(PAIRS)], 2)
_DAY_MONTH = table([f"{pair % 100:02d}\0{pair // 100:02d}" for pair in range(PAIRS)])


@cache
def _cycle(first: int) -> Numbers:
    """The dates of one cycle of the calendar that begins with the year `first`, which is 0 in
    them: one table, of half a megabyte, for all that begin one."""
    years = range(CYCLE)
    return np.concatenate([year * PAIRS + _PAIRS[is_leap(first + year)] for year in years])


def _separator(cells: Cells) -> str:
    """The separator that most of the rows of 10 characters have where their form has it."""
    counts = {
        "-": np.count_nonzero(cells[:, 4] == ord("-")),
        "/": np.count_nonzero(cells[:, 2] == ord("/")),
        "^": np.count_nonzero(cells[:, 2] == ord("^")),
    }
    return max(counts, key=lambda separator: counts[separator])


def _between(separator: str) -> int:
    return as_word(separator, 2) | as_word(separator, 5)


def _digits(cells: Cells) -> tuple[Flags, Words]:
    """Which rows have the form's separators, and all rows' digits as ``YYYYMMDD``."""
    start = load(cells, 0)
    if cells.shape[1] == COMPACT:
        return np.ones(len(cells), np.bool_), start
    end = load(cells, 2)
    separator = _separator(cells)
    if separator == "-":
        good: Flags = start & np.uint64(_DASH_BYTES) == np.uint64(_DASHES)
        words = start & np.uint64(0xFFFF_FFFF)
        words |= (start >> np.uint64(8)) & np.uint64(0xFFFF << 32)
        words |= end & np.uint64(0xFFFF << 48)
        return good, words
    good = start & np.uint64(_YEAR_LAST_BYTES) == np.uint64(_between(separator))
    words = end >> np.uint64(32)
    words |= (start << np.uint64(8)) & np.uint64(0xFFFF << 32)
    words |= start << np.uint64(48)
    return good, words


def _printed(dates: Numbers, like: Cells) -> Cells:
    cells = np.empty(like.shape, np.uint8)
    if like.shape[1] == COMPACT:
        store(cells, 0, written(dates))
        return cells
    years = dates // np.uint32(PAIRS)
    pairs = dates - years * np.uint32(PAIRS)
    texts = FOUR_DIGITS.take(years)
    separator = _separator(like)
    if separator == "-":
        store(cells, 2, _MONTH_DAY.take(pairs))
        store_half(cells, 0, texts)
        return cells
    days = _DAY_MONTH.take(pairs)
    days |= np.uint64(_between(separator))
    store(cells, 0, days)
    store_half(cells, 6, texts)
    return cells
