"""What masks leave, by formats whose answer can be counted by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.access.guessing import behind_mask, population, seconds, smallest_domain, tables
from vault.config import DAY, HOUR, Transformation

NEAR = 0.1
"""Bits: figures are read off a sample."""


def of(form: str, **options: object) -> Transformation:
    return Transformation(form, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("configured", "alike"),
    [
        (of("digits", min_length=6), 10**2),
        (of("digits", min_length=16), 10**12),
        (of("digits", min_length=10, keep_first=3, keep_last=2), 10**5),
        (of("digits", min_length=6, keep_first=6), 10**6),  # covers all: so nothing is kept
        (of("alphanumeric", min_length=8, keep_last=1), 36**7),
        (of("template", template="AA-9999-*"), 26 * 26 * 10),
        (of("luhn", min_length=16), 10**11),
        (of("fr-nir"), 12 * 101 * 1000 * 999),
        (of("fr-nir", keep_first=5), 101 * 1000 * 999),
        (of("fr-nir", band="none", wrong_key="keep"), 12 * 101 * 1000 * 999),
        (of("birth-date"), 365.25),
        (of("birth-date-6"), 10**4),
        (of("es-dni", keep_last=1), 10**8 / 23),
        (of("us-ssn"), 898 * 99),
    ],
)
def test_all_alike(configured: Transformation, alike: float) -> None:
    assert behind_mask(configured).alike == pytest.approx(math.log2(alike), abs=NEAR)


@pytest.mark.parametrize(
    ("configured", "people"),
    [
        (of("fr-nir"), 75_000_000 / 2 / 100),
        (of("fr-nir", keep_first=5), 75_000_000 / 2 / 100 / 12),
        (of("fr-nir", keep_first=0, keep_last=0), 75_000_000),
        (of("birth-date"), 365.25),
        (of("birth-date", keep_first=6), 30.4),
        (of("birth-date-6"), 365.25),
        (of("birth-date-6", keep_first=2), 36_525 / 30.9),
    ],
)
def test_likely(configured: Transformation, people: float) -> None:
    assert behind_mask(configured).candidates == pytest.approx(people, rel=0.08)


def test_real_values_never_hide_better_than_all_that_can_be_written() -> None:
    for name in ("fr-nir", "birth-date", "birth-date-6", "de-idnr", "pl-pesel"):
        behind = behind_mask(of(name))
        assert 0 < behind.bits <= behind.alike + 0.001


@given(first=st.integers(0, 20), last=st.integers(0, 20))
def test_a_mask_that_keeps_more_leaves_no_more(first: int, last: int) -> None:
    def left(first: int, last: int) -> float:
        one = of("digits", min_length=12, max_length=12, keep_first=first, keep_last=last)
        return behind_mask(one).alike

    if first + last + 1 < 12:
        assert left(first + 1, last) < left(first, last)
        assert left(first, last + 1) < left(first, last)


def test_tables_of_nirs_are_its_arithmetic() -> None:
    month, department, everybody = tables(of("fr-nir"))
    assert month.alike == 2 * 1000 * 999
    assert department.alike == month.alike * 12 * 100
    assert everybody.alike == 242_157_600_000
    assert (month.guesses, department.guesses, everybody.guesses) == (1_250, 1_500_000, 150_000_000)
    assert everybody.guesses == 2 * population(of("fr-nir"))
    assert {type(each.guesses) for each in (month, department, everybody)} == {int}


def test_tables_of_dates_are_the_days_there_are() -> None:
    (dates,) = tables(of("birth-date"))
    assert (dates.guesses, dates.alike) == (44_926, 146_097)
    assert "one context" in dates.of
    (short,) = tables(of("birth-date-6"))
    assert (short.guesses, short.alike) == (36_525, 10**6)


@pytest.mark.parametrize(
    ("configured", "what", "size"),
    [
        (of("digits"), "all values of the shortest kind", 10**6),
        (of("digits", min_length=6, max_length=7), "all values of the shortest kind", 10**6),
        (of("digits", min_length=8, max_length=8), "all values", 10**8),
        (of("template", template="AA-9999-*"), "all values", 26**2 * 10**4 * 36),
    ],
)
def test_tables_of_what_is_no_date_are_all_that_can_be_written(
    configured: Transformation, what: str, size: int
) -> None:
    (table,) = tables(configured)
    assert (table.of, table.guesses, table.alike) == (what, size, size)


def test_the_smallest_of_a_formats_domains() -> None:
    assert smallest_domain(of("digits")) == 10**6
    assert smallest_domain(of("digits", min_length=9)) == 10**9
    assert 10**6 < smallest_domain(of("birth-date")) < 2 * 10**6
    assert smallest_domain(of("fr-nir")) == 242_157_600_000


CEILINGS = st.integers(1, 10**7)


@given(guesses=st.integers(1, 10**9), hour=CEILINGS, day=CEILINGS)
def test_a_thief_who_spends_as_soon_as_it_may_takes_that_long(
    guesses: int, hour: int, day: int
) -> None:
    """Stepped hour by hour in the first days, then day by day."""
    took = seconds(guesses, hour, day)
    a_day = min(day, 24 * min(hour, day))
    done, now = guesses // a_day * a_day, guesses // a_day * DAY
    if done == guesses:
        done, now = done - a_day, now - DAY
    spent = 0
    while True:
        fits = min(hour, day - spent, guesses - done)
        done, spent = done + fits, spent + fits
        if done == guesses:
            break
        now += HOUR
    assert took == now


@given(guesses=st.integers(1, 10**9), hour=CEILINGS, day=CEILINGS, more=st.integers(0, 10**6))
def test_larger_limits_are_never_slower(guesses: int, hour: int, day: int, more: int) -> None:
    took = seconds(guesses, hour, day)
    assert seconds(guesses, hour + more, day) <= took
    assert seconds(guesses, hour, day + more) <= took
    assert seconds(guesses + more, hour, day) >= took
