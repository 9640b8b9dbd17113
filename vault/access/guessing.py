"""What guessing gets: how much a mask leaves open, and how many tries make a whole table.

Two models, both stated, both kinder to the thief than to us. *Likely*: what real people have
(births and birth dates), where a format is about people and something is known of them.
*Alike*: every value that can be written is as probable as any other, which real data never
is: so what is left is less. See "Blast radius" in docs/limits.md.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Final

from vault.config import DAY, HOUR, Transformation, format_of
from vault.formats import Format
from vault.formats.fr_nir_bodies import ORDINARY

SAMPLES: Final = 4_096
ENOUGH: Final = 20
"""A distribution is read off a sample that holds each of its outcomes so often, or more."""
_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio: its multiples fall evenly, in leading and in last digits."""

BIRTHS_A_YEAR: Final = 750_000
YEARS: Final = 100
DEPARTMENTS: Final = 100
"""France since 1946, rounded: some 750,000 births a year, shared by a hundred departments."""
SEXES: Final = 2

FIRST_BIRTH, LAST_BIRTH = date(1904, 1, 1), date(2026, 12, 31)
"""Whose birth dates are likely: 44,926 days."""
MOST_BITS: Final = 1_000.0
"""Counted no further: a float ends soon after, and no thief gets that far."""
DATES: Final = ("birth-date", "birth-date-6")
"""Formats whose values many people share."""


@dataclass(frozen=True, slots=True)
class Behind:
    """How many values a mask leaves, on average: ``2 ** bits`` of them, were all alike.

    `bits` is the entropy that is left of a value once its mask is known, in the likely model
    where there is one, else in the alike one, whose figure is `alike`.
    """

    bits: float
    alike: float

    @property
    def candidates(self) -> float:
        return math.exp2(min(self.bits, MOST_BITS))


@dataclass(frozen=True, slots=True)
class Table:
    """All tokens of something, under one context, by tokenising guesses."""

    of: str
    guesses: int
    """In the likely model where there is one."""
    alike: int
    """Of everything that can be written."""


@lru_cache(maxsize=64)
def behind_mask(configured: Transformation) -> Behind:
    """What is left of a value of this transformation once its mask is seen.

    Raises SetUpError where the configuration makes no format.
    """
    form = format_of(configured)
    size, texts = _alike(configured)
    told = _told(configured, form, texts)
    alike = max(0.0, math.log2(size) - told)
    likely, known = _likely(form.name), _likely_texts(form)
    if likely is None:
        return Behind(alike, alike)
    if known is not None:
        told = _told(configured, form, known[:: max(1, likely // SAMPLES)])
    return Behind(max(0.0, math.log2(likely) - told), alike)


def tables(configured: Transformation) -> tuple[Table, ...]:
    """What could be listed by tokenising guesses, the quickest first. Raises SetUpError."""
    form = format_of(configured)
    if form.name == "fr-nir":
        return _nir_tables()
    size, _ = _alike(configured)
    likely = _likely(form.name)
    if likely is not None:
        return (Table("birth dates under one context", likely, size),)
    several = len({form.domain(kind.kind).size for kind in form.kinds}) > 1
    return (Table("all values of the shortest kind" if several else "all values", size, size),)


def population(configured: Transformation) -> float:
    """Among how many values a guess is made where no mask is seen. Raises SetUpError."""
    form = format_of(configured)
    size = _likely(form.name) or _alike(configured)[0]
    return float(min(size, int(math.exp2(MOST_BITS))))


def seconds(guesses: int, hour: int, day: int) -> int:
    """How long so many guesses take at least: a limit's whole window may be spent at once,
    so what fits into the first hour's limit takes no time at all. `hour` and `day` are
    ceilings of sliding windows, both at least 1.
    """
    hour = min(hour, day)
    day = min(day, 24 * hour)
    days, rest = divmod(max(guesses, 1) - 1, day)
    return days * DAY + rest // hour * HOUR


def smallest_domain(configured: Transformation) -> int:
    """How many ranks FF1 permutes, of the kind that has the fewest. Raises SetUpError."""
    form = format_of(configured)
    return min(form.domain(kind.kind).size for kind in form.kinds)


def _nir_tables() -> tuple[Table, ...]:
    """Likely: the thief is taken to know how many births each commune registers in a month,
    and so the orders, and guesses the sex. Blindly every commune and order is tried."""
    births = SEXES * BIRTHS_A_YEAR
    month = SEXES * 1_000 * ORDINARY.orders  # by any of a thousand communes
    department = month * 12 * YEARS
    return (
        Table("a month of births in a department", births // (12 * DEPARTMENTS), month),
        Table("a department", births * YEARS // DEPARTMENTS, department),
        Table("everybody", births * YEARS, ORDINARY.size),
    )


@lru_cache(maxsize=64)
def _alike(configured: Transformation) -> tuple[int, Sequence[str]]:
    """How many values the usual kind has, and an even sample of them."""
    form = format_of(configured)
    usual = form.kinds[0]
    size = form.domain(usual.kind).size
    if form.name == "birth-date":  # FF1's domain is a key slot, wider than the values
        size = form.read_value("2199-12-31").rank + 1
    ranks = ((at * _GOLDEN % 2**64) * size >> 64 for at in range(SAMPLES))
    return size, tuple(form.write_value(usual._replace(rank=rank)) for rank in ranks)


def _likely(name: str) -> int | None:
    if name == "fr-nir":
        return BIRTHS_A_YEAR * YEARS
    return {"birth-date": len(_births()), "birth-date-6": len(_century())}.get(name)


def _likely_texts(form: Format) -> Sequence[str] | None:
    """None: as likely values are written like any others (a NIR of a birth)."""
    return {"birth-date": _births(), "birth-date-6": _century()}.get(form.name)


@cache
def _births() -> tuple[str, ...]:
    return tuple(day.isoformat() for day in _days(FIRST_BIRTH, LAST_BIRTH))


@cache
def _century() -> tuple[str, ...]:
    return tuple(f"{day:%d%m%y}" for day in _days(date(1927, 1, 1), LAST_BIRTH))


def _days(first: date, last: date) -> Iterator[date]:
    for days in range((last - first).days + 1):
        yield first + timedelta(days)


def _told(configured: Transformation, form: Format, texts: Sequence[str]) -> float:
    keep = configured.keep_first, configured.keep_last
    return _entropy([form.mask(text, *keep) for text in texts])


def _entropy(masks: Sequence[str]) -> float:
    """The bits that masks tell, of an even sample of them; at most a little too many.

    Neighbouring characters are read together as long as the sample is large enough for them,
    and summed up as if they were independent where it is not: that can only add.
    """
    width = max(map(len, masks))
    columns = list(zip(*(mask.ljust(width) for mask in masks), strict=True))
    bits, group = 0.0, [""] * len(masks)
    for column in columns:
        wider = [before + character for before, character in zip(group, column, strict=True)]
        if len(set(wider)) * ENOUGH > len(masks):
            bits += _bits(group)
            wider = list(column)
        group = wider
    return bits + _bits(group)


def _bits(outcomes: Sequence[str]) -> float:
    total = len(outcomes)
    return -math.fsum(n / total * math.log2(n / total) for n in Counter(outcomes).values())
