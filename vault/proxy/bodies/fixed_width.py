"""Records of fixed width: columns by position, record types by how a record begins.

A selector is ``12-26`` for those columns of every record (the first is 1, both ends belong), or
``2:12-26`` for those of records that begin with "2". Records end with LF or CRLF, or have a
length and follow one another.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from vault.proxy.bodies.pieces import DoesNotFit, Field, Limits, Piece, Rule
from vault.proxy.bodies.window import Window

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
        self._window = Window((limits or Limits()).record)
        chosen = [
            (_columns(rule.selector, encoding), rule, _context(rule, encoding)) for rule in rules
        ]
        self._rules = sorted(chosen, key=lambda one: one[0].first)
        prefixes = {columns.prefix for columns, _, _ in chosen}
        self._types = tuple(prefixes)

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
        window.forget()
        return out

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
