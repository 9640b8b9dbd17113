"""Records in columns: how parsers of rows find and write very many fields at a time."""

import codecs
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vault.proxy.bodies.pieces import Column, Columns, Field, Piece, Rule, one_by_one

Places = NDArray[np.int64]
Apart = Callable[[bytes], Sequence[Piece]]

LONGEST: Final = 1 << 19
"""Bytes that are looked at together."""
FEWEST: Final = 16
"""Records that are worth it."""
_MOST_FIELDS: Final = 2_000
"""Of one piece: as many as a batch holds."""
_ENCODINGS: Final = {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252"}
"""Those where texts that are parted by line ends are read and written together as one by one."""
_LINE_END: Final = 10


class NotPlain(Exception):
    """These records are to be read one by one."""


class Selected(NamedTuple):
    """A rule's column; `context` is the index of its context among the columns, or of those after
    them that no rule selects."""

    rule: Rule
    context: int | None


class Span(NamedTuple):
    """Where the fields of a column stand, one a record, empty where there is none."""

    starts: Places
    ends: Places

    def cut(self, first: int, after: int, begin: int) -> "Span":
        """Of these records alone, the first of which begins at `begin`."""
        return Span(self.starts[first:after] - begin, self.ends[first:after] - begin)


class Layout(NamedTuple):
    """What columns the rules select, in the order in which they stand in a record."""

    selected: Sequence[Selected]
    encoding: str
    special: Sequence[bytes]
    """What cannot be written as it is, beside line ends."""
    same_length: bool
    """Whether nothing but texts as long as those that stand there can be written as they are."""

    def cut(
        self, records: bytes, edges: Places, spans: Sequence[Span], apart: Apart
    ) -> Iterator[Piece]:
        """Records in pieces; `edges` are where they begin, and where the last ends. `apart` reads
        them field by field. Raises NotPlain."""
        count = len(edges) - 1
        pieces = -(-count * len(self.selected) // _MOST_FIELDS)
        step = -(-count // pieces)
        for first, after in pairwise([*range(0, count, step), count]):
            begin, end = int(edges[first]), int(edges[after])
            cut = [of.cut(first, after, begin) for of in spans]
            empty = not any((of.starts < of.ends).any() for of in cut[: len(self.selected)])
            piece = records[begin:end]
            yield piece if empty else _Found(self, piece, cut, apart)


def suits(selected: Sequence[Selected], encoding: str) -> bool:
    """Whether such rules can be followed in columns."""
    known = codecs.lookup(encoding).name in _ENCODINGS
    whole = all(one.rule.leading is None for one in selected)
    return known and bool(selected) and whole and not _in_circles(selected)


def _in_circles(selected: Sequence[Selected]) -> bool:
    """Whether a column waits for itself; in a record where another is empty it may not."""
    for one in selected:
        at = one.context
        for _ in selected:
            at = selected[at].context if at is not None and at < len(selected) else None
        if at is not None:
            return True
    return False


def are_many(data: bytes, at: int, end: int) -> bool:
    """Whether so many lines end before `end` that columns are worth it."""
    for _ in range(FEWEST):
        at = data.find(b"\n", at, end) + 1
        if not at:
            return False
    return True


class _Found(Columns):
    __slots__ = ("_apart", "_layout", "_places", "_spans")

    def __init__(self, layout: Layout, records: bytes, spans: Sequence[Span], apart: Apart) -> None:
        block = np.frombuffer(records, np.uint8)
        selected = layout.selected
        self._layout = layout
        self._apart = apart
        self._spans = spans[: len(selected)]
        self._places = [_all_places(span) for span in self._spans]
        texts = [_texts(block, places, layout.encoding) for places in self._places]
        texts += [
            _texts(block, _all_places(span), layout.encoding) for span in spans[len(selected) :]
        ]
        columns = [Column(texts[index], one.rule) for index, one in enumerate(selected)]
        for column, (_, context) in zip(columns, selected, strict=True):
            if context is not None:
                own = context < len(columns)
                column.context = columns[context] if own else texts[context]
        super().__init__(records, columns)

    def put_back(self) -> bytes | None:
        written = [self._written(column) for column in self.columns]
        every = [one for one in written if one is not None]
        if len(every) < len(written):
            return None
        same = self._in_place(every)
        return same if same is not None or self._layout.same_length else self._joined(every)

    def apart(self) -> list[bytes | Field]:
        return one_by_one(self._apart(self.records))

    def _written(self, column: Column) -> bytes | None:
        """What became of all of a column, each with a line end."""
        try:
            outcome = _passed(column, blank=self._layout.same_length)
            together = "\n".join([*outcome, ""]).encode(self._layout.encoding)
        except (TypeError, UnicodeError):  # an error is among them, or nothing was answered
            return None
        plain = not any(one in together for one in self._layout.special)
        return together if plain else None

    def _in_place(self, written: Sequence[bytes]) -> bytes | None:
        """None where something is not as long as what stood there."""
        out = bytearray(self.records)
        block = np.frombuffer(out, np.uint8)
        for texts, (places, stops) in zip(written, self._places, strict=True):
            new = np.frombuffer(texts, np.uint8)
            inner = new != _LINE_END
            if len(new) != len(places) or np.count_nonzero(inner) != len(new) - len(stops):
                return None
            if inner[stops].any():
                return None
            block[places[inner]] = new[inner]
        return bytes(out)

    def _joined(self, written: Sequence[bytes]) -> bytes | None:
        records = self.records
        starts = np.stack([span.starts for span in self._spans], axis=1).ravel().tolist()
        ends = np.stack([span.ends for span in self._spans], axis=1).ravel().tolist()
        between = zip([0, *ends], [*starts, len(records)], strict=True)
        out = [b""] * (2 * len(starts) + 1)
        out[::2] = [records[end:start] for end, start in between]
        for index, (texts, column) in enumerate(zip(written, self.columns, strict=True)):
            fields = texts[:-1].split(b"\n")
            if len(fields) != len(column.texts):
                return None
            out[2 * index + 1 :: 2 * len(written)] = fields
        return b"".join(out)


def _all_places(span: Span) -> tuple[Places, Places]:
    """The places of all bytes of the fields, after each field one more; and where among these
    such a one stands."""
    lengths = span.ends - span.starts + 1
    ends = np.cumsum(lengths)
    places = np.arange(ends[-1]) + np.repeat(span.starts - ends + lengths, lengths)
    return places, ends - 1


def _texts(block: NDArray[np.uint8], of: tuple[Places, Places], encoding: str) -> list[str]:
    places, stops = of
    fields = block.take(places, mode="clip")  # the last field may end where the records do
    fields[stops] = _LINE_END
    try:
        texts = fields.tobytes().decode(encoding).split("\n")
    except UnicodeError:
        raise NotPlain from None
    if len(texts) != len(stops) + 1:  # there is a line end within one
        raise NotPlain
    texts.pop()
    return texts


def _passed(column: Column, *, blank: bool) -> Sequence[str]:
    """What became of it, with what stays though it failed; an error that blocks is left in it.
    What is dropped leaves blanks where `blank`."""
    outcome = column.outcome
    if column.rule.operation == "drop" and blank:
        return [" " * len(text) for text in column.texts]
    if outcome is None or column.rule.on_error == "block":
        return outcome  # type: ignore[return-value] # what joins them finds what is no text
    pairs = zip(outcome, column.texts, strict=True)
    return [one if isinstance(one, str) else text for one, text in pairs]
