"""Arrow and JSON say the same, however the rows of a stream are laid out."""

import asyncio
import json
import struct
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.arrow import answered, batch, rows, stream, streams
from tests.support.values import ordinary_nirs
from vault.access.honeytokens import Honeytokens
from vault.config import Honeytokens as Traps
from vault.config import Operation
from vault.config import Transformation as Configured
from vault.crypto.keyset import new_keyset
from vault.engine.column import Coded, Rows
from vault.engine.persons import Persons
from vault.engine.transformation import Transformation
from vault.errors import Refusal
from vault.service import Answer, Call, Service
from vault.web.body import Content
from vault.web.codecs import Arrow
from vault.web.json_body import JSON

ARROW = Arrow(max_items=200, max_body=1 << 20)
JSON_CODEC = JSON(max_items=200, max_body=1 << 20)
NIR = Transformation("fr-nir", Configured("fr-nir"), new_keyset(datetime(2026, 11, 24, tzinfo=UTC)))
DATE = Transformation(
    "birth-date", Configured("birth-date"), new_keyset(datetime(2026, 11, 24, tzinfo=UTC))
)
CONTEXTS: st.SearchStrategy[str | None] = st.sampled_from(["a", "é", None])
OPERATIONS: list[Operation] = ["tokenise", "detokenise", "mask", "match"]


class Books:
    """An access that allows, a ledger that remembers what it was told."""

    def __init__(self) -> None:
        self.items = 0
        self.persons: frozenset[bytes] = frozenset()
        self.matched: int | None = None
        self.promises = SimpleNamespace(charged=lambda *_: None)

    def authorise(self, *_: object) -> Any:
        return SimpleNamespace(limits=(), people=())

    def check_lock(self, *_: object) -> None: ...

    def spend_now(self, _: object, count: int) -> bool:
        self.items += count
        return True

    def tokenised(self, *_: object) -> None: ...

    async def settle(self, charge: Any, entry: Any) -> str:
        assert charge.items == entry.items
        self.items += charge.items
        self.persons |= charge.persons
        self.matched = entry.matched
        return "w0.1.abc"

    def revealed(self, *_: object) -> None: ...


NO_HONEYTOKENS = Honeytokens(Traps(file=Path("/nowhere")))


def perform(operation: Operation, content: Content, books: Books, name: str = "fr-nir") -> Answer:
    both = {"fr-nir": NIR, "birth-date": DATE}
    persons = Persons(b"k" * 32, both)
    with ThreadPoolExecutor(1) as pool:
        service = Service(both, books, NO_HONEYTOKENS, books, books, persons, books, pool)  # type: ignore[arg-type]
        call = Call(operation, name, "test", content.items, content.contexts, content.candidates)
        return asyncio.run(service.perform(call))


def by_arrow(operation: Operation, body: bytes, name: str = "fr-nir") -> tuple[Any, Books]:
    books = Books()
    content = ARROW.decode(operation, body)
    answer = perform(operation, content, books, name)
    return answered(ARROW.encode(operation, content, answer)), books


def by_json(operation: Operation, row: dict[str, str | None], books: Books) -> tuple[Any, Any]:
    """What one row says, asked for by itself."""
    members = {name: text for name, text in row.items() if text is not None}

    content = JSON_CODEC.decode(operation, json.dumps(members).encode())
    answer = perform(operation, content, books)
    return answer.results[0], answer.errors[0].code if answer.errors else None


@st.composite
def tables(draw: st.DrawFn, operation: Operation) -> dict[str, list[str | None]]:
    """Columns with repeats, nulls, junk, and perhaps contexts."""
    nirs = draw(st.lists(ordinary_nirs, min_size=1, max_size=4))
    context = draw(st.sampled_from([None, "a"]))
    pool: list[str | None] = [*nirs, *nirs, None, "185012A00401008", "x", "é" * 15, "1" * 15]
    if operation != "tokenise":
        pool += [str(text) for text in NIR.tokenise(nirs, context).texts] * 3
    count = draw(st.integers(0, 30))
    column = st.lists(st.sampled_from(pool), min_size=count, max_size=count)
    if draw(st.booleans()):  # so that all are of one width
        column = st.lists(st.sampled_from(nirs), min_size=count, max_size=count)
    found = {"value" if operation == "tokenise" else "token": draw(column)}
    if operation == "match":
        found["candidate"] = draw(column)
    if draw(st.booleans()):
        every = draw(CONTEXTS)
        found["context"] = draw(
            st.just([every] * count) | st.lists(CONTEXTS, min_size=count, max_size=count)
        )
    return found


@pytest.mark.parametrize("operation", OPERATIONS)
@given(data=st.data())
def test_every_layout_is_answered_as_its_rows_in_json(
    operation: Operation, data: st.DataObject
) -> None:
    columns = data.draw(tables(operation))
    body = data.draw(streams(columns))
    batches, books = by_arrow(operation, body)
    expected, alone = [], Books()
    for texts in zip(*columns.values(), strict=True):
        row = dict(zip(columns, texts, strict=True))
        if any(text is None for name, text in row.items() if name != "context"):
            expected.append((None, None))
        else:
            expected.append(by_json(operation, row, alone))
    assert rows(batches) == expected
    assert books.items == alone.items
    assert books.persons == alone.persons
    with pa.ipc.open_stream(body) as reader:
        sent = list(reader)
    assert [each.num_rows for each in batches] == [each.num_rows for each in sent]


@pytest.mark.parametrize("operation", OPERATIONS)
@given(data=st.data())
def test_an_answer_has_the_type_that_was_sent(operation: Operation, data: st.DataObject) -> None:
    columns = data.draw(tables(operation))
    body = data.draw(streams(columns))
    with pa.ipc.open_stream(body) as reader:
        kind = reader.schema.types[0]
    content = ARROW.decode(operation, body)
    answer = perform(operation, content, Books())
    with pa.ipc.open_stream(ARROW.encode(operation, content, answer)) as reader:
        schema = reader.schema
    names = {"tokenise": "token", "detokenise": "value", "mask": "masked", "match": "match"}
    assert schema.names == [names[operation], "error"]
    assert schema.types[1] == pa.dictionary(pa.int8(), pa.utf8())
    if operation == "match":
        assert schema.types[0] == pa.bool_()
    elif pa.types.is_dictionary(kind):
        assert schema.types[0] == pa.dictionary(pa.int32(), kind.value_type)
    else:
        assert schema.types[0] == kind


NIRS = ["185012A00401008", "185011900401008"]


def test_texts_of_one_width_make_no_strings() -> None:
    sent = batch(value=pa.array([*NIRS, None]))
    content = ARROW.decode("tokenise", stream(sent, sent.slice(1)))
    assert isinstance(content.items, Rows)
    assert list(content.items) == [*NIRS, NIRS[1]]


def test_a_dictionary_is_computed_once_and_only_what_rows_have_of_it() -> None:
    """An entry that no row has is neither revealed nor charged."""
    tokens = [str(text) for text in NIR.tokenise(NIRS, None).texts]
    array = pa.DictionaryArray.from_arrays(pa.array([1, 1, None, 1]), pa.array(tokens))
    body = stream(batch(token=array))
    content = ARROW.decode("detokenise", body)
    assert isinstance(content.items, Coded)
    assert list(content.items.distinct) == tokens[1:]
    batches, books = by_arrow("detokenise", body)
    assert books.items == 3
    assert len(books.persons) == 1
    assert batches[0].column(0).dictionary.to_pylist() == NIRS[1:]
    answer = perform("detokenise", content, Books())
    assert NIRS[0].encode() not in ARROW.encode("detokenise", content, answer)


def test_masks_that_are_alike_are_one_entry() -> None:
    """Some readers (pandas) take no dictionary with an entry twice."""
    tokens = [str(text) for text in NIR.tokenise(NIRS, None).texts]
    batches, _ = by_arrow("mask", stream(batch(token=pa.array(tokens).dictionary_encode())))
    assert batches[0].column(0).dictionary.to_pylist() == ["185************"]


def test_dictionaries_may_change_between_batches_and_hold_nulls() -> None:
    first = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array([NIRS[0], None]))
    second = pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array([NIRS[0], NIRS[1]]))
    batches, books = by_arrow("tokenise", stream(batch(value=first), batch(value=second)))
    tokens = [str(text) for text in NIR.tokenise(NIRS, None).texts]
    assert [text for text, _ in rows(batches)] == [tokens[0], None, tokens[0], tokens[1], tokens[0]]
    assert books.items == 4


def test_a_required_context_is_asked_for_row_by_row() -> None:
    sent = batch(value=["1984-05-12"] * 3, context=["a", None, "b"])
    batches, books = by_arrow("tokenise", stream(sent), "birth-date")
    assert [error for _, error in rows(batches)] == [None, "context_required", None]
    assert books.items == 3


def test_a_column_without_any_context_is_none() -> None:
    sent = batch(value=NIRS, context=pa.array([None, None], pa.utf8()))
    assert ARROW.decode("tokenise", stream(sent)).contexts is None


def test_no_rows_and_no_batches_are_batches_too() -> None:
    schema = pa.schema({"value": pa.utf8()})
    batches, books = by_arrow("tokenise", stream(schema=schema))
    assert (batches, books.items) == ([], 0)
    batches, _ = by_arrow("tokenise", stream(batch(value=pa.array([], pa.utf8()))))
    assert [each.num_rows for each in batches] == [0]


# What is refused ----------------------------------------------------------------------------


def refused(operation: Operation, body: bytes, codec: Arrow = ARROW) -> str:
    with pytest.raises(Refusal) as caught:
        codec.decode(operation, body)
    return caught.value.code


@pytest.mark.parametrize(
    ("operation", "columns"),
    [
        ("tokenise", {"token": NIRS}),
        ("tokenise", {"value": NIRS, "candidate": NIRS}),
        ("tokenise", {"value": NIRS, "other": NIRS}),
        ("tokenise", {"context": NIRS}),
        ("detokenise", {"value": NIRS}),
        ("mask", {"token": NIRS, "candidate": NIRS}),
        ("match", {"token": NIRS}),
        ("match", {"candidate": NIRS}),
        ("tokenise", {"value": [1, 2]}),
        ("tokenise", {"value": pa.array([b"1", b"2"])}),
        ("tokenise", {"value": pa.array([None, None])}),
        ("tokenise", {"value": pa.array([["1"]])}),
        ("tokenise", {"value": pa.array([1, 2]).dictionary_encode()}),
        ("tokenise", {"value": pa.RunEndEncodedArray.from_arrays([2], pa.array(["1"]))}),
        ("tokenise", {"value": NIRS, "context": [1, 2]}),
        ("tokenise", {"value": NIRS, "context": ["", "a"]}),
        ("tokenise", {"value": NIRS, "context": ["e\u0301", "a"]}),
        ("tokenise", {"value": NIRS, "context": ["x" * 257, "a"]}),
    ],
)
def test_other_columns_are_refused(operation: Operation, columns: dict[str, Any]) -> None:
    assert refused(operation, stream(batch(**columns))) == "malformed_request"


def test_a_column_that_is_there_twice() -> None:
    twice = pa.record_batch([pa.array(NIRS)] * 2, names=["value", "value"])
    assert refused("tokenise", stream(twice)) == "malformed_request"


def test_too_many_rows() -> None:
    full = batch(value=["1"] * 100)
    assert len(ARROW.decode("tokenise", stream(full, full)).items) == 200
    assert refused("tokenise", stream(full, full, batch(value=["1"]))) == "too_large"
    entries = pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([str(n) for n in range(201)]))
    assert refused("tokenise", stream(batch(value=entries))) == "too_large"


@pytest.mark.parametrize("kind", [pa.string_view(), pa.dictionary(pa.int8(), pa.utf8())])
def test_texts_that_share_their_bytes_are_bounded_by_what_they_say(kind: pa.DataType) -> None:
    """A megabyte that two hundred rows point at is two hundred megabytes, written out."""
    long = "1" * (1 << 20)
    if pa.types.is_dictionary(kind):
        array = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int8()), pa.array([long]))
    else:
        view = pa.array([long], pa.string_view())
        buffers = view.buffers()
        twice = pa.py_buffer(bytes(buffers[1])[:16] * 2)
        array = pa.Array.from_buffers(pa.string_view(), 2, [None, twice, *buffers[2:]])
    assert refused("tokenise", stream(batch(value=array))) == "too_large"
    assert len(ARROW.decode("tokenise", stream(batch(value=array.slice(1)))).items) == 1


def forged(array: pa.Array, index: int, content: bytes) -> bytes:
    """A stream of a column with what stands in one of its buffers replaced."""
    body = stream(batch(value=array))
    before = bytes(array.buffers()[index])[: len(content)]
    assert body.count(before) == 1
    return body.replace(before, content)


def numbers(kind: str, *given: int) -> bytes:

    return np.array(given, kind).tobytes()


@pytest.mark.parametrize(
    "offsets", [(0, 15, 1 << 30), (0, -15, 30), (15, 0, 30), (-4, 15, 30), (0, 31, 30)]
)
@pytest.mark.parametrize("kind", ["utf8", "large_utf8"])
def test_forged_offsets(offsets: tuple[int, ...], kind: str) -> None:
    array = pa.array(NIRS, getattr(pa, kind)())
    body = forged(array, 1, numbers("<i4" if kind == "utf8" else "<i8", *offsets))
    assert refused("tokenise", body) == "malformed_request"


@pytest.mark.parametrize("place", [(0, 4), (0, 0), (0, 1 << 40), (1 << 40, 12), (-8, 12), (0, -12)])
def test_forged_places_of_buffers(place: tuple[int, int]) -> None:
    body = stream(batch(value=NIRS))
    before = struct.pack("<qq", 0, 12)  # of the offsets
    assert body.count(before) == 1
    body = body.replace(before, struct.pack("<qq", *place))
    assert refused("tokenise", body) == "malformed_request"


@pytest.mark.parametrize(
    "view", [(15, 0, 5, 0), (15, 0, 0, 1 << 30), (-1, 0, 0, 0), (15, 0, -1, 0)]
)
def test_forged_views(view: tuple[int, ...]) -> None:
    array = pa.array(NIRS, pa.string_view())
    body = forged(array, 1, numbers("<i4", *view, *view))
    assert refused("tokenise", body) == "malformed_request"


@pytest.mark.parametrize("index", [2, 127, -1, -128])
def test_forged_indices(index: int) -> None:
    indices = pa.array([0, 1, 0], pa.int8())
    array = pa.DictionaryArray.from_arrays(indices, pa.array(NIRS))
    bad = pa.Array.from_buffers(pa.int8(), 3, [None, pa.py_buffer(numbers("i1", 0, index, 1))])
    array = pa.DictionaryArray.from_arrays(bad, array.dictionary, safe=False)
    assert refused("tokenise", stream(batch(value=array))) == "malformed_request"


@pytest.mark.parametrize("wrong", [b"\xff", b"\xed\xa0\x80", b"\xc0\xaf"])
@pytest.mark.parametrize("kind", ["utf8", "string_view", "dictionary"])
def test_what_is_no_utf8(wrong: bytes, kind: str) -> None:
    array = pa.Array.from_buffers(
        pa.utf8(), 1, [None, pa.py_buffer(numbers("<i4", 0, len(wrong))), pa.py_buffer(wrong)]
    )
    if kind == "string_view":
        view = numbers("<i4", len(wrong)) + wrong.ljust(12, b"\0")
        array = pa.Array.from_buffers(pa.string_view(), 1, [None, pa.py_buffer(view)])
    elif kind == "dictionary":
        array = pa.DictionaryArray.from_arrays(pa.array([0]), array)
    assert refused("tokenise", stream(batch(value=array))) == "malformed_request"
