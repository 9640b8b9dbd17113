"""Ordinary NIRs and their tokens, thousands at a time.

A row of 15 or 13 characters is read as two overlapping words (`words`): the first holds sex,
year, month and department, the second commune, order and key, or in 13 characters department,
commune and order. Writing looks each part up as text that already stands at its place in a
word. Whatever is not in the two sets of bodies, right key and all, is left to the scalar side.
"""

import numpy as np
from numpy.typing import NDArray

from vault.formats.base import Cells, Flags, Ranks
from vault.formats.fr_nir_bodies import DEPARTMENT_NUMBERS, DEPARTMENTS, TRIPLES, Bodies
from vault.formats.words import ZEROS, Numbers, as_word, load, read, store, table

KEYED, UNKEYED = 15, 13

ABSENT = 1 << 62
"""Stands in tables for what is none of the bodies: two of them still fit in 64 bits."""

_PAIRS = 1 << 16
_PLACES = [as_word(text) for text in DEPARTMENTS]
_TRIPLE_WEIGHT = 10**8 % 97
_THREE = table([f"{n:03d}" for n in range(1000)])
_COMMUNES, _ORDERS = _THREE, _THREE << np.uint64(24)
_KEYS = table([f"{97 - n:02d}" for n in range(97)], 6)
_PLACE_RESIDUES = np.zeros(_PAIRS, np.uint32)
_PLACE_RESIDUES[_PLACES] = [n * 10**6 % 97 for n in DEPARTMENT_NUMBERS]


class FrNirColumns:
    """The column codec of kind 0 (see `vault.formats.base.Columns`)."""

    def __init__(self, values: Bodies, tokens: Bodies) -> None:
        self._values = _BodyColumns(values)
        self._tokens = self._values if tokens is values else _BodyColumns(tokens)

    def kind(self, width: int) -> int | None:
        return 0 if width in (KEYED, UNKEYED) else None

    def read_values(self, cells: Cells) -> tuple[Flags, Ranks]:
        return self._values.read(cells)

    def write_tokens(self, ranks: Ranks, like: Cells) -> Cells:
        return self._tokens.write(ranks, like.shape[1])

    def read_tokens(self, cells: Cells) -> tuple[Flags, Ranks]:
        return self._tokens.read(cells)

    def write_values(self, ranks: Ranks, like: Cells) -> tuple[Flags, Cells]:
        return np.ones(len(ranks), np.bool_), self._values.write(ranks, like.shape[1])


class _BodyColumns:
    """Ranks of one set of bodies from rows, and rows from ranks."""

    def __init__(self, bodies: Bodies) -> None:
        self._first, self._orders = bodies.first, bodies.orders
        self._a_place = 1000 * bodies.orders
        self._a_triple = bodies.departments * self._a_place
        self._triple_ranks = np.full(TRIPLES, ABSENT, np.uint64)
        self._triple_ranks[bodies.triples] = np.arange(len(bodies.triples)) * self._a_triple
        self._place_ranks = np.full(_PAIRS, ABSENT, np.uint64)
        self._place_ranks[_PLACES[bodies.first :]] = np.arange(bodies.departments) * self._a_place
        # Byte 7 of these is overwritten by the second word; until then it carries the body's
        # remainder mod 97, which the sum of both adds up.
        self._triple_texts = np.array(
            [as_word(f"{t:05d}") | t * _TRIPLE_WEIGHT % 97 << 56 for t in bodies.triples],
            np.uint64,
        )
        self._place_texts = np.array(
            [
                as_word(text, 5) | place * 10**6 % 97 << 56
                for text, place in zip(DEPARTMENTS, DEPARTMENT_NUMBERS, strict=True)
            ][bodies.first :],
            np.uint64,
        )

    def read(self, cells: Cells) -> tuple[Flags, Ranks]:
        """Which rows are these bodies (with the right key, if any), and their ranks."""
        head = load(cells, 0)
        keyed = cells.shape[1] == KEYED
        tail = load(cells, 7 if keyed else 5)
        places = ((head >> np.uint64(40)) & np.uint64(0xFFFF)).astype(np.int64)
        if not keyed:
            tail &= np.uint64(0xFFFF_FFFF_FFFF_0000)
            tail |= np.uint64(ZEROS & 0xFFFF)
        head <<= np.uint64(24)
        head |= np.uint64(ZEROS & 0xFF_FFFF)
        good, triples = read(head)
        digits, tails = read(tail)
        good &= digits
        if keyed:
            keys, tails = tails, tails // np.uint32(100)
            keys -= tails * np.uint32(100)
            good &= _keys_match(triples, places, tails, keys)
        ranks = self._triple_ranks.take(triples.astype(np.int64), mode="clip")
        ranks += self._place_ranks.take(places)
        good &= ranks < np.uint64(ABSENT)
        if self._first:
            communes = tails // np.uint32(1000)
            good &= communes * np.uint32(1000) != tails
            tails = tails - communes - np.uint32(1)
        ranks += tails
        return good, ranks

    def write(self, ranks: Ranks, width: int) -> Cells:
        """The bodies of these ranks (each in range) in rows of `width`."""
        triples = ranks // np.uint64(self._a_triple)
        rest = (ranks - triples * np.uint64(self._a_triple)).astype(np.uint32)
        places = rest // np.uint32(self._a_place)
        rest -= places * np.uint32(self._a_place)
        communes = rest // np.uint32(self._orders)
        orders = rest - communes * np.uint32(self._orders) + np.uint32(self._first)

        head = self._triple_texts.take(triples.astype(np.int64))
        head += self._place_texts.take(places)
        tail = _COMMUNES.take(communes)
        tail |= _ORDERS.take(orders)
        cells = np.empty((len(ranks), width), np.uint8)
        store(cells, 0, head)
        if width == UNKEYED:
            tail <<= np.uint64(16)
            tail |= (head >> np.uint64(40)) & np.uint64(0xFFFF)
            store(cells, 5, tail)
            return cells
        residues = (head >> np.uint64(56)).astype(np.uint32)
        residues += communes * np.uint32(1000)
        residues += orders
        residues -= residues // np.uint32(97) * np.uint32(97)
        tail |= _KEYS.take(residues)
        store(cells, 7, tail)
        return cells


def _keys_match(
    triples: Numbers,
    places: NDArray[np.int64],
    tails: Numbers,
    keys: Numbers,
) -> Flags:
    """Body plus key is a multiple of 97 exactly for the key, those 97 apart from it aside."""
    sums = triples * np.uint32(_TRIPLE_WEIGHT)
    sums += _PLACE_RESIDUES.take(places)
    sums += tails
    sums += keys
    fits: Flags = sums // np.uint32(97) * np.uint32(97) == sums
    fits &= keys - np.uint32(1) < np.uint32(97)  # not 00, 98 or 99; 0 - 1 wraps around
    return fits
