"""Declared formats by columns: sets of numbers, signs and sums, thousands of rows at a time.

Each set that can be counted by columns has its twin here; a format one of whose sets has none
(walks through states, codes with two ways to write a digit) stays with the scalar side.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vault.formats.base import Cells, Domain, Flags, Ranks
from vault.formats.check_characters import Weighted
from vault.formats.counted import Checked, Counted, Either, Numbers, OneOf, Row, Without
from vault.formats.words import read_digits, write_digits

NONE = -1
READABLE = 18
"""Digits that are read as one number."""
TABLED = 6
"""Digits that are looked up in one table."""
REPLACED = "?"
"""Stands for whatever is not ASCII: no codec may accept it."""

Spot = tuple[int, list[int], list[tuple[int, str]]]
"""A printed form: its width, the places of characters, and what stands at other places."""


class Twin(Protocol):
    """A set by columns: rows of its width."""

    def read(self, cells: Cells) -> tuple[Flags, Ranks]: ...

    def write(self, ranks: Ranks) -> Cells: ...


class DeclaredColumns:
    """The column codec (see `vault.formats.base.Columns`): each printed form of each width."""

    def __init__(self) -> None:
        self._forms: dict[int, tuple[int, Twin, Twin, NDArray[np.intp], list[tuple[int, int]]]] = {}

    def add(self, kind: int, values: Twin, tokens: Twin, spot: Spot) -> None:
        """The first form of a width is the one that rows of the width are read as."""
        width, slots, fixed = spot
        codes = [(at, ord(character)) for at, character in fixed]
        places = np.array(slots, np.intp)
        self._forms.setdefault(width, (kind, values, tokens, places, codes))

    def kind(self, width: int) -> int | None:
        form = self._forms.get(width)
        return None if form is None else form[0]

    def read_values(self, cells: Cells) -> tuple[Flags, Ranks]:
        return self._read(cells, self._forms[cells.shape[1]][1])

    def write_tokens(self, ranks: Ranks, like: Cells) -> Cells:
        return self._write(ranks, like, self._forms[like.shape[1]][2])

    def read_tokens(self, cells: Cells) -> tuple[Flags, Ranks]:
        return self._read(cells, self._forms[cells.shape[1]][2])

    def write_values(self, ranks: Ranks, like: Cells) -> tuple[Flags, Cells]:
        written = self._write(ranks, like, self._forms[like.shape[1]][1])
        return np.ones(len(ranks), np.bool_), written

    def _read(self, cells: Cells, twin: Twin) -> tuple[Flags, Ranks]:
        _, _, _, places, fixed = self._forms[cells.shape[1]]
        if not fixed:
            return twin.read(cells)
        good, ranks = twin.read(cells.take(places, axis=1))
        for at, code in fixed:
            good &= cells[:, at] == code
        return good, ranks

    def _write(self, ranks: Ranks, like: Cells, twin: Twin) -> Cells:
        _, _, _, places, fixed = self._forms[like.shape[1]]
        written = twin.write(ranks)
        if not fixed:
            return written
        cells = np.empty_like(like)
        cells[:, places] = written
        for at, code in fixed:
            cells[:, at] = code
        return cells


def columns_of(
    pairs: Sequence[tuple[Counted, Counted]], domains: Sequence[Domain], spots: Sequence[Spot]
) -> DeclaredColumns | None:
    """The columns of a format's kinds and printed forms; None where there are none."""
    columns = DeclaredColumns()
    some = False
    widths: set[int] = set()
    for kind, ((values, tokens), domain) in enumerate(zip(pairs, domains, strict=True)):
        if values.width in widths or domain.radix**domain.length > 2**64 or domain.room > 2**64:
            continue
        widths.add(values.width)
        twin = twin_of(values)
        other = twin if tokens is values else twin_of(tokens)
        for spot in spots:
            marked = any(character == REPLACED for _, character in spot[2])
            if len(spot[1]) == values.width and twin and other and not marked:
                columns.add(kind, twin, other, spot)
                some = True
    return columns if some else None


def twin_of(numbers: Counted) -> Twin | None:  # noqa: PLR0911 - one answer for each set
    """The set by columns; None where it, or one that it is made of, has no such twin."""
    match numbers:
        case Numbers() if numbers.width <= READABLE:
            return _NumberColumns(numbers)
        case OneOf() if _has_table(numbers):
            return _TableColumns(numbers)
        case Row():
            parts = [(part, twin_of(part)) for part in numbers.parts]
            found = [(part, twin) for part, twin in parts if twin is not None]
            return _RowColumns(found) if len(found) == len(parts) else None
        case Checked() if isinstance(numbers.check, Weighted):
            body = twin_of(numbers.body)
            return None if body is None else _CheckedColumns(numbers, numbers.check, body)
        case Either():
            twins = [twin for one in numbers.sets if (twin := twin_of(one)) is not None]
            return _EitherColumns(numbers, twins) if len(twins) == len(numbers.sets) else None
        case Without():
            whole = twin_of(numbers.whole)
            return None if whole is None else _WithoutColumns(numbers, whole)
    return None


class _NumberColumns:
    def __init__(self, numbers: Numbers) -> None:
        self._width = numbers.width
        self._first, self._size = np.uint64(numbers.first), np.uint64(numbers.size)

    def read(self, cells: Cells) -> tuple[Flags, Ranks]:
        good, ranks = read_digits(cells)
        ranks -= self._first  # what is below wraps around, and so is above
        good &= ranks < self._size
        return good, ranks

    def write(self, ranks: Ranks) -> Cells:
        return write_digits(ranks + self._first, self._width)


def _has_table(numbers: OneOf) -> bool:
    digits = numbers.width <= TABLED and all(text.isdigit() for text in numbers.texts)
    return digits or (numbers.width == 1 and REPLACED not in numbers.texts)


class _TableColumns:
    def __init__(self, numbers: OneOf) -> None:
        digits = all(text.isdigit() for text in numbers.texts)
        codes = [int(text) if digits else ord(text) for text in numbers.texts]
        self._digits = digits
        self._ranks = np.full(10**numbers.width if digits else 256, NONE, np.int32)
        self._ranks[codes] = np.arange(numbers.size)
        flat = np.frombuffer("".join(numbers.texts).encode("ascii"), np.uint8)
        self._rows = flat.reshape(numbers.size, numbers.width)

    def read(self, cells: Cells) -> tuple[Flags, Ranks]:
        if self._digits:
            good, codes = read_digits(cells)
            ranks = self._ranks.take(codes.astype(np.intp), mode="clip")
            good &= ranks >= 0
        else:
            ranks = self._ranks.take(cells[:, 0])
            good = ranks >= 0
        return good, ranks.astype(np.uint64)

    def write(self, ranks: Ranks) -> Cells:
        return self._rows.take(ranks.astype(np.intp), axis=0)


class _RowColumns:
    def __init__(self, parts: list[tuple[Counted, Twin]]) -> None:
        self._parts: list[tuple[slice, np.uint64, Twin]] = []
        at = 0
        for part, twin in parts:
            self._parts.append((slice(at, at + part.width), np.uint64(part.size), twin))
            at += part.width
        self._width = at

    def read(self, cells: Cells) -> tuple[Flags, Ranks]:
        total = np.zeros(len(cells), np.uint64)
        good = np.ones(len(cells), np.bool_)
        for place, size, twin in self._parts:
            fits, ranks = twin.read(cells[:, place])
            good &= fits
            total *= size
            total += ranks
        return good, total

    def write(self, ranks: Ranks) -> Cells:
        cells = np.empty((len(ranks), self._width), np.uint8)
        for place, size, twin in reversed(self._parts):
            rest = ranks // size
            cells[:, place] = twin.write(ranks - rest * size)
            ranks = rest
        return cells


class _CheckedColumns:
    def __init__(self, numbers: Checked, check: Weighted, body: Twin) -> None:
        self._body, self._width = body, numbers.body.width
        self._modulus = np.uint32(len(check.signs))
        self._weights = np.zeros((self._width, 256), np.uint32)
        for place, weight in zip(self._weights, check.weights, strict=True):
            for character, counts in weight.items():
                place[ord(character)] = counts % len(check.signs)
        flat = np.frombuffer("".join(check.signs).encode("ascii"), np.uint8)
        self._signs = flat.reshape(len(check.signs), check.width)

    def read(self, cells: Cells) -> tuple[Flags, Ranks]:
        body = cells[:, : self._width]
        good, ranks = self._body.read(body)
        good &= (cells[:, self._width :] == self._check(body)).all(axis=1)
        return good, ranks

    def write(self, ranks: Ranks) -> Cells:
        body = self._body.write(ranks)
        return np.concatenate((body, self._check(body)), axis=1)

    def _check(self, body: Cells) -> Cells:
        total = np.zeros(len(body), np.uint32)
        for at, weight in enumerate(self._weights):
            total += weight.take(body[:, at])
        return self._signs.take(total % self._modulus, axis=0)


class _EitherColumns:
    def __init__(self, numbers: Either, twins: list[Twin]) -> None:
        self._width = numbers.width
        self._twins: list[tuple[np.uint64, np.uint64, Twin]] = []
        before = 0
        for one, twin in zip(numbers.sets, twins, strict=True):
            self._twins.append((np.uint64(before), np.uint64(one.size), twin))
            before += one.size

    def read(self, cells: Cells) -> tuple[Flags, Ranks]:
        good = np.zeros(len(cells), np.bool_)
        total = np.zeros(len(cells), np.uint64)
        for before, _, twin in self._twins:
            fits, ranks = twin.read(cells)
            np.copyto(total, ranks + before, where=fits)
            good |= fits
        return good, total

    def write(self, ranks: Ranks) -> Cells:
        cells = np.empty((len(ranks), self._width), np.uint8)
        for before, size, twin in self._twins:
            rows = np.flatnonzero(ranks - before < size)  # what is below wraps around
            cells[rows] = twin.write(ranks[rows] - before)
        return cells


class _WithoutColumns:
    def __init__(self, numbers: Without, whole: Twin) -> None:
        self._whole = whole
        self._gaps = np.array(numbers.gaps, np.uint64)

    def read(self, cells: Cells) -> tuple[Flags, Ranks]:
        good, ranks = self._whole.read(cells)
        below = np.searchsorted(self._gaps, ranks).astype(np.uint64)
        good &= ~np.isin(ranks, self._gaps)
        return good, ranks - below

    def write(self, ranks: Ranks) -> Cells:
        ranks = ranks.copy()
        for gap in self._gaps:
            ranks += ranks >= gap
        return self._whole.write(ranks)
