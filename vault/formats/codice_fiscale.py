"""The Italian codice fiscale as a set that is counted: names, birth date, place, omocodia.

Where two people would have one code, digits of the second are written as letters (*omocodia*,
decree of 23 December 1976, article 6): first the last one, then others in combination. So a
code has, beside its characters, a pattern of which of its seven digits are letters.
"""

from collections.abc import Sequence
from itertools import combinations

from vault.formats.check_characters import CAPITALS, DIGITS, Weighted
from vault.formats.counted import Checked, Counted, Numbers, OneOf, Row

MONTHS = "ABCDEHLMPRST"
PLACES = "ABCDEFGHIJKLMZ"
"""What codes of municipalities and, with Z, of countries begin with."""

_DIGITS_AT = (6, 7, 9, 10, 12, 13, 14)
_AS_LETTERS = str.maketrans(DIGITS, "LMNPQRSTUV")
_AS_DIGITS = str.maketrans("LMNPQRSTUV", DIGITS)
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_ODD = [*map(int, "1 0 5 7 9 13 15 17 19 21 2 4 18 20 11 3 6 8 12 14 16 10 22 25 24 23".split())]
_ODDS = {c: _ODD[n] for text in (DIGITS, CAPITALS) for n, c in enumerate(text)}
_EVENS = {c: n for text in (DIGITS, CAPITALS) for n, c in enumerate(text)}

CHECK = Weighted([_EVENS if at % 2 else _ODDS for at in range(15)], CAPITALS)
"""Decree of 23 December 1976, article 7: the first place counts as odd."""

Pattern = tuple[int, ...]
"""Which of the seven digits are written as letters."""

ALL_PATTERNS: tuple[Pattern, ...] = tuple(
    pattern for size in range(8) for pattern in combinations(range(7), size)
)
PATTERNS = tuple(
    pattern
    for pattern in ALL_PATTERNS
    if len(pattern) <= 2 or pattern == tuple(range(7 - len(pattern), 7))
)
"""Those that are met: up to two digits in any place, or all from some place on."""


class _Codes:
    """Bodies of fifteen characters: names, one of `dates` (``yymmdd``), a place, a pattern."""

    width = 15

    def __init__(self, dates: Sequence[str], places: str, patterns: Sequence[Pattern]) -> None:
        names = (OneOf(CAPITALS) for _ in range(6))
        self._plain = Row(*names, OneOf(dates), OneOf(places), Numbers(3))
        self._patterns = patterns
        self._indexes = {pattern: index for index, pattern in enumerate(patterns)}
        self.size = self._plain.size * len(patterns)

    def rank(self, text: str) -> int | None:
        month = MONTHS.find(text[8])
        digits = "".join([text[at] for at in _DIGITS_AT])
        pattern = tuple([n for n, character in enumerate(digits) if not character.isdigit()])
        index = self._indexes.get(pattern)
        if month < 0 or index is None:
            return None
        digits = digits.translate(_AS_DIGITS)
        date = f"{digits[:2]}{month + 1:02d}{digits[2:4]}"
        rank = self._plain.rank(text[:6] + date + text[11] + digits[4:])
        return None if rank is None else rank * len(self._patterns) + index

    def text(self, rank: int) -> str:
        rank, index = divmod(rank, len(self._patterns))
        plain = self._plain.text(rank)
        month = MONTHS[int(plain[8:10]) - 1]
        characters = list(plain[:8] + month + plain[10:])
        for digit in self._patterns[index]:
            at = _DIGITS_AT[digit]
            characters[at] = characters[at].translate(_AS_LETTERS)
        return "".join(characters)


def _birth_dates() -> list[str]:
    """Every date of a century as yymmdd, women's days plus 40. Which century is not said:
    29 February is one in every fourth year, 00 among them."""
    return [
        f"{year:02d}{month:02d}{day + more:02d}"
        for year in range(100)
        for month, length in enumerate(_LENGTHS, 1)
        for day in range(1, length + (month != 2 or year % 4 == 0))
        for more in (0, 40)
    ]


def _never_dates() -> list[str]:
    """Days 81 to 99: neither men's (01 to 31) nor women's (41 to 71)."""
    return [
        f"{year:02d}{month:02d}{day}"
        for year in range(100)
        for month in range(1, 13)
        for day in range(81, 100)
    ]


def issued() -> Counted:
    return Checked(_Codes(_birth_dates(), PLACES, PATTERNS), CHECK)


def never_issued() -> Counted:
    return Checked(_Codes(_never_dates(), CAPITALS, ALL_PATTERNS), CHECK)
