"""Batches that are columns rather than lists: what an Arrow body holds, and what answers it.

Whoever goes item by item finds sequences of `str`. The engine's column path takes `Rows` as
they stand, without a string for each, and does the texts of `Coded` once, however many items
have them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

from vault.formats.base import Cells, Flags

Codes = NDArray[np.int64]
T_co = TypeVar("T_co", bound="str | None", covariant=True)

LINE_FEED = 10


class Rows(Sequence[T_co]):
    """ASCII texts of one width (at least 1), as the rows of a matrix; None where `there`, if
    it is given, is False."""

    __slots__ = ("cells", "there")

    def __init__(self, cells: Cells, there: Flags | None = None) -> None:
        self.cells = cells
        self.there = there

    def __len__(self) -> int:
        return len(self.cells)

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows[T_co]": ...
    def __getitem__(self, index: int | slice) -> "T_co | Rows[T_co]":
        if isinstance(index, slice):
            return Rows(self.cells[index], None if self.there is None else self.there[index])
        if self.there is not None and not self.there[index]:
            return cast("T_co", None)
        return cast("T_co", self.cells[index].tobytes().decode("ascii"))

    def __iter__(self) -> Iterator[T_co]:
        width = self.cells.shape[1]
        joined = self.cells.tobytes().decode("ascii")
        texts = (joined[at : at + width] for at in range(0, len(joined), width))
        if self.there is None:
            return cast("Iterator[T_co]", texts)
        answered = zip(texts, self.there.tolist(), strict=True)
        return (cast("T_co", text if there else None) for text, there in answered)

    def put(self, index: int, text: str | None) -> bool:
        """Write a row of rows that have `there`; False where the text does not fit in."""
        if text is not None and (len(text) != self.cells.shape[1] or not text.isascii()):
            return False
        assert self.there is not None
        self.there[index] = text is not None
        self.cells[index] = 0 if text is None else np.frombuffer(text.encode("ascii"), np.uint8)
        return True


class Coded(Sequence[T_co]):
    """Texts by number: item `i` is ``distinct[codes[i]]``. Every one of `distinct` is an item,
    so that whatever is done for each of them is done for what was asked for, and no more."""

    __slots__ = ("codes", "distinct")

    def __init__(self, distinct: Sequence[T_co], codes: Codes) -> None:
        self.distinct = distinct
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | Sequence[T_co]:
        if isinstance(index, slice):
            return [self.distinct[code] for code in self.codes[index].tolist()]
        return self.distinct[int(self.codes[index])]

    def __iter__(self) -> Iterator[T_co]:
        texts = list(self.distinct)
        return map(texts.__getitem__, self.codes.tolist())


def as_cells(texts: Sequence[str]) -> Cells | None:
    """The texts as rows, if all are as long as the first; None otherwise.

    Joined by line feeds, they are of one length exactly where every line feed falls into the
    last column. That is a third of what asking each for its length costs.
    """
    if isinstance(texts, Rows):
        return texts.cells
    # Whatever is not ASCII becomes "?", one character for one, which no codec accepts.
    text = ("\n".join(texts) + "\n").encode("ascii", "replace")
    width = len(texts[0]) + 1
    if len(text) != width * len(texts) or text.count(b"\n") != len(texts):
        return None
    cells = np.frombuffer(text, np.uint8).reshape(len(texts), width)
    return np.ascontiguousarray(cells[:, :-1]) if (cells[:, -1] == LINE_FEED).all() else None


def as_texts(cells: Cells, good: Flags) -> list[str | None]:
    """Rows without line feeds as texts; anything where not `good`."""
    lines = np.empty((len(cells), cells.shape[1] + 1), np.uint8)
    lines[:, :-1] = cells
    lines[:, -1] = LINE_FEED
    if not good.all():
        lines[~good, :-1] = ord("?")
    return list(lines.tobytes()[:-1].decode("ascii").split("\n"))


def each(texts: Sequence[str | None], change: Callable[[str], str]) -> Sequence[str | None]:
    """Every text changed, None left as it is; what is coded once for each text."""
    if isinstance(texts, Coded):
        return Coded(each(texts.distinct, change), texts.codes)
    return [None if text is None else change(text) for text in texts]
