"""Arrow streams for tests: made of rows in many layouts, and read back."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

MEDIA_TYPE = "application/vnd.apache.arrow.stream"

TEXTS = [pa.utf8(), pa.large_utf8(), pa.string_view()]
DICTIONARIES = [
    pa.dictionary(index, text)
    for index in (pa.int8(), pa.uint32(), pa.int64())
    for text in (pa.utf8(), pa.large_utf8())
]


def stream(*batches: pa.RecordBatch, schema: pa.Schema | None = None, **options: Any) -> bytes:
    """A whole stream of these record batches."""
    sink = pa.BufferOutputStream()
    given = schema or batches[0].schema
    with pa.ipc.new_stream(sink, given, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def batch(**columns: Any) -> pa.RecordBatch:
    return pa.record_batch(list(columns.values()), names=list(columns))


def answered(body: bytes) -> list[pa.RecordBatch]:
    """The batches of an answer, each validated."""
    with pa.ipc.open_stream(body) as reader:
        batches = list(reader)
    for each in batches:
        each.validate(full=True)
    return batches


def rows(batches: Sequence[pa.RecordBatch]) -> list[tuple[Any, Any]]:
    """(result, error) of every row."""
    return [
        (row[each.schema.names[0]], row["error"]) for each in batches for row in each.to_pylist()
    ]


def laid_out(texts: Sequence[str | None], kind: pa.DataType, spare: Sequence[str]) -> pa.Array:
    """A column of these texts as a slice of a longer one; a dictionary has entries to spare, in
    an order of its own."""
    around = [*spare, *texts, *spare]
    if pa.types.is_dictionary(kind):
        entries = [*dict.fromkeys([*spare, *reversed([t for t in around if t is not None])])]
        indices = pa.array([None if t is None else entries.index(t) for t in around])
        array = pa.DictionaryArray.from_arrays(
            indices.cast(kind.index_type), pa.array(entries, kind.value_type)
        )
    else:
        array = pa.array(around, pa.utf8()).cast(kind)
    return array.slice(len(spare), len(texts))


@st.composite
def streams(draw: st.DrawFn, columns: dict[str, Sequence[str | None]]) -> bytes:
    """These rows, cut into record batches, each column in a type of its own."""
    count = len(next(iter(columns.values())))
    kinds = {name: draw(st.sampled_from(TEXTS + DICTIONARIES)) for name in columns}
    spare = draw(st.lists(st.sampled_from(["", "x", "185012A00401008"]), max_size=2))
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=3)))
    schema = pa.schema(list(kinds.items()))
    made = [
        pa.record_batch(
            [laid_out(texts[a:b], kinds[name], spare) for name, texts in columns.items()],
            schema=schema,
        )
        for a, b in pairwise([0, *cuts, count])
    ]
    return stream(*made, schema=schema)
