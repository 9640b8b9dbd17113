"""Birth dates of the years 1800 to 2199, calendar dates or "lunar" ones.

A lunar date has a month or day that no calendar knows; claims must carry it as it stands on
the card. Tokens are dates of the years 2200 to 9999 of the same kind: calendar dates for
calendar dates, lunar for lunar, and one-digit days or months where the value had one.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple, cast

from vault.errors import InvalidValue, NotAToken
from vault.formats.base import Columns, ContextRule, Domain, Place
from vault.formats.birth_date_columns import BirthDateColumns
from vault.formats.catalogue import Entry, Options, Row
from vault.formats.masking import masked
from vault.formats.years import Pairs, Years, is_calendar

VALUE_YEARS = (1800, 2199)
TOKEN_YEARS = (2200, 9999)
KEY_SLOTS = 2

ISO = "{year:04d}-{month:02d}-{day:02d}"
COMPACT = "{year:04d}{month:02d}{day:02d}"
SLASHED = "{day:02d}/{month:02d}/{year:04d}"
CARETS = "{day:02d}^{month:02d}^{year:04d}"
UNPADDED = "{day}^{month}^{year:04d}"
"""The printed forms, as the templates that print them."""

SEPARATORS = "-/^"

_YEAR_FIRST = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([/^])([0-9]{1,2})\2([0-9]{4})")

NO_DATE = "expected a date as YYYY-MM-DD, YYYYMMDD, DD/MM/YYYY or D^M^YYYY"
UNEVEN = "day and month are written alike: both with two digits, or both without leading zeros"
NOT_AGAIN = "years from 2200 are tokens already: only values are tokenised"
TOO_EARLY = "the years of birth dates are 1800 to 2199"
IS_A_VALUE = "years before 2200 are no tokens: this may be a value"


class _Parsed(NamedTuple):
    year: int
    pair: int
    form: str


class _Kind:
    """Dates of one sort, calendar or lunar, padded or not: values, tokens and the domain.

    FF1 runs over the whole of a key slot, not only over as many ranks as there are values:
    so the domain of calendar dates is above the floor, and a token that is opened under a
    wrong context mostly is no value at all.
    """

    def __init__(self, lunar: bool, unpadded: bool) -> None:
        def holds(pair: int, leap: bool) -> bool:
            if unpadded and pair // 100 >= 10 and pair % 100 >= 10:
                return False
            return is_calendar(pair, leap) != lunar

        pairs = Pairs(holds)
        self.values = Years(*VALUE_YEARS, pairs)
        self.tokens = Years(*TOKEN_YEARS, pairs)
        self.domain = Domain.ranked(self.tokens.size // KEY_SLOTS, self.tokens.size)


class BirthDate:
    """`birth-date`: kind 0 calendar, 1 lunar, and 2 and 3 the same written without padding."""

    name = "birth-date"
    context: ContextRule = "required"
    recognisable = True
    slots = KEY_SLOTS
    vaulted_kinds: Mapping[int, int] = MappingProxyType({1: 0, 3: 2})

    def __init__(self) -> None:
        both = (False, True)
        self._kinds = [_Kind(lunar, unpadded) for unpadded in both for lunar in both]
        self.columns: Columns | None = BirthDateColumns(VALUE_YEARS, TOKEN_YEARS)
        self.kinds: Sequence[Place] = [
            Place(kind, 0, UNPADDED if kind > 1 else ISO) for kind in range(4)
        ]

    def domain(self, kind: int) -> Domain:
        return self._kinds[kind].domain

    def read_value(self, text: str) -> Place:
        year, pair, form = _parse(text)
        for kind in _kinds_of(form):
            rank = self._kinds[kind].values.rank(year, pair)
            if rank is not None:
                return Place(kind, rank, form)
        raise InvalidValue(TOO_EARLY if year < VALUE_YEARS[0] else NOT_AGAIN)

    def write_token(self, place: Place) -> str:
        return _print(self._kinds[place.kind].tokens, place)

    def read_token(self, text: str) -> Place:
        try:
            year, pair, form = _parse(text)
        except InvalidValue as error:
            raise NotAToken(error.detail) from None
        for kind in _kinds_of(form):
            rank = self._kinds[kind].tokens.rank(year, pair)
            if rank is not None:
                return Place(kind, rank, form)
        raise NotAToken(IS_A_VALUE)

    def write_value(self, place: Place) -> str:
        values = self._kinds[place.kind].values
        if place.rank >= values.size:
            raise NotAToken("no value has this token: the context or the token is wrong")
        return _print(values, place)

    def read_whole(self, text: str) -> tuple[Place, str]:
        place = self.read_value(text)
        return place, _print(self._kinds[place.kind].values, place._replace(form=ISO))

    def canonical(self, value: str) -> str:
        return self.read_whole(value)[1]

    def mask(self, value: str, keep_first: int | None, keep_last: int | None) -> str:
        if keep_first is None and keep_last is None:
            year_first = _YEAR_FIRST.fullmatch(value) is not None
            keep_first, keep_last = (4, 0) if year_first else (0, 4)
        return masked(value, keep_first or 0, keep_last or 0, SEPARATORS)


def _kinds_of(form: str) -> tuple[int, int]:
    return (2, 3) if form == UNPADDED else (0, 1)


def _parse(text: str) -> _Parsed:
    """Raises InvalidValue where the text has none of the forms."""
    if shape := _YEAR_FIRST.fullmatch(text):
        year, dash, month, day = shape.groups()
        return _Parsed(int(year), int(month + day), ISO if dash else COMPACT)
    if shape := _YEAR_LAST.fullmatch(text):
        day, separator, month, year = shape.groups()
        form = _padding(day, month, separator)
        return _Parsed(int(year), int(month) * 100 + int(day), form)
    raise InvalidValue(NO_DATE)


def _padding(day: str, month: str, separator: str) -> str:
    if len(day) == len(month) == 2:
        return SLASHED if separator == "/" else CARETS
    if separator == "/":
        raise InvalidValue(NO_DATE)
    if any(len(part) == 2 and part[0] == "0" for part in (day, month)):
        raise InvalidValue(UNEVEN)
    return UNPADDED


def _print(years: Years, place: Place) -> str:
    year, pair = years.date(place.rank)
    month, day = divmod(pair, 100)
    return cast("str", place.form).format(year=year, month=month, day=day)


@cache
def _built() -> BirthDate:
    return BirthDate()


def _make(_: Options) -> BirthDate:
    return _built()


def _rows() -> tuple[Row, ...]:
    padded = "YYYY-MM-DD, YYYYMMDD, DD/MM/YYYY, DD^MM^YYYY"
    lines = (
        ("calendar dates, 1800-2199", padded, "calendar dates, 2200-9999"),
        ("lunar dates, 1800-2199", padded, "dates of no calendar, 2200-9999"),
        ("calendar dates, unpadded", "D^M^YYYY", "calendar dates so written, 2200-9999"),
        ("lunar dates, unpadded", "D^M^YYYY", "dates of no calendar so written, 2200-9999"),
    )
    return tuple(
        Row(
            format="birth-date",
            values=values,
            shape=shape,
            domain=_built().domain(kind).size,
            tokens=tokens,
            validators="calendars that take dates to come" if kind % 2 == 0 else "none: no dates",
            recognisable=True,
            slots=KEY_SLOTS,
        )
        for kind, (values, shape, tokens) in enumerate(lines)
    )


ENTRIES = (Entry("birth-date", frozenset(), _make, _rows),)
