"""Ways to read a stretch of bytes: as it stands, with its escapes undone, as UTF-16.

Each gives bytes of its own, and says where they stood. What is asked for depends on what stands
beside digits alone, so that a number is found whatever else there is around it.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np

from vault.scan.digits import MARK, WIDTH, Bytes, Flags, Offsets, Runs, flags, runs

BEFORE: Final = 8
"""Bytes before a number that can change how it is read: an escape that ends there."""
AFTER: Final = 2
"""The same after it: the next digit, in UTF-16 too."""

_SPACES = "20 2[DdEeFf] [Aa]0"
_UTF8 = "[Cc]2{0}[Aa]0 [Ee]2{0}80{0}(?:8[0-9Aa]|9[0-3]|[Aa][Ff])"
_WIDE = "00[Aa]0 0020 002[DdEeFf] 20(?:0[0-9Aa]|1[0-3]|2[Ff])"


def _escapes(before: str, codes: str) -> list[str]:
    return [before + code for code in codes.split()]


_SEPARATORS = "|".join(
    [
        *_escapes("%", _UTF8.format("%")),
        *_escapes("%", _SPACES),
        *_escapes("=", _UTF8.format("=")),
        *_escapes("=", _SPACES),
        *_escapes(r"\\u", _WIDE),
        *_escapes(r"\\x", _SPACES),
        r"\\/",
        r"&(?:nbsp|thinsp|ensp|emsp|hairsp|numsp|hyphen|dash|period|sol);",
        r"&#0*(?:32|45|46|47|160|820[0-9]|8210|8211|8239);",
        r"&#[Xx]0*(?:20|2[DdEeFf]|[Aa]0|20(?:0[0-9Aa]|1[0-3]|2[Ff]));",
    ]
)
_OTHERS = r"%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}"
_ESCAPED = re.compile(
    f"(?P<apart>(?:{_SEPARATORS})(?=[0-9]))|{_OTHERS}".encode(),
)
_SOFT_BREAK = re.compile(rb"=\r?\n")

_OPENS, _CODE, _LETTER, _NUL = 1, 2, 4, 8
_BESIDE: Final = (
    flags(b"%=\\&+") * np.uint8(_OPENS)
    + flags(b"%ux") * np.uint8(_CODE)
    + flags(b"ABab") * np.uint8(_LETTER)
    + flags(b"\0") * np.uint8(_NUL)
)
"""What the byte beside a run of digits says of how it may be read."""
_DEPARTMENT: Final = 6
"""Characters of a number before the letter of its department."""
_NEIGHBOURS: Final = 7
"""Pairs of digits of a number that nothing parts, at least."""


class Reading(NamedTuple):
    """`place(offset)` is where a byte of `data` stood."""

    data: Bytes
    runs: Runs
    place: Callable[[Offsets], Offsets]
    letters: Offsets | None = None
    """Where 2A and 2B are written 19 and 18, as they are for the key: their second characters.
    Only numbers with one of them as their department are of this reading."""

    def holds(self, starts: Offsets, ends: Offsets) -> Flags:
        """Which numbers are of this reading."""
        if self.letters is None:
            return np.ones(len(starts), np.bool_)
        first = np.searchsorted(self.letters, starts)
        fits: Flags = np.searchsorted(self.letters, ends) - first == 1
        letter = self.letters.take(first, mode="clip")
        fits &= (ends - starts > WIDTH) | (letter - starts == _DEPARTMENT)
        for row in np.flatnonzero(fits & (ends - starts > WIDTH)):
            before = self.data[starts[row] : letter[row]] - np.uint8(ord("0"))
            fits[row] = np.count_nonzero(before < 10) == _DEPARTMENT
        return fits


def readings(block: bytes) -> Iterator[Reading]:
    data = np.frombuffer(block, np.uint8)
    plain = Reading(data, runs(data), _same)
    starts, ends = plain.runs
    if not len(starts):
        return
    before = np.bitwise_or.reduce(_beside(data, starts - 1))
    after = np.bitwise_or.reduce(beside := _beside(data, ends))
    behind_letters = ends[beside & _LETTER > 0] + 1  # of 2A and 2B
    after |= np.bitwise_or.reduce(_beside(data, behind_letters))
    yield from _with_corsica(plain)
    if after & _OPENS or before & _CODE:
        yield from _with_corsica(_unescaped(block))
    if after & _NUL and _in_pairs(starts, beside):
        for parity in (0, 1):
            yield from _with_corsica(_half(block, parity))


def _beside(data: Bytes, places: Offsets) -> Bytes:
    beside: Bytes = _BESIDE.take(data.take(places, mode="clip"), mode="clip")
    return beside


def _same(offsets: Offsets) -> Offsets:
    return offsets


def _with_corsica(reading: Reading) -> Iterator[Reading]:
    """The reading, and again with 2A and 2B as numbers where there may be any."""
    yield reading
    data, (_, ends), place = reading[:3]
    beyond = ends[_beside(data, ends) & _LETTER > 0]
    letters = beyond[data.take(beyond - 1) == ord("2")]
    if len(letters):
        changed = data.copy()
        changed[letters - 1] = ord("1")
        changed[letters] = np.where(data.take(letters) & 1, ord("9"), ord("8"))  # A is odd
        yield Reading(changed, runs(changed), place, letters)


def _unescaped(block: bytes) -> Reading:
    """Escaped separators as marks, other escapes as nothing, soft line breaks left out."""
    place: Callable[[Offsets], Offsets] = _same
    if b"=" in block and (breaks := [found.span() for found in _SOFT_BREAK.finditer(block)]):
        kept = np.ones(len(block), np.bool_)
        for start, end in breaks:
            kept[start:end] = False
        place = np.flatnonzero(kept).take
        block = _SOFT_BREAK.sub(b"", block)
    block = _ESCAPED.sub(_blank, block.replace(b"+", bytes([MARK])))
    data = np.frombuffer(block, np.uint8)
    return Reading(data, runs(data), place)


def _blank(found: re.Match[bytes]) -> bytes:
    return (b"\0" if found["apart"] is None else bytes([MARK])) * (found.end() - found.start())


def _in_pairs(starts: Offsets, beside: Bytes) -> bool:
    """Whether single digits stand a zero byte apart, as often as in one number of UTF-16."""
    apart = (np.diff(starts) == 2) & (beside[:-1] & _NUL > 0)
    return int(np.count_nonzero(apart)) >= _NEIGHBOURS


def _half(block: bytes, parity: int) -> Reading:
    """Every other byte where one beside it is zero, which makes both byte orders one: the narrow
    no-break space of UTF-16 reads as a slash, and parts a number as well."""
    padded = np.frombuffer(b"\0" + block + b"\0", np.uint8)
    mine = padded[1 + parity : -1 : 2]
    zero = (padded[parity:-2:2] == 0) | (padded[2 + parity :: 2] == 0)
    data = np.where(zero, mine, np.uint8(0))
    return Reading(data, runs(data), lambda offsets: offsets * 2 + parity)
