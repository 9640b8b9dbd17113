"""Records of fixed width: columns by position, record types by how a record begins.

A selector is ``12-26`` for those columns of every record (the first is 1, both ends belong), or
``2:12-26`` for those of records that begin with "2". Records end with LF or CRLF, or have a
length and follow one another.
"""

import re
from collections.abc import Sequence
from copy import copy
from functools import cached_property, partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vault.proxy.bodies.columns import (
    FEWEST,
    LONGEST,
    Layout,
    NotPlain,
    Places,
    Selected,
    Span,
    are_many,
    suits,
)
from vault.proxy.bodies.pieces import DoesNotFit, Field, Limits, Piece, Rule
from vault.proxy.bodies.window import Window

_LINE_END, _RETURN, _SPACE = b"\n\r "
_MIXED = -1
"""A context that is a field in some records and none in others."""
_SELECTOR = re.compile(r"(?:([^:]+):)?([1-9][0-9]{0,5})-([1-9][0-9]{0,5})")


class BadColumns(ValueError):
    """The selector is no range of columns."""


class _Columns(NamedTuple):
    prefix: bytes
    first: int
    end: int


class FixedWidthParser:
    """Blank columns pass. A shorter text is padded on the side where its columns were blank, on
    the right where they were full; a longer one does not fit; what is dropped becomes blank."""

    def __init__(
        self,
        rules: Sequence[Rule],
        limits: Limits | None = None,
        *,
        encoding: str = "latin-1",
        length: int | None = None,
    ) -> None:
        """`encoding` has one byte a character; `length` is that of records without line ends.
        Raises BadColumns."""
        self._encoding = encoding
        self._length = length
        self._limit = (limits or Limits()).record
        self._window = Window(self._limit)
        chosen = [
            (_columns(rule.selector, encoding), rule, _context(rule, encoding)) for rule in rules
        ]
        self._rules = sorted(chosen, key=lambda one: one[0].first)
        prefixes = {columns.prefix for columns, _, _ in chosen}
        self._types = tuple(prefixes)
        self._tried = 0
        """Where it is worth trying columns again."""
        self._order: list[_Columns] = []
        """Those of the layout."""

    @cached_property
    def _layout(self) -> Layout | None:
        """None for rules of which what one selects depends on what another found."""
        rules = self._rules
        if any(b"\r" in prefix or b"\n" in prefix for prefix in self._types):
            return None
        if any(len(prefix) > (self._length or len(prefix)) for prefix in self._types):
            return None
        if any(_meet(one, other) for (one, _, _), (other, _, _) in combinations(rules, 2)):
            return None
        self._order = [columns for columns, _, _ in rules]
        selected = [Selected(rule, self._context(columns, of)) for columns, rule, of in rules]
        if any(one.context == _MIXED for one in selected) or not suits(selected, self._encoding):
            return None
        return Layout(selected, self._encoding, special=(b"\r",), same_length=True)

    def _context(self, columns: _Columns, context: _Columns | None) -> int | None:
        """Its place in the order."""
        if context is None:
            return None
        found = [
            index
            for index, (other, _, _) in enumerate(self._rules)
            if other[1:] == context[1:] and not _exclude(other.prefix, columns.prefix)
        ]
        if not found:
            self._order.append(context._replace(prefix=b""))
            return len(self._order) - 1
        same = columns.prefix.startswith(self._rules[found[0]][0].prefix)
        return found[0] if same else _MIXED

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        return self._scan() if self._window.add(chunk) else []

    def close(self) -> Sequence[Piece]:
        self._window.join()
        window, out = self._window, self._scan()
        if window.data and self._length is not None:
            raise window.broken("the body ends inside a record")
        if window.data:
            self._record(0, len(window.data), out)
            out.append(window.take(len(window.data)))
        return out

    def _scan(self) -> list[Piece]:
        window, out = self._window, list[Piece]()
        data, types, at = window.data, self._types, 0
        size, find, length = len(data), data.find, self._length
        while at < size:
            if at >= self._tried and self._plain(at, out):
                at = window.start
                continue
            end = find(b"\n", at) if length is None else at + length
            if end < 0 or end > size:
                break
            if types and data.startswith(types, at):
                window.at = at
                self._record(at, end, out)
            at = end + (length is None)
        window.at = at
        if at < size:
            window.stuck("a record")
        if passing := window.take(at):
            out.append(passing)
        self._tried = 0
        window.forget()
        return out

    def _plain(self, at: int, out: list[Piece]) -> bool:
        """Take the records that come next in columns, where they are many."""
        window, length = self._window, self._length
        data = window.data
        if length is None:
            end = data.rfind(b"\n", at, at + LONGEST) + 1
            many = are_many(data, at, end)
        else:
            count = min(len(data) - at, LONGEST) // length
            end = at + count * length
            many = count >= FEWEST
        self._tried = max(end, at + 1)
        if not many or self._layout is None:
            return False
        records = data[at:end]
        try:
            pieces = list(self._layout.cut(records, *self._places(records), self._one_by_one))
        except NotPlain:
            return False
        if passing := window.take(at):
            out.append(passing)
        out += pieces
        window.start = end
        return True

    def _places(self, records: bytes) -> tuple[Places, list[Span]]:
        """Where records begin and end, and what stands in their columns without its padding."""
        block = np.frombuffer(records, np.uint8)
        if self._length is None:
            line_ends = np.flatnonzero(block == _LINE_END)
            edges = np.append(0, line_ends + 1)
            ends = line_ends - (block[line_ends - 1] == _RETURN)
        else:
            edges = np.arange(0, len(block) + 1, self._length)
            ends = edges[1:]
        begins = edges[:-1]
        spans = []
        for columns in self._order:
            starts = np.minimum(begins + columns.first, ends)
            after = np.minimum(begins + columns.end, ends)
            for place, byte in enumerate(columns.prefix):
                is_type = block.take(begins + place, mode="clip") == byte
                after = np.where(is_type, after, starts)
            spans.append(_bare(block, starts, after))
        return edges, spans

    def _one_by_one(self, records: bytes) -> Sequence[Piece]:
        """Records that were found in columns, field by field."""
        other = copy(self)
        other._window, other._layout = Window(self._limit), None  # noqa: SLF001 - its own kind
        return other.feed(records)

    def _record(self, start: int, end: int, out: list[Piece]) -> None:
        window = self._window
        if window.data.endswith(b"\r", start, end) and self._length is None:
            end -= 1
        made: dict[_Columns, Field] = {}
        waiting: list[tuple[Field, _Columns]] = []
        for columns, rule, context in self._rules:
            first, after = start + columns.first, min(start + columns.end, end)
            if not window.data.startswith(columns.prefix, start) or first < window.start:
                continue
            raw = window.data[first:after]
            if text := self._text(raw):
                field = Field(text, rule, raw, partial(self._write, raw), dropped=b" " * len(raw))
                made[columns] = field
                out += (window.take(first), field)
                window.start = after
                if context is not None:
                    waiting.append((field, context))
        for field, context in waiting:
            text = self._text(window.data[start + context.first : min(start + context.end, end)])
            field.context = _at(made, context) or text or None

    def _text(self, raw: bytes) -> str:
        try:
            return raw.strip(b" ").decode(self._encoding)
        except UnicodeError:
            raise self._window.broken(f"a column is not valid {self._encoding}") from None

    def _write(self, raw: bytes, text: str) -> bytes:
        try:
            new = text.encode(self._encoding)
        except UnicodeError:
            raise DoesNotFit(f"{self._encoding} cannot write it") from None
        if b"\n" in new or b"\r" in new or len(new) > len(raw):
            raise DoesNotFit("it is wider than its columns, or has a line end in it")
        if len(new) == len(raw):
            return new
        left = len(raw) - len(raw.lstrip(b" "))
        right = len(raw) - len(raw.rstrip(b" "))
        if left and not right:
            return new.rjust(len(raw))
        return (b" " * min(left, len(raw) - len(new)) + new).ljust(len(raw))


def _exclude(one: bytes, other: bytes) -> bool:
    """Whether no record begins with both."""
    return not one.startswith(other) and not other.startswith(one)


def _meet(one: _Columns, other: _Columns) -> bool:
    """Whether they have a column in common in some record."""
    apart = one.end <= other.first or other.end <= one.first
    return not apart and not _exclude(one.prefix, other.prefix)


def _bare(block: NDArray[np.uint8], starts: Places, ends: Places) -> Span:
    """Without blanks on either side."""
    edges = block.take(starts, mode="clip"), block.take(ends - 1, mode="clip")
    if not ((starts < ends) & ((edges[0] == _SPACE) | (edges[1] == _SPACE))).any():
        return Span(starts, ends)
    full = np.append(np.flatnonzero(block != _SPACE), len(block))
    first = full[np.searchsorted(full, starts)]
    last = full[np.searchsorted(full, ends) - 1]
    blank = first >= ends
    return Span(np.where(blank, starts, first), np.where(blank, starts, last + 1))


def _at(made: dict[_Columns, Field], columns: _Columns) -> Field | None:
    for other, field in made.items():
        if (other.first, other.end) == (columns.first, columns.end):
            return field
    return None


def _columns(selector: str, encoding: str) -> _Columns:
    found = _SELECTOR.fullmatch(selector)
    if found is None or int(found[3]) < int(found[2]):
        raise BadColumns(f"{selector!r}: columns as 12-26, or with a record type as 2:12-26")
    return _Columns((found[1] or "").encode(encoding), int(found[2]) - 1, int(found[3]))


def _context(rule: Rule, encoding: str) -> _Columns | None:
    return _columns(rule.context_selector, encoding) if rule.context_selector else None
