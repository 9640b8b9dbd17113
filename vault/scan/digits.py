"""Fifteen digits in the groups of a NIR, wherever they stand in a stretch of bytes.

A number is a run of digits, or up to seven of them, that begin and end where its groups do, with
one separator between each. Runs are found and joined thousands at a time.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Offsets = NDArray[np.int32] | NDArray[np.intp]

GROUPS: Final = (1, 2, 2, 2, 3, 3, 2)
WIDTH: Final = sum(GROUPS)
_ZERO: Final = np.uint8(ord("0"))
_EDGES: Final = frozenset(sum(GROUPS[:count]) for count in range(1, len(GROUPS) + 1))
_TOTALS: Final = np.zeros((WIDTH + 1, 256), np.uint8)
"""By digits so far and those of the next run: all of them where a group ends there, else 0."""
for _before in (0, *_EDGES):
    for _edge in _EDGES:
        if _edge > _before:
            _TOTALS[_before, _edge - _before] = _edge

MARK: Final = 0x1F
"""Stands for every byte of an escaped separator, and for nothing else."""
_MARKS: Final = 24
"""How many of them are one separator at most."""


def flags(members: bytes) -> Flags:
    """By byte, whether it is one of `members`."""
    table = np.zeros(256, np.bool_)
    table[list(members)] = True
    return table


_APART: Final = flags(b" .-/_\xa0")
_WIDE: Final = flags(b"\xc2\xe2")
"""What a separator of two or three bytes begins with."""
_OPENS: Final = _APART | _WIDE | flags(bytes([MARK]))
_THIN: Final = flags(bytes((*range(0x80, 0x8B), *range(0x90, 0x94), 0xAF)))
"""After E2 80: spaces of all widths, hyphens and dashes, the narrow no-break space."""


class Runs(NamedTuple):
    """Runs of digits: the first byte of each and the byte after it."""

    starts: Offsets
    ends: Offsets


class Numbers(NamedTuple):
    """Fifteen digits each: where they begin, where they end, and the digits as 0 to 9."""

    starts: Offsets
    ends: Offsets
    digits: Bytes


def runs(data: Bytes) -> Runs:
    is_digit = np.zeros(len(data) + 2, np.bool_)
    np.less(data - _ZERO, 10, out=is_digit[1:-1])
    edges = np.flatnonzero(is_digit[1:] != is_digit[:-1]).astype(np.int32)
    return Runs(edges[::2], edges[1::2])


def numbers(data: Bytes, among: Runs) -> Numbers:
    """Every number of `data`, whose runs are `among`."""
    starts, ends = among
    sizes = np.minimum(ends - starts, 255).astype(np.uint8)
    totals = _TOTALS[0].take(sizes, mode="clip")
    first = np.flatnonzero(totals).astype(np.int32)
    last, totals = first, totals.take(first)
    firsts, lasts = [], []
    while len(first):
        whole = totals == WIDTH
        if whole.any():
            firsts.append(first[whole])
            lasts.append(last[whole])
        going = _OPENS.take(data.take(ends.take(last), mode="clip"), mode="clip") & ~whole
        first, last, totals = first[going], last[going] + 1, totals[going]
        size = starts.take(last, mode="clip") - ends.take(last - 1)
        totals = _TOTALS[totals, sizes.take(last, mode="clip")]
        totals *= _one_separator(data, ends.take(last - 1), size)
        going = totals > 0
        first, last, totals = first[going], last[going], totals[going]
    if not firsts:
        return Numbers(starts[:0], ends[:0], np.zeros((0, WIDTH), np.uint8))
    first, last = np.concatenate(firsts), np.concatenate(lasts)
    return Numbers(starts.take(first), ends.take(last), _digits(data, among, first, last))


def _one_separator(data: Bytes, begin: Offsets, size: Offsets) -> Flags:
    """Whether what stands there is one separator, opened by a byte of `_OPENS`."""
    opening = data.take(begin, mode="clip")
    closing = data.take(begin + size - 1, mode="clip")
    two = (size == 2) & (opening == 0xC2) & (closing == 0xA0)
    three = (size == 3) & (opening == 0xE2) & _THIN.take(closing)
    three &= data.take(begin + 1, mode="clip") == 0x80
    marked = (size > 0) & (size <= _MARKS) & (opening == MARK) & (closing == MARK)
    fits: Flags = ((size == 1) & _APART.take(opening)) | two | three | marked
    return fits


def _digits(data: Bytes, among: Runs, first: Offsets, last: Offsets) -> Bytes:
    """Fifteen from each first run to each last one, without what parts them."""
    starts, ends = among
    rows = np.minimum(starts.take(first), len(data) - WIDTH)
    out = sliding_window_view(data, WIDTH)[rows] - _ZERO
    if (first == last).all():
        return out
    at, begun = np.arange(WIDTH), np.zeros(len(first), np.intp)
    for step in range(int((last - first).max()) + 1):
        run = np.minimum(first + step, last)
        places = (starts.take(run) - begun)[:, None] + at
        mine = (at >= begun[:, None]) & (first + step <= last)[:, None]
        np.copyto(out, data.take(places, mode="clip") - _ZERO, where=mine)
        begun += ends.take(run) - starts.take(run)
    return out
