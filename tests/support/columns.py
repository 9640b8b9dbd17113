"""Holds a format's columns to its scalar side: what they accept, read and write is the same."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vault.errors import ItemError
from vault.formats.base import Cells, Columns, Format, Place


def as_cells(texts: Sequence[str]) -> Cells:
    """Rows as the engine makes them: whatever is not ASCII becomes "?"."""
    flat = np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8)
    return flat.reshape(len(texts), len(texts[0]))


def as_texts(cells: Cells) -> list[str]:
    return [row.tobytes().decode("ascii") for row in cells]


def columns_of(form: Format) -> Columns:
    assert form.columns is not None
    return form.columns


def assert_reads_agree(form: Format, texts: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """Values and tokens: a row that the columns accept reads as the scalar side reads it.

    Returns which rows were read as values and which as tokens.
    """
    columns = columns_of(form)
    cells = as_cells(texts)
    kind = columns.kind(len(texts[0]))
    values, value_ranks = columns.read_values(cells)
    _assert_same(texts, values, value_ranks, kind, form.read_value)
    tokens, token_ranks = columns.read_tokens(cells)
    _assert_same(texts, tokens, token_ranks, kind, form.read_token)
    return values.tolist(), tokens.tolist()


def _assert_same(
    texts: Sequence[str],
    flags: NDArray[np.bool_],
    ranks: NDArray[np.uint64],
    kind: int | None,
    read: Callable[[str], Place],
) -> None:
    for text, flag, rank in zip(texts, flags.tolist(), ranks.tolist(), strict=True):
        if flag:
            place = read(text)
            assert (place.kind, place.rank) == (kind, rank)


def assert_writes_agree(form: Format, like: Sequence[str], ranks: Sequence[int]) -> None:
    """Tokens and values: `ranks` are in the token room; `like` are values of one width."""
    columns = columns_of(form)
    cells = as_cells(like)
    kinds = [
        form.read_value(text)._replace(rank=rank) for text, rank in zip(like, ranks, strict=True)
    ]
    array = np.array(ranks, np.uint64)
    assert as_texts(columns.write_tokens(array, cells)) == [form.write_token(p) for p in kinds]
    inside = [place.rank % form.domain(place.kind).size for place in kinds]
    flags, written = columns.write_values(np.array(inside, np.uint64), cells)
    for place, rank, flag, text in zip(
        kinds, inside, flags.tolist(), as_texts(written), strict=True
    ):
        try:
            expected = form.write_value(place._replace(rank=rank))
        except ItemError:
            assert not flag
        else:
            assert flag
            assert text == expected
