"""The table of formats says what the formats do."""

import pytest

from vault.errors import SetUpError
from vault.formats import CATALOGUE, NAMES, build, rows
from vault.formats.base import FLOOR, Domain


def test_every_format_has_rows() -> None:
    assert {row.format for row in rows()} == set(NAMES) == set(CATALOGUE)


def test_no_domain_is_below_the_floor() -> None:
    assert all(row.domain >= FLOOR for row in rows())


def test_rows_say_whether_tokens_can_be_told_and_how_many_slots_there_are() -> None:
    told = {name: build(name) for name in ("birth-date", "digits", "alphanumeric", "birth-date-6")}
    for row in rows():
        if row.format in told:
            assert row.recognisable == told[row.format].recognisable
            assert row.slots == told[row.format].slots
    special = [row for row in rows() if row.values.startswith("special")]
    assert [row.slots for row in special] == [2, 1]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SetUpError, match="birth-date-6"):
        build("nir")


@pytest.mark.parametrize("size", [1_000_000, 1_424_445, 242_157_600_000, 2**40, 10**13, 2**64])
def test_ranked_domains_have_the_least_even_length_and_then_the_least_radix(size: int) -> None:
    domain = Domain.ranked(size, size)
    assert domain.length % 2 == 0
    assert domain.radix <= 65_536
    assert domain.radix**domain.length >= size > (domain.radix - 1) ** domain.length
    assert domain.length == 2 or 65_536 ** (domain.length - 2) < size


NEEDED = {"alphabet": {"alphabet": "ABCDEF"}, "template": {"template": "AA-9999-*"}}


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_has_a_first_value(name: str) -> None:
    form = build(name, **NEEDED.get(name, {}))
    assert len({place.kind for place in form.kinds}) == len(form.kinds)
    for place in form.kinds:
        value = form.write_value(place)
        read = form.read_value(value)
        assert value == form.write_value(read), "in its plainest form"
        # The special kind's ranks begin with some that are ordinary numbers or none.
        assert read == place or (name, place.kind) == ("fr-nir", 1)
