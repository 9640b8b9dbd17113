"""Strings over an alphabet as integers, thousands at a time, where they fit 64 bits."""

import numpy as np

from vault.formats.base import Cells, Flags, Ranks
from vault.formats.words import read_digits, write_digits

NO_INDEX = 255


def fits_a_word(radix: int, length: int) -> bool:
    return int(radix**length) <= 2**64


class AlphabetColumns:
    """The column codec of any alphabet (see `vault.formats.base.Columns`); kinds are widths."""

    def __init__(self, alphabet: str, shortest: int, longest: int) -> None:
        self._radix = np.uint64(len(alphabet))
        fitting = (n for n in range(shortest, longest + 1) if fits_a_word(len(alphabet), n))
        self._widths = frozenset(fitting)
        self._characters = np.frombuffer(alphabet.encode("ascii"), np.uint8)
        self._indexes = np.full(256, NO_INDEX, np.uint8)
        self._indexes[self._characters] = np.arange(len(alphabet))

    def kind(self, width: int) -> int | None:
        return width if width in self._widths else None

    def read_values(self, cells: Cells) -> tuple[Flags, Ranks]:
        indexes = self._indexes.take(cells.T)  # a row a position: each is contiguous
        good: Flags = indexes.max(axis=0, initial=0) != NO_INDEX
        ranks = np.zeros(len(cells), np.uint64)
        for position in indexes:
            ranks *= self._radix
            ranks += position
        return good, ranks

    def write_tokens(self, ranks: Ranks, like: Cells) -> Cells:
        rows, width = like.shape
        indexes = np.empty((width, rows), np.uint8)
        for position in reversed(range(width)):
            rest = ranks // self._radix
            indexes[position] = ranks - rest * self._radix
            ranks = rest
        return np.ascontiguousarray(self._characters.take(indexes).T)

    def read_tokens(self, cells: Cells) -> tuple[Flags, Ranks]:
        return self.read_values(cells)

    def write_values(self, ranks: Ranks, like: Cells) -> tuple[Flags, Cells]:
        return np.ones(len(ranks), np.bool_), self.write_tokens(ranks, like)


class DigitColumns(AlphabetColumns):
    """The same for digits, eight at a time."""

    def read_values(self, cells: Cells) -> tuple[Flags, Ranks]:
        return read_digits(cells)

    def write_tokens(self, ranks: Ranks, like: Cells) -> Cells:
        return write_digits(ranks, like.shape[1])
