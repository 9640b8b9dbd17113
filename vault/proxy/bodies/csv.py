"""CSV and TSV (RFC 4180): columns by name or number, quotes kept, either line end.

A selector is a name of the header, or ``#3`` for the third column. A quote inside a cell that is
not quoted, which readers take in different ways, does not pass.
"""

import re
from collections.abc import Sequence
from copy import copy
from functools import cached_property

from vault.proxy.bodies.cells import places
from vault.proxy.bodies.columns import LONGEST, Layout, NotPlain, Selected, are_many, suits
from vault.proxy.bodies.pieces import DoesNotFit, Field, Limits, Piece, Rule
from vault.proxy.bodies.window import Window

_BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(r"#([1-9][0-9]{0,3})")


class BadColumn(ValueError):
    """The selector names no column that can be."""


class CsvParser:
    """A row is a record. Empty cells pass; what is dropped becomes an empty cell."""

    def __init__(
        self,
        rules: Sequence[Rule],
        limits: Limits | None = None,
        *,
        delimiter: str = ",",
        encoding: str = "utf-8",
        header: bool = True,
    ) -> None:
        """`delimiter` is one ASCII character, `encoding` a superset of ASCII. Raises BadColumn."""
        self._rules = rules
        self._encoding = encoding
        self._limit = (limits or Limits()).record
        self._window = Window(self._limit)
        self._header = header
        self._begun = False
        self._columns: list[tuple[int, Rule, int | None]] = []
        apart = re.escape(delimiter.encode())
        self._cell = rb'(?:"(?:[^"]++|"")*+"|[^"\r\n' + apart + rb"]*+)"
        self._apart = apart
        self._special = re.compile(rb'["\r\n' + apart + rb"]")
        self._cells = re.compile(rb"(" + self._cell + rb")(?:" + apart + rb"|\r?\n)")
        more = rb"(?:" + apart + self._cell + rb")*+"
        self._row = re.compile(self._cell + more + rb"\r?\n")
        self._fast = self._row
        self._groups: list[int] = []
        self._delimiter = delimiter.encode()
        self._order: list[int] = []
        """Columns of the layout's."""
        self._tried = 0
        """Where it is worth trying it again."""
        if not header:
            self._choose({})

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        return self._scan() if self._window.add(chunk) else []

    def close(self) -> Sequence[Piece]:
        self._window.join()
        window = self._window
        if not window.data:
            return []
        window.data += b"\n"  # the last row may go without
        out = self._scan(last=True)
        if window.data:
            raise window.broken("the body ends in a row that is not well formed")
        assert isinstance(out[-1], bytes)
        out[-1] = out[-1][:-1]
        return out

    def _scan(self, *, last: bool = False) -> list[Piece]:
        window, out = self._window, list[Piece]()
        if not self._begun and not last and _BOM.startswith(window.data):
            return out
        if not self._begun:
            self._begun = True
            window.at = len(_BOM) if window.data.startswith(_BOM) else 0
        data, match = window.data, self._fast.match
        while True:
            if window.at >= self._tried and not self._header and not last:
                self._plain(out)
            found = match(data, window.at) if not self._header else None
            if found is not None:
                self._found(found, out)
            else:
                found = self._row.match(data, window.at)
                if found is None:
                    break
                if self._header:
                    self._read_header(found)
                    match = self._fast.match
                else:
                    self._short(found, out)
            window.at = found.end()
        if window.at < len(data):
            window.stuck("a row")
        if passing := window.take(window.at):
            out.append(passing)
        self._tried = 0
        window.forget()
        return out

    def _plain(self, out: list[Piece]) -> None:
        """Take the rows that come next in columns, where they are many and plain."""
        window, layout = self._window, self._layout
        at, until = window.at, min(window.at + LONGEST, len(window.data))
        self._tried = max(until, at + 1)
        if layout is None or not are_many(window.data, at, until):
            return
        data = window.data[at:until]
        unquoted = any(rule.operation == "drop" for _, rule, _ in self._columns)
        try:
            edges, spans = places(data, self._delimiter[0], self._order, unquoted=unquoted)
            pieces = list(layout.cut(data, edges, spans, self._one_by_one))
        except NotPlain:
            return
        if passing := window.take(at):
            out.append(passing)
        out += pieces
        window.at = window.start = self._tried = at + int(edges[-1])

    def _read_header(self, found: re.Match[bytes]) -> None:
        self._header = False
        names: dict[str, int] = {}
        for index, cell in enumerate(self._cells.finditer(found[0])):
            name = self._text(cell[1])
            if name in names and any(
                name in {rule.selector, rule.context_selector} for rule in self._rules
            ):
                raise self._window.broken("two columns have the name that a rule asks for")
            names[name] = index
        try:
            self._choose(names)
        except BadColumn:
            raise self._window.broken("no column has the name that a rule asks for") from None

    def _choose(self, names: dict[str, int]) -> None:
        """Find the rules' columns; the first rule has a column that several ask for."""
        chosen: dict[int, tuple[int, Rule, int | None]] = {}
        for rule in self._rules:
            context = rule.context_selector
            index = _column(rule.selector, names)
            other = _column(context, names) if context is not None else None
            chosen.setdefault(index, (index, rule, other))
        self._columns = sorted(chosen.values(), key=lambda column: column[0])
        wanted = {one for index, _, other in self._columns for one in (index, other)}
        self._groups = sorted(one for one in wanted if one is not None)
        self._fast = self._compile() if self._groups else self._row

    @cached_property
    def _layout(self) -> Layout | None:
        if len(self._delimiter) != 1 or self._delimiter in b'"\r\n':
            return None
        own = [index for index, _, _ in self._columns]
        self._order = own + [index for index in self._groups if index not in own]
        selected = [
            Selected(rule, None if other is None else self._order.index(other))
            for _, rule, other in self._columns
        ]
        if not suits(selected, self._encoding):
            return None
        special = (b'"', b"\r", self._delimiter)
        return Layout(selected, self._encoding, special, same_length=False)

    def _compile(self) -> re.Pattern[bytes]:
        """Rows that have all columns of the rules, each of these in a group of its own."""
        parts, at = [], 0
        for index in self._groups:
            skipped = b"%d" % (index - at)
            parts.append(rb"(?:" + self._cell + self._apart + rb"){" + skipped + rb"}")
            parts.append(rb"(" + self._cell + rb")" + self._apart)
            at = index + 1
        parts[-1] = parts[-1][: -len(self._apart)]
        more = rb"(?:" + self._apart + self._cell + rb")*+\r?\n"
        return re.compile(b"".join(parts) + more)

    def _found(self, found: re.Match[bytes], out: list[Piece]) -> None:
        cells = {index: found.span(group) for group, index in enumerate(self._groups, 1)}
        self._record(cells, out)

    def _short(self, found: re.Match[bytes], out: list[Piece]) -> None:
        """A row without some of the columns."""
        start = found.start()
        cells = enumerate(self._cells.finditer(found[0]))
        self._record({i: (start + c.start(1), start + c.end(1)) for i, c in cells}, out)

    def _record(self, cells: dict[int, tuple[int, int]], out: list[Piece]) -> None:
        window = self._window
        fields: dict[int, Field] = {}
        for index, rule, _ in self._columns:
            start, end = cells.get(index, (0, 0))
            raw = window.data[start:end]
            if text := self._text(raw):
                encode = self._quoted if raw[:1] == b'"' else self._bare
                fields[index] = Field(text, rule, raw, encode)
                out += (window.take(start), fields[index])
                window.start = end
        for index, _, other in self._columns:
            if other is not None and index in fields:
                start, end = cells.get(other, (0, 0))
                text = self._text(window.data[start:end])
                fields[index].context = fields.get(other) or text or None

    def _one_by_one(self, rows: bytes) -> Sequence[Piece]:
        """Rows that were found in columns, cell by cell."""
        other = copy(self)
        other._window, other._layout = Window(self._limit), None  # noqa: SLF001 - its own kind
        return other.feed(rows)

    def _text(self, raw: bytes) -> str:
        inner = raw[1:-1].replace(b'""', b'"') if raw[:1] == b'"' else raw
        try:
            return inner.decode(self._encoding)
        except UnicodeError:
            raise self._window.broken(f"a cell is not valid {self._encoding}") from None

    def _bytes(self, text: str) -> bytes:
        try:
            return text.encode(self._encoding)
        except UnicodeError:
            raise DoesNotFit(f"{self._encoding} cannot write it") from None

    def _bare(self, text: str) -> bytes:
        raw = self._bytes(text)
        return self._quoted(text) if self._special.search(raw) else raw

    def _quoted(self, text: str) -> bytes:
        return b'"' + self._bytes(text).replace(b'"', b'""') + b'"'


def _column(selector: str, names: dict[str, int]) -> int:
    if number := _NUMBER.fullmatch(selector):
        return int(number[1]) - 1
    if selector not in names:
        raise BadColumn(f"no column {selector!r}: a name of the header, or # and a number")
    return names[selector]
