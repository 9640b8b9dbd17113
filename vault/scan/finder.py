"""Numbers in bytes: a NIR with its right key, in any printed form.

All that is written here of a number is digits in its groups (`digits`), read in every way that
bytes can be read (`readings`); the key and the parts say what it is. Whether a number is found
depends on its own bytes and on `BEFORE` and `AFTER` more on its sides, so that a body may be cut
anywhere.
"""

from collections.abc import Collection
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from vault.formats.fr_nir_bodies import BANDS, ORDINARY, TRIPLES, Block
from vault.scan.digits import WIDTH, Bytes, Flags, Numbers, Offsets, numbers
from vault.scan.readings import AFTER, BEFORE, Reading, readings

LONGEST: Final = 96
"""Bytes of a number with the longest separators, and line breaks within it."""
MARGIN: Final = BEFORE + LONGEST + AFTER
"""Bytes that two pieces of a body have to share, for every number to be whole in one of them."""
_BLOCK: Final = 256 << 10
"""Bytes that are looked at together: they stay in the processor's cache."""


class Kind(IntEnum):
    REAL = 1
    """A right key and a place that births are registered at: one in 97 of all numbers of this
    shape has the key by chance, and few of them the rest."""
    POSSIBLE = 2
    """A right key, and parts that only special numbers have."""
    TOKEN = 3
    """In the band that is never issued: harmless."""


class Found(NamedTuple):
    """Numbers in order: the offset, the length and the `Kind` of each."""

    offsets: Offsets
    lengths: Offsets
    kinds: Bytes


_POSSIBLE: Final = Block((1, 2, 3, 4, 7, 8), range(100), (*range(1, 13), *range(20, 100)))
"""Months of which no source says that they are never issued, and first digits that are met."""
SAFE: Final = frozenset({"safe"})


@lru_cache
def _kinds(bands: frozenset[str]) -> Bytes:
    """By sex, year and month: what a number with a right key is; 0 is nothing at all."""
    table = np.zeros(TRIPLES, np.uint8)
    table[list(_POSSIBLE.triples())] = Kind.POSSIBLE
    table[ORDINARY.triples] = Kind.REAL
    for band in bands:
        for block in BANDS[band]:
            table[list(block.triples())] = Kind.TOKEN
    return table


def find(data: bytes, bands: Collection[str] = SAFE) -> Found:
    """Every number in `data`; tokens are those of `bands`, as transformations name them."""
    table = _kinds(frozenset(bands))
    if len(data) <= _BLOCK + MARGIN:
        return _ordered(_in_block(data, table), 0)
    parts = []
    for at in range(0, len(data), _BLOCK):
        start = max(0, at - BEFORE)
        found = _ordered(_in_block(data[start : at + _BLOCK + LONGEST + AFTER], table), start)
        first, beyond = np.searchsorted(found.offsets, (at, at + _BLOCK))
        parts.append([column[first:beyond] for column in found])
    return Found(*map(np.concatenate, zip(*parts, strict=True)))


def _in_block(block: bytes, table: Bytes) -> list[Found]:
    return [found for reading in readings(block) if len((found := _judged(reading, table)).offsets)]


def _judged(reading: Reading, table: Bytes) -> Found:
    among = numbers(reading.data, reading.runs)
    kinds = _kinds_of(among, table)
    right = np.flatnonzero(kinds)
    right = right[reading.holds(among.starts[right], among.ends[right])]
    starts, ends = reading.place(among.starts[right]), reading.place(among.ends[right] - 1) + 1
    short = ends - starts <= LONGEST
    return Found(starts[short], (ends - starts)[short], kinds[right][short])


_POWERS: Final = 10 ** np.arange(WIDTH - 3, -1, -1, dtype=np.int64)


def _kinds_of(among: Numbers, table: Bytes) -> Bytes:
    digits = among.digits
    if not len(digits):
        return np.zeros(0, np.uint8)
    body = digits[:, :-2] @ _POWERS
    right = 97 - body % 97 == digits[:, -2] * np.uint8(10) + digits[:, -1]
    kinds = table.take(body // 10**8)
    nowhere: Flags = (body // 10**6 % 100 == 0) | (body % 1000 == 0)
    kinds[nowhere & (kinds == Kind.REAL)] = Kind.POSSIBLE
    kinds[~right] = 0
    return kinds


def _ordered(found: list[Found], start: int) -> Found:
    """All of them once, by offset, which `start` is added to."""
    if not found:
        nothing = np.zeros(0, np.intp)
        return Found(nothing, nothing, np.zeros(0, np.uint8))
    offsets, lengths, kinds = (np.concatenate(column) for column in zip(*found, strict=True))
    offsets, once = np.unique(offsets, return_index=True)
    return Found(offsets + start, lengths[once], kinds[once])
