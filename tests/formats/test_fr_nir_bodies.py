"""The ranked sets of bodies: their sizes, their bounds, and that ranks are one to one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.formats.fr_nir_bodies import (
    BANDS,
    BORN,
    DEPARTMENTS,
    EVERY_YEAR,
    FREE,
    MISKEYED,
    NEVER,
    ORDINARY,
    SPECIAL,
    SPECIAL_TOKENS,
    TRIPLES,
    Block,
    Bodies,
    Body,
)

SETS = {
    "ordinary": ORDINARY,
    "special": SPECIAL,
    "special tokens": SPECIAL_TOKENS,
    "miskeyed": MISKEYED,
    "safe": Bodies(BANDS["safe"]),
    "official": Bodies(BANDS["official"]),
}


def test_sizes_are_those_of_the_design() -> None:
    assert ORDINARY.size == 2 * 100 * 12 * 101 * 1000 * 999 == 242_157_600_000
    assert len(SETS["safe"].triples) == 4_760
    assert SETS["safe"].size == 4_760 * 102 * 1000 * 1000 == 485_520_000_000
    assert SETS["official"].size == 326_400_000_000
    assert SPECIAL.size == 10 * 100 * 92 * 102 * 1000 * 1000
    assert SPECIAL_TOKENS.size == 8_000 * 102 * 1000 * 1000
    assert MISKEYED.size == 2 * 100 * 19 * 102 * 1000 * 1000


def test_every_triple_stands_where_the_rules_put_it() -> None:
    for triple in range(TRIPLES):
        sex, year, month = triple // 10_000, triple // 100 % 100, triple % 100
        free = 43 <= month <= 49
        assert ORDINARY.holds_triple(triple) == (sex in (1, 2) and 1 <= month <= 12)
        assert SETS["safe"].holds_triple(triple) == (
            free and (sex in (1, 2, 3, 4) or (sex in (5, 6, 7, 8) and year >= 30))
        )
        assert SETS["official"].holds_triple(triple) == (
            sex in (1, 2) and (free or 21 <= month <= 29)
        )
        assert SPECIAL_TOKENS.holds_triple(triple) == (month == 0 or 13 <= month <= 19)
        assert SPECIAL.holds_triple(triple) != SPECIAL_TOKENS.holds_triple(triple)
        assert MISKEYED.holds_triple(triple) == (sex in (1, 2) and (free or 1 <= month <= 12))


def test_bands_hold_nothing_ordinary_and_no_number_of_another_register() -> None:
    for band in BANDS:
        for triple in Bodies(BANDS[band]).triples:
            assert not ORDINARY.holds_triple(triple)
            assert not SPECIAL_TOKENS.holds_triple(triple)
            assert not (triple // 10_000 >= 5 and triple // 1000 % 10 <= 2)


@pytest.mark.parametrize("name", SETS)
@given(data=st.data())
def test_ranks_and_bodies_are_one_to_one(name: str, data: st.DataObject) -> None:
    bodies = SETS[name]
    rank = data.draw(st.integers(0, bodies.size - 1))
    assert bodies.rank(bodies.body(rank)) == rank


@pytest.mark.parametrize("name", SETS)
def test_the_first_and_last_rank_are_bodies(name: str) -> None:
    bodies = SETS[name]
    for rank in (0, bodies.size - 1):
        assert bodies.rank(bodies.body(rank)) == rank


def test_a_small_set_is_counted_exactly() -> None:
    bodies = Bodies([Block((1,), (84,), (5,))], first=1)
    seen = 0
    for department in range(len(DEPARTMENTS)):
        for tail in (0, 1, 999, 1000, 1001, 999_000, 999_999):
            rank = bodies.rank(Body(18405, department, tail))
            zero = department == 0 or tail % 1000 == 0
            assert (rank is None) == zero
            seen += not zero
    assert seen == 101 * 4
    ranks = [bodies.rank(bodies.body(rank)) for rank in range(0, bodies.size, 9_973)]
    assert ranks == list(range(0, bodies.size, 9_973))


def test_months_are_shared_out_without_overlap() -> None:
    assert len({*BORN, *FREE, *NEVER}) == 12 + 7 + 8
    assert len(EVERY_YEAR) == 100


# The key: python-stdnum's documented examples (stdnum/fr/nir.py), and one of 2A with the same
# digits of department 19, which share it.
@pytest.mark.parametrize(
    ("body", "key"),
    [
        (Body(29510, 99, 126111), 93),
        (Body(25307, 101, 73004), 70),
        (Body(25307, 100, 73004), 43),
        (Body(18501, 100, 4010), 8),
        (Body(18501, 19, 4010), 8),
    ],
)
def test_keys(body: Body, key: int) -> None:
    assert body.key == key
