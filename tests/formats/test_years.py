"""Dates of years as ranks, held to Python's calendar."""

from datetime import date, timedelta

import pytest

from vault.formats.years import CYCLE, CYCLE_DAYS, PAIRS, Pairs, Years, is_calendar, is_leap


def lunar(pair: int, leap: bool) -> bool:
    return not is_calendar(pair, leap)


def test_calendar_dates_are_pythons() -> None:
    for leap, year in ((False, 1900), (True, 2000)):
        assert is_leap(year) == leap
        days = {
            100 * day.month + day.day
            for day in (date(year, 1, 1) + timedelta(n) for n in range(365 + leap))
        }
        assert {pair for pair in range(PAIRS) if is_calendar(pair, leap)} == days


def test_all_days_of_the_values_in_order() -> None:
    years = Years(1800, 2199, Pairs(is_calendar))
    assert years.size == CYCLE_DAYS == (date(2200, 1, 1) - date(1800, 1, 1)).days
    day = date(1800, 1, 1)
    for rank in range(years.size):
        pair = 100 * day.month + day.day
        assert years.rank(day.year, pair) == rank
        assert years.date(rank) == (day.year, pair)
        day += timedelta(1)


@pytest.mark.parametrize("year", [1999, 2000])
def test_all_lunar_dates_of_a_year(year: int) -> None:
    years = Years(year, year, Pairs(lunar))
    ranks = [years.rank(year, pair) for pair in range(PAIRS)]
    assert ranks.count(None) == 365 + is_leap(year)
    assert [rank for rank in ranks if rank is not None] == list(range(years.size))
    assert all(years.rank(*years.date(rank)) == rank for rank in range(years.size))


def test_calendar_and_lunar_share_out_all_pairs() -> None:
    every = Years(1800, 1800 + CYCLE - 1, Pairs(lambda pair, leap: True))
    assert every.size == CYCLE * PAIRS
    assert (
        every.size - Years(1800, 2199, Pairs(is_calendar)).size
        == Years(1800, 2199, Pairs(lunar)).size
    )


def test_other_years_have_no_rank() -> None:
    years = Years(1800, 2199, Pairs(is_calendar))
    assert years.rank(1799, 1231) is None
    assert years.rank(2200, 101) is None
