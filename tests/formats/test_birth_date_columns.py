"""The column codec of birth dates agrees with the scalar side, row for row."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.columns import (
    as_cells,
    assert_reads_agree,
    assert_writes_agree,
    columns_of,
)
from tests.support.values import calendar_dates, date_forms, lunar_dates, lunar_forms
from vault.formats import build
from vault.formats.base import Place
from vault.formats.birth_date import CARETS, COMPACT, ISO, SLASHED

DATES = build("birth-date")
FORMS = (ISO, COMPACT, SLASHED, CARETS)
token_ranks = st.integers(0, DATES.domain(0).room - 1)
spoilt_dates = st.tuples(calendar_dates, st.integers(0, 9), st.characters(codec="latin-1")).map(
    lambda parts: parts[0].isoformat()[: parts[1]] + parts[2] + parts[0].isoformat()[parts[1] + 1 :]
)


@pytest.mark.parametrize("form", FORMS)
@given(
    days=st.lists(calendar_dates, min_size=1, max_size=20),
    ranks=st.lists(token_ranks, min_size=20, max_size=20),
)
def test_calendar_dates_of_one_form(form: str, days: list[date], ranks: list[int]) -> None:
    values = [form.format(year=day.year, month=day.month, day=day.day) for day in days]
    assert all(assert_reads_agree(DATES, values)[0])
    ranks = ranks[: len(values)]
    assert_writes_agree(DATES, values, ranks)
    tokens = [DATES.write_token(Place(0, rank, form)) for rank in ranks]
    values_read, tokens_read = assert_reads_agree(DATES, tokens)
    assert all(tokens_read)
    assert not any(values_read)


mixed = st.lists(
    st.one_of(
        calendar_dates.flatmap(lambda day: st.sampled_from(date_forms(day))),
        lunar_dates.flatmap(lambda parts: st.sampled_from(lunar_forms(parts))),
        token_ranks.map(lambda rank: DATES.write_token(Place(0, rank, ISO))),
        spoilt_dates,
        st.text("0123456789-/^", min_size=8, max_size=10),
    ),
    max_size=12,
)


@pytest.mark.parametrize("width", [8, 10])
@given(texts=mixed)
def test_mixed_rows_agree(width: int, texts: list[str]) -> None:
    rows = [text for text in texts if len(text) == width] or ["0" * width]
    assert_reads_agree(DATES, rows)


def test_every_day_of_some_years_and_every_pair_of_one() -> None:
    for year in (1800, 1899, 1900, 1984, 2000, 2199, 2200, 9999):
        rows = [f"{year}{pair:04d}" for pair in range(10_000)]
        values, tokens = assert_reads_agree(DATES, rows)
        leap = year in (1984, 2000)
        assert sum(values) == (365 + leap if year < 2200 else 0)
        assert sum(tokens) == (365 if year >= 2200 else 0)


def test_every_year() -> None:
    rows = [f"{year:04d}0229" for year in range(10_000)]
    assert_reads_agree(DATES, rows)


def test_a_minority_in_another_form_is_left_to_the_scalar_side() -> None:
    rows = ["1984-05-03", "03/05/1984", "1985-05-03"]
    assert assert_reads_agree(DATES, rows)[0] == [True, False, True]


def test_ranks_beyond_the_values_are_none() -> None:
    rows = ["1984-05-03"] * 2
    assert_writes_agree(DATES, rows, [146_096, 146_097])


def test_no_rows() -> None:
    columns = columns_of(DATES)
    cells = as_cells(["1984-05-03"])[:0]
    flags, ranks = columns.read_values(cells)
    assert len(flags) == len(ranks) == 0
    assert columns.write_tokens(ranks, cells).shape == (0, 10)


def test_other_widths_have_no_columns() -> None:
    columns = columns_of(DATES)
    assert [width for width in range(1, 20) if columns.kind(width) is not None] == [8, 10]
