"""The column codec of NIRs agrees with the scalar side, row for row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.columns import assert_reads_agree, assert_writes_agree, columns_of
from tests.support.nirs import FORMATS, SAFE, any_numbers
from tests.support.values import ordinary_nirs, special_nirs, unknown_month_nirs
from vault.formats.base import Place

# One character of a good number replaced by any other of Latin-1, or beyond it.
spoilt_nirs = st.tuples(ordinary_nirs, st.integers(0, 14), st.characters(codec="latin-1")).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
)
rows = st.one_of(ordinary_nirs, spoilt_nirs, special_nirs, unknown_month_nirs, any_numbers)
places = st.lists(st.integers(0, SAFE.domain(0).size - 1), min_size=1, max_size=30)


def at(rank: int, width: int) -> Place:
    return Place(0, rank, (width,))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("width", [15, 13])
@given(texts=st.lists(rows, min_size=1, max_size=6))
def test_reads_agree(name: str, width: int, texts: list[str]) -> None:
    assert_reads_agree(FORMATS[name], [text[:width] for text in texts])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("width", [15, 13])
@given(ranks=places, slot=st.integers(0, 1))
def test_no_ordinary_value_or_token_is_declined(
    name: str, width: int, ranks: list[int], slot: int
) -> None:
    form = FORMATS[name]
    values = [form.write_value(at(rank, width)) for rank in ranks]
    assert all(assert_reads_agree(form, values)[0])
    base = form.domain(0).size * slot * (form.domain(0).slots - 1)
    tokens = [form.write_token(at(base + rank, width)) for rank in ranks]
    assert all(assert_reads_agree(form, tokens)[1])
    assert_writes_agree(form, values, [base + rank for rank in ranks])


def test_the_ends_of_the_room() -> None:
    room = SAFE.domain(0).room
    assert_writes_agree(SAFE, ["284058832102532"] * 2, [0, room - 1])


def test_every_key_of_a_body_but_one_is_declined() -> None:
    body = "2840588321025"
    values, _ = assert_reads_agree(SAFE, [f"{body}{key:02d}" for key in range(100)])
    assert [key for key, value in enumerate(values) if value] == [32]


def test_every_first_digit_month_and_department() -> None:
    triples = [f"{n:05d}" for n in (*range(10_000, 30_000, 7), *range(0, 100_000, 31))]
    assert_reads_agree(SAFE, [f"{triple}75101001" for triple in triples])
    places = [f"{chr(a)}{chr(b)}" for a in range(0x20, 0x7F) for b in range(0x20, 0x7F)]
    values, _ = assert_reads_agree(SAFE, [f"28405{place}321025" for place in places])
    assert sum(values) == 101


def test_other_widths_have_no_columns() -> None:
    columns = columns_of(SAFE)
    assert [width for width in range(1, 40) if columns.kind(width) is not None] == [13, 15]
