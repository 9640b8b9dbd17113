"""Calls whose bodies are Arrow streams: built in bounded pieces, their answers read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from jeton.protocol import OK, Answer, Call, Question, new_call

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
MOST_ROWS = 1_000_000
MOST_BYTES = 48 * 1024 * 1024
"""Of texts and offsets; the service takes 64 MiB with all that belongs to a stream."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: results and errors of as many rows as were sent."""

    result: pa.ChunkedArray = field(repr=False)
    error: pa.ChunkedArray = field(repr=False)
    receipt: str | None


def calls(
    question: Question[Any], columns: Sequence[pa.ChunkedArray], context: str | None
) -> Iterator[Call[Reply]]:
    """The requests for all rows, each built when it is its turn. A column more than the
    operation sends is that of the rows' contexts; `context` is one for all of them."""
    names = [name for name, _ in question.operation.sends]
    table = pa.table(list(columns), names=[*names, "context"][: len(columns)])
    each = len((context or "").encode("utf-8", "replace"))
    for piece in _pieces(table, each):
        yield _call(question, piece, context)


def _pieces(table: pa.Table, context_bytes: int) -> Iterator[pa.Table]:
    rows = table.num_rows
    size = table.nbytes + rows * context_bytes
    if rows <= 1 or (rows <= MOST_ROWS and size <= MOST_BYTES):
        if rows:
            yield table
        return
    half = MOST_ROWS if size <= MOST_BYTES else rows // 2
    yield from _pieces(table.slice(0, half), context_bytes)
    yield from _pieces(table.slice(half), context_bytes)


def _call(question: Question[Any], piece: pa.Table, context: str | None) -> Call[Reply]:
    if context is not None:
        rows = pa.repeat(pa.scalar(0, pa.int8()), piece.num_rows)
        constant = pa.DictionaryArray.from_arrays(rows, pa.array([context], pa.utf8()))
        piece = piece.append_column("context", constant)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, piece.schema) as writer:
        writer.write_table(piece.combine_chunks())
    headers = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}
    if question.purpose is not None:
        headers["Jeton-Purpose"] = question.purpose
    if question.on_behalf_of is not None:
        headers["Jeton-On-Behalf-Of"] = question.on_behalf_of
    path = f"/v1/{question.operation.name}/{question.transformation}"
    body = sink.getvalue().to_pybytes()
    return new_call("POST", path, headers, body, _reader(question, piece))


def _reader(question: Question[Any], sent: pa.Table) -> Callable[[Call[Any], Answer], Reply]:
    name, rows = question.operation.gets[0], sent.num_rows
    kind = pa.bool_() if name == "match" else sent.schema.field(0).type

    def read(call: Call[Any], answer: Answer) -> Reply:
        table = _table(answer)
        if table is None or table.column_names != [name, "error"] or table.num_rows != rows:
            raise call.unexpected("the answer has not as many rows as were sent", OK)
        result, error = table.columns
        if result.type != kind or not pa.types.is_dictionary(error.type):
            raise call.unexpected("the answer's columns are not of the types promised", OK)
        return Reply(result, error, answer.headers.get("jeton-receipt"))

    return read


def _table(answer: Answer) -> pa.Table | None:
    """The answer's table, validated; None where it is no stream of Arrow."""
    if answer.headers.get("content-type", "").partition(";")[0].strip() != MEDIA_TYPE:
        return None
    try:
        with pa.ipc.open_stream(answer.body) as stream:
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError):
        return None
    return table
