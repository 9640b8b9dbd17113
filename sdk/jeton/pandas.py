"""Columns of pandas through the service, as Arrow; needs ``jeton-sdk[pandas]``.

    frame["nir"] = jeton.pandas.tokenise(client, "fr-nir", frame["nir"]).all()
    nirs = jeton.pandas.detokenise(client, "fr-nir", frame["nir"], purpose="audit").all().reveal()

A Series gives a Series with its index, name and dtype: `str`, ``string``, `ArrowDtype`,
`object`, or a category, of which each entry is sent, and charged, once under one context. What
is missing stays missing and costs nothing. `context` is one text for all rows, or a Series with
the same index. What fails, and how much goes at a time, is as in `jeton.arrow`.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa

from jeton import arrow
from jeton.client import Client
from jeton.columns import Outcome, SensitiveColumn
from jeton.errors import UsageError

Context: TypeAlias = "str | pd.Series | None"


def tokenise(
    client: Client, transformation: str, values: pd.Series, *, context: Context = None
) -> Outcome[pd.Series]:
    """A Series of the values' tokens."""
    bound = _context(context, values)
    got = arrow.tokenise(client, transformation, _column(values), context=bound)
    return _outcome(got, got.column, values)


def detokenise(
    client: Client,
    transformation: str,
    tokens: pd.Series,
    *,
    context: Context = None,
    purpose: str | None = None,
    on_behalf_of: str | None = None,
) -> Outcome[SensitiveColumn[pd.Series]]:
    """The Series of values behind tokens, covered until its `reveal()` is called."""
    got = arrow.detokenise(
        client,
        transformation,
        _column(tokens),
        context=_context(context, tokens),
        purpose=purpose,
        on_behalf_of=on_behalf_of,
    )
    plain = _outcome(got, got.column.reveal(), tokens)
    return Outcome(SensitiveColumn(plain.column), plain.errors, plain.first_error, plain.receipts)


def mask(
    client: Client,
    transformation: str,
    tokens: pd.Series,
    *,
    context: Context = None,
    purpose: str | None = None,
    on_behalf_of: str | None = None,
) -> Outcome[pd.Series]:
    """A Series of as much of the values as a screen may show."""
    got = arrow.mask(
        client,
        transformation,
        _column(tokens),
        context=_context(context, tokens),
        purpose=purpose,
        on_behalf_of=on_behalf_of,
    )
    return _outcome(got, got.column, tokens)


def match(
    client: Client,
    transformation: str,
    tokens: pd.Series,
    candidates: pd.Series,
    *,
    context: Context = None,
    purpose: str | None = None,
    on_behalf_of: str | None = None,
) -> Outcome[pd.Series]:
    """A Series of booleans: whether the value behind each token is the candidate beside it."""
    got = arrow.match(
        client,
        transformation,
        _column(tokens),
        _column(_beside(candidates, tokens)),
        context=_context(context, tokens),
        purpose=purpose,
        on_behalf_of=on_behalf_of,
    )
    return _outcome(got, got.column, tokens)


def tokenise_frame(
    client: Client,
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    *,
    contexts: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """A copy of the frame with tokens in `columns`, as `jeton.arrow.tokenise_table` does it."""
    done = frame.copy(deep=False)
    for name, transformation in columns.items():
        bound = (contexts or {}).get(name)
        context = None if bound is None else done[bound]
        done[name] = tokenise(client, transformation, done[name], context=context).all()
    return done


def _column(series: Any) -> arrow.Column:
    """The texts as Arrow, without a copy where pandas has them so."""
    if not isinstance(series, pd.Series):
        raise UsageError("a column is a pandas Series")
    try:
        if series.dtype == object:
            return pa.array(series, pa.large_utf8(), from_pandas=True)
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError):
        pass  # whose words quote the value that was none
    raise UsageError("every item of a Series must be a str or missing")


def _context(context: Context, beside: pd.Series) -> arrow.Context:
    if context is None or isinstance(context, str):
        return context
    return _column(_beside(context, beside))


def _beside(series: pd.Series, other: pd.Series) -> pd.Series:
    if not isinstance(series, pd.Series) or not series.index.equals(other.index):
        raise UsageError("all Series must have the same index, in the same order")
    return series


def _outcome(got: Outcome[Any], column: arrow.Column, like: pd.Series) -> Outcome[pd.Series]:
    values = _values(column, like.dtype)
    result = pd.Series(values, index=like.index, name=like.name, dtype=values.dtype)
    errors = got.errors.to_pandas()
    errors = pd.Series(errors.array, index=like.index, name="error")
    return Outcome(result, errors, got.first_error, got.receipts)


def _values(column: arrow.Column, dtype: Any) -> Any:
    """What a Series of this dtype is made of."""
    if isinstance(column, pa.Array):
        column = pa.chunked_array([column])
    if pa.types.is_boolean(column.type) and not isinstance(dtype, pd.ArrowDtype):
        return pd.BooleanDtype().__from_arrow__(column)
    if isinstance(dtype, pd.CategoricalDtype):
        # Two tokens may stand for one value, and two values have one mask: entries are unique.
        plain = column.cast(column.type.value_type)
        return plain.combine_chunks().dictionary_encode().to_pandas().array
    if pd.api.types.is_object_dtype(dtype):
        return pd.Series(column.to_pylist(), dtype=object).array
    if isinstance(dtype, pd.ArrowDtype):
        return pd.ArrowDtype(column.type).__from_arrow__(column)
    return dtype.__from_arrow__(column)
