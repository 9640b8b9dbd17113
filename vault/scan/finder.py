"""Numbers in bytes: a NIR with its right key, in any printed form.

Most bytes are looked at eight at a time: a number has eight neighbours of which at least half are
digits, and only around such is anything matched.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

import numpy as np

from vault.errors import ItemError
from vault.formats import build

_APART = rb"(?:[ .\-/]|\xc2\xa0|\xe2\x80[\x87\xaf]|&nbsp;|&#160;|%20|\+|=20|=C2=A0|\\u00a0)?"
_PARTS = (rb"[0-9]", rb"[0-9]{2}", rb"[0-9]{2}", rb"(?:[0-9]{2}|2[ABab])", rb"[0-9]{3}")
_NUMBER = re.compile(
    rb"(?<![0-9])(?P<nir>" + _APART.join((*_PARTS, rb"[0-9]{3}", rb"[0-9]{2}")) + rb")(?![0-9])"
)
_OTHER = re.compile(rb"&nbsp;|&#160;|%20|=20|=C2=A0|\\u00a0|[^0-9ABab]")
LONGEST: Final = 15 + 6 * 6
"""Bytes of a number with the longest separators."""
_ALPHABET = rb"[0-9ABab .\-/+%=&;#\\Cnbspu\xa0\xc2\xe2\x80\x87\xaf]"
_RUN = re.compile(
    rb"(?:"
    + _ALPHABET.replace(b"[", b"[^", 1)
    + rb"++|"
    + _ALPHABET
    + rb"{1,14}+(?!"
    + _ALPHABET
    + rb"))*+("
    + _ALPHABET
    + rb"{15,}+)"
)
"""The next stretch of nothing but what numbers are printed with, in one match from anywhere."""
_BLOCK: Final = 8
_BLOCKS: Final = 8
"""Blocks that a number touches at most."""
_DENSE: Final = 14
"""Digits of every number (2A and 2B have one fewer)."""
_LONE: Final = np.uint64(0x0101010101010101)


class Kind(Enum):
    REAL = "real"
    """A right key and a place that births are registered at: one in 97 of all numbers of this
    shape has the key by chance, and few of them the rest."""
    POSSIBLE = "possible"
    """A right key, and parts that only special numbers have."""
    TOKEN = "token"  # noqa: S105
    """In the band that is never issued: harmless."""


class Found(NamedTuple):
    offset: int
    length: int
    kind: Kind


_SAFE = build("fr-nir", band="safe")


def judge(compact: str) -> Kind | None:
    """What 15 characters are; None for a wrong key that no token has either."""
    try:
        place = _SAFE.read_value(compact)
    except ItemError:
        return Kind.TOKEN if _is_token(compact) else None
    return Kind.REAL if place.kind == 0 else Kind.POSSIBLE


def _is_token(compact: str) -> bool:
    try:
        _SAFE.read_token(compact)
    except ItemError:
        return False
    return True


def find(data: bytes) -> Iterator[Found]:
    """Every number in `data`, in order."""
    for start, end in _dense(data):
        at = start
        while (run := _RUN.match(data, at, end)) is not None:
            at = run.end()
            for found in _NUMBER.finditer(data, max(run.start(1) - 1, 0), min(at + 1, len(data))):
                compact = _OTHER.sub(b"", found["nir"]).decode().upper()
                kind = judge(compact)
                if kind is not None:
                    yield Found(found.start(), found.end() - found.start(), kind)


def _dense(data: bytes) -> Iterator[tuple[int, int]]:
    """Stretches with as many digits close together as a number has, apart from each other."""
    padded = data + b"\0" * (-len(data) % _BLOCK)
    digits = (np.frombuffer(padded, np.uint8) - np.uint8(48) < 10).view(np.uint64)
    counts = ((digits * _LONE) >> np.uint64(56)).astype(np.uint8)
    near = counts.copy()
    for back in range(1, _BLOCKS):
        near[back:] += counts[:-back]
    ends = np.flatnonzero(near >= _DENSE)
    if not len(ends):
        return
    breaks = np.flatnonzero(np.diff(ends) > _BLOCKS + 1)
    firsts = ends[np.concatenate(([0], breaks + 1))]
    lasts = ends[np.concatenate((breaks, [len(ends) - 1]))]
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        # A character more on both sides: what stands beside a number says whether it is one.
        start, end = (first - _BLOCKS) * _BLOCK - 1, (last + 1) * _BLOCK + LONGEST + 1
        yield max(0, start), min(len(data), end)
