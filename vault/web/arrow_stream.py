"""The frames of an Arrow stream, judged before anything reads what they hold.

Arrow's own reader checks what it reads, but it cannot be told how much that may become: a
compressed buffer is given the memory that it claims to need, and each delta copies the whole
dictionary before it. So both are refused here, as are more rows and more frames than a batch
may have; and a stream has to say where it ends, so that one cut short is not taken for a
smaller batch.

Arrow Columnar Format 1.5, "Encapsulated message format"; the fields are numbered as
Message.fbs and Schema.fbs number them, and read as FlatBuffers are: a table begins with the
distance back to its list of fields, and each field's place counts from the table's.
"""

import struct
from typing import Final

from vault.errors import Refusal
from vault.web.body import malformed

CONTINUATION: Final = 0xFFFF_FFFF
SCHEMA, DICTIONARY, RECORDS = 1, 2, 3

MAX_FRAMES: Final = 4_096
"""Record batches and dictionaries: each costs its reader a little, however small it is."""

MAX_METADATA: Final = 1 << 20
"""Bytes of one frame's description: a million columns are no columns of ours."""


def check(body: bytes, max_rows: int) -> None:
    """Raises Refusal ``malformed_request``, or ``too_large`` for too many rows or frames."""
    try:
        _check(body, max_rows)
    except struct.error:
        raise malformed("the body is no whole Arrow stream") from None


def _check(body: bytes, max_rows: int) -> None:
    at = rows = frames = 0
    while True:
        mark, size = struct.unpack_from("<II", body, at)
        at += 8
        if mark != CONTINUATION or size > min(MAX_METADATA, len(body) - at):
            raise struct.error
        if size == 0:
            break
        message = _Table.root(body[at : at + size])
        length = message.number(3, "<q")
        at += size + length
        if length < 0 or at > len(body):
            raise struct.error
        rows += _rows(message, first=frames == 0, max_rows=max_rows)
        frames += 1
        if rows > max_rows:
            raise Refusal("too_large", f"a batch holds at most {max_rows} rows")
        if frames > MAX_FRAMES:
            raise Refusal("too_large", f"a stream has at most {MAX_FRAMES} batches")
    if at != len(body) or frames == 0:
        raise struct.error


def _rows(message: "_Table", *, first: bool, max_rows: int) -> int:
    """How many rows a frame adds to the batch; whatever it may not be is refused."""
    kind, header = message.number(1, "B"), message.table(2)
    if header is None or (kind == SCHEMA) is not first or kind not in {SCHEMA, DICTIONARY, RECORDS}:
        raise struct.error
    if kind == SCHEMA:
        if header.number(0, "<h") != 0:
            raise malformed("send numbers with the low byte first")
        return 0
    records: _Table | None = header
    if kind == DICTIONARY:
        if header.number(2, "B"):
            raise malformed("send whole dictionaries, not deltas")
        records = header.table(1)
    if records is None:
        raise struct.error
    if records.table(3) is not None:
        raise malformed("send buffers uncompressed")
    rows = records.number(0, "<q")
    if rows < 0:
        raise struct.error
    if kind == DICTIONARY:
        if rows > max_rows:
            raise Refusal("too_large", f"a dictionary holds at most {max_rows} texts")
        return 0
    return rows


class _Table:
    """A table of a FlatBuffer. Raises struct.error for whatever leads out of it."""

    __slots__ = ("_at", "_data", "_fields")

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        fields = at - self._read("<i", at)
        self._fields = range(fields + 4, fields + self._read("<H", fields), 2)

    @classmethod
    def root(cls, data: bytes) -> "_Table":
        return cls(data, struct.unpack_from("<I", data)[0])

    def number(self, field: int, form: str) -> int:
        """0 where it is not there: the default of all that is asked for here."""
        place = self._place(field)
        return 0 if place is None else self._read(form, place)

    def table(self, field: int) -> "_Table | None":
        place = self._place(field)
        return None if place is None else _Table(self._data, place + self._read("<I", place))

    def _place(self, field: int) -> int | None:
        if field >= len(self._fields):
            return None
        offset = self._read("<H", self._fields[field])
        return self._at + offset if offset else None

    def _read(self, form: str, at: int) -> int:
        if at < 0:  # struct would count from the end
            raise struct.error
        number: int = struct.unpack_from(form, self._data, at)[0]
        return number
