"""Calls as streams of Arrow record batches: columns in, columns out, as many rows in as many
batches.

A row whose item is null is no item, and is answered by null. Everything is read strictly: a
stream with other columns than the call's, or of other types, is refused whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from vault.config import Operation
from vault.engine.column import Codes
from vault.service import Answer, ItemFailure
from vault.web import arrow_columns, arrow_stream
from vault.web.arrow_columns import NULL, Array, Kind
from vault.web.body import ITEM_CODES, RESULTS, Content, malformed

CODES: Final = sorted({code for codes in ITEM_CODES.values() for code in codes})
ERROR: Final = pa.dictionary(pa.int8(), pa.utf8())


@dataclass(slots=True, repr=False)  # values stand in it
class Sent(Content):
    """And what an answer of the same shape needs to know."""

    kind: Kind = None
    """The answer column's type."""
    lengths: Sequence[int] = ()
    """Rows of each record batch."""
    places: Codes | None = None
    """Which item each row is (NULL: none); None where every row is one."""


def decode(operation: Operation, body: bytes, max_rows: int, room: int) -> Sent:
    """Raises Refusal ``malformed_request``, or ``too_large`` for more than `max_rows`, or for
    a column of more than `room` bytes."""
    arrow_stream.check(body, max_rows)
    try:
        return _read(operation, body, room)
    except (pa.ArrowException, OSError, ValueError):  # its message may quote the body
        raise malformed("the body is no Arrow stream of this call's columns") from None


def encode(operation: Operation, content: Content, answer: Answer) -> bytes:
    """As many rows in as many batches as were sent."""
    assert isinstance(content, Sent)
    result = arrow_columns.written(answer.results, content.kind, content.places)
    error = arrow_columns.placed(_errors(answer.errors, len(content.items)), content.places)
    batch = pa.record_batch([result, error], names=[RESULTS[operation][0], "error"])
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(use_threads=False)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        at = 0
        for length in content.lengths:
            writer.write_batch(batch.slice(at, length))
            at += length
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def _read(operation: Operation, body: bytes, room: int) -> Sent:
    options = pa.ipc.IpcReadOptions(use_threads=False)
    with pa.ipc.open_stream(pa.py_buffer(body), options=options) as reader:
        kinds = _kinds(operation, reader.schema)
        batches = list(reader)
    for batch in batches:
        batch.validate()
    columns = {
        name: arrow_columns.read([batch.column(name) for batch in batches], kind, room)
        for name, kind in kinds.items()
    }
    item = "value" if operation == "tokenise" else "token"
    there = columns[item].there()
    if operation == "match":
        there &= columns["candidate"].there()
    rows = None if there.all() else there
    kind = pa.bool_() if operation == "match" else arrow_columns.answer_kind(kinds[item])
    sent = Sent(columns[item].items(rows, room), single=False, kind=kind)
    sent.lengths = [batch.num_rows for batch in batches]
    if rows is not None:
        sent.places = np.where(rows, np.cumsum(rows) - 1, NULL)
    if "context" in columns:
        sent.contexts = columns["context"].contexts(rows)
    if operation == "match":
        sent.candidates = columns["candidate"].items(rows, room)
    return sent


def _kinds(operation: Operation, schema: Array) -> dict[str, Kind]:
    """The columns' types by name: exactly the call's columns, and text."""
    required = {"tokenise": {"value"}, "match": {"token", "candidate"}}.get(operation, {"token"})
    kinds = dict(zip(schema.names, schema.types, strict=True))
    if len(kinds) != len(schema.names) or kinds.keys() - {"context"} != required:
        columns = ", ".join(sorted(required))
        raise malformed(f"this call has the columns {columns}, and may have context")
    if any(arrow_columns.text_kind(kind) is None for kind in kinds.values()):
        raise malformed("columns are of text: utf8, large_utf8, utf8_view or dictionaries of it")
    return kinds


def _errors(errors: Sequence[ItemFailure], count: int) -> Array:
    """The code of every item that failed, by its number in CODES; null for all others."""
    numbers, fine = np.zeros(count, np.int8), np.ones(count, np.bool_)
    for failure in errors:
        numbers[failure.index] = CODES.index(failure.code)
        fine[failure.index] = False
    return pa.DictionaryArray.from_arrays(pa.array(numbers, mask=fine), pa.array(CODES))
