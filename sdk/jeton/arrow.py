"""Columns of Arrow through the service, Arrow all the way; needs ``jeton-sdk[arrow]``.

    tokens = jeton.arrow.tokenise(client, "fr-nir", table["nir"]).all()
    values = jeton.arrow.detokenise(client, "fr-nir", tokens, purpose="audit").all().reveal()

An `Array` gives an `Array`, a `ChunkedArray` a `ChunkedArray`, of the same text type; a
dictionary-encoded column gives a dictionary-encoded one, and under one context each of its
entries is sent, and charged, once. Null stays null and costs nothing. `context` is one text for
all rows, or a column of them, where null is none.

A column is sent in requests of at most 1,000,000 rows and 48 MiB. All functions raise what
`Client.detokenise` raises for a request refused whole; where that is not the first one, those
before it have been charged. `UsageError` says that columns are not text, or not of one length.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from jeton.arrow_stream import calls
from jeton.client import Client
from jeton.columns import Outcome, SensitiveColumn
from jeton.errors import UsageError
from jeton.protocol import DETOKENISE, MASK, MATCH, TOKENISE, Operation, Question

Column: TypeAlias = pa.Array | pa.ChunkedArray
Context: TypeAlias = str | Column | None
C = TypeVar("C", bound=Column)
"""The result is of the kind of what was given."""

_TEXTS = (pa.utf8(), pa.large_utf8(), pa.string_view())
_CODES = pa.dictionary(pa.int8(), pa.utf8())


def tokenise(
    client: Client, transformation: str, values: C, *, context: Context = None
) -> Outcome[C]:
    """A column of the values' tokens."""
    question = Question(TOKENISE, transformation)
    return _ask(client, question, (values,), context)


def detokenise(
    client: Client,
    transformation: str,
    tokens: C,
    *,
    context: Context = None,
    purpose: str | None = None,
    on_behalf_of: str | None = None,
) -> Outcome[SensitiveColumn[C]]:
    """The column of values behind tokens, covered until its `reveal()` is called."""
    question = _reading(client, DETOKENISE, transformation, purpose, on_behalf_of)
    got = _ask(client, question, (tokens,), context)
    return Outcome(SensitiveColumn(got.column), got.errors, got.first_error, got.receipts)


def mask(
    client: Client,
    transformation: str,
    tokens: C,
    *,
    context: Context = None,
    purpose: str | None = None,
    on_behalf_of: str | None = None,
) -> Outcome[C]:
    """A column of as much of the values as a screen may show."""
    question = _reading(client, MASK, transformation, purpose, on_behalf_of)
    return _ask(client, question, (tokens,), context)


def match(
    client: Client,
    transformation: str,
    tokens: C,
    candidates: Column,
    *,
    context: Context = None,
    purpose: str | None = None,
    on_behalf_of: str | None = None,
) -> Outcome[C]:
    """A boolean column: whether the value behind each token is the candidate beside it."""
    question = _reading(client, MATCH, transformation, purpose, on_behalf_of)
    return _ask(client, question, (tokens, candidates), context)


def tokenise_table(
    client: Client,
    table: pa.Table,
    columns: Mapping[str, str],
    *,
    contexts: Mapping[str, str] | None = None,
) -> pa.Table:
    """The table with tokens in `columns`, which names each one's transformation.

    `contexts` names, for a column, the column that its rows are bound to. Columns are done in
    the order given, so a context that is tokenised before it counts as tokens. Raises the
    `ItemError` of the first row that failed.
    """
    for name, transformation in columns.items():
        bound = (contexts or {}).get(name)
        context = None if bound is None else _of(table, bound)
        got = tokenise(client, transformation, _of(table, name), context=context).all()
        table = table.set_column(table.schema.get_field_index(name), name, got)
    return table


def _of(table: pa.Table, name: str) -> pa.ChunkedArray:
    if table.column_names.count(name) != 1:
        raise UsageError(f"the table has not exactly one column {name}")
    return table.column(name)


def _reading(
    client: Client,
    operation: Operation[Any],
    transformation: str,
    purpose: str | None,
    on_behalf_of: str | None,
) -> Question[Any]:
    return Question(operation, transformation, purpose or client.purpose, on_behalf_of)


def _ask(
    client: Client, question: Question[Any], given: tuple[Column, ...], context: Context
) -> Outcome[Any]:
    columns = [_text_column(column) for column in given]
    if context is not None and not isinstance(context, str):
        context = _decoded(_text_column(context))
    entries = pa.types.is_dictionary(columns[0].type)
    if entries and len(columns) == 1 and (context is None or isinstance(context, str)):
        result, errors, receipts = _each_entry_once(client, question, columns[0], context)
    else:
        plain = [_decoded(column) for column in columns]
        result, errors, receipts = _rows(client, question, plain, context)
        if entries and question.operation is not MATCH:
            result = result.dictionary_encode()
    if isinstance(given[0], pa.Array):
        result, errors = _one_array(result), _one_array(errors)
    return Outcome(result, errors, _first(errors), receipts)


def _text_column(column: Any) -> pa.ChunkedArray:
    """`column` in chunks, if it is text; a column of nothing but nulls may have no type."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if not isinstance(column, pa.ChunkedArray):
        raise UsageError("a column is a pyarrow Array or ChunkedArray")
    if pa.types.is_null(column.type):
        column = column.cast(pa.utf8())
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if kind not in _TEXTS:
        raise UsageError(f"a column must be text, and this one is {column.type}")
    return column


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _each_entry_once(
    client: Client, question: Question[Any], column: pa.ChunkedArray, context: str | None
) -> tuple[pa.ChunkedArray, pa.ChunkedArray, tuple[str, ...]]:
    """Ask for the dictionary's entries that some row has, and give rows what became of them."""
    column = column.unify_dictionaries()
    chunks = [chunk for chunk in column.chunks if len(chunk)]
    entries = chunks[0].dictionary if chunks else pa.array([], column.type.value_type)
    indices = pa.chunked_array([chunk.indices for chunk in chunks], column.type.index_type)
    used = pc.drop_null(pc.unique(indices))
    asked = pa.chunked_array([entries.take(used)])
    result, errors, receipts = _rows(client, question, [asked], context)
    places = pc.index_in(indices, value_set=used, skip_nulls=True)
    answers = _one_array(result)
    rows = [pa.DictionaryArray.from_arrays(chunk, answers) for chunk in places.chunks]
    encoded = pa.chunked_array(rows, pa.dictionary(pa.int32(), answers.type))
    return encoded, errors.take(places), receipts


def _rows(
    client: Client,
    question: Question[Any],
    columns: list[pa.ChunkedArray],
    context: str | pa.ChunkedArray | None,
) -> tuple[pa.ChunkedArray, pa.ChunkedArray, tuple[str, ...]]:
    """Ask for every row. Gives results, codes of errors, and receipts."""
    if isinstance(context, pa.ChunkedArray):
        columns, context = [*columns, context], None
    if len({len(column) for column in columns}) > 1:
        raise UsageError("all columns, that of contexts too, must have as many rows as the first")
    replies = [client.send(call) for call in calls(question, columns, context)]
    kind = pa.bool_() if question.operation is MATCH else columns[0].type
    return (
        _joined((reply.result for reply in replies), kind),
        _joined((reply.error for reply in replies), _CODES).unify_dictionaries(),
        tuple(reply.receipt for reply in replies if reply.receipt is not None),
    )


def _joined(parts: Iterable[pa.ChunkedArray], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], kind)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        raise UsageError("the answer is too large for one Array: pass a ChunkedArray")
    return joined


def _first(errors: Column) -> tuple[int, str] | None:
    if errors.null_count == len(errors):
        return None
    row = pc.index(pc.is_valid(errors), True).as_py()
    return row, errors[row].as_py()
