"""Counted sets, each held to a list of all of its texts."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.formats.check_characters import DIGITS, Mod11And10, luhn
from vault.formats.counted import (
    Checked,
    Counted,
    Either,
    Numbers,
    OneOf,
    Row,
    Walk,
    Without,
    but_for_check,
)

EVERY_THREE = [f"{n:03d}" for n in range(1000)]


def twice(met: str, at: int, digit: str) -> str | None:
    """A walk of texts in which exactly one digit stands twice: what was met, a "!" for that."""
    if digit not in met:
        return met + digit
    return None if "!" in met else met + "!"


def one_digit_twice(text: str) -> bool:
    counts = sorted(text.count(digit) for digit in set(text))
    return counts[-1] == 2 and (len(counts) == 1 or counts[-2] == 1)


TWICE = Walk([DIGITS[1:], DIGITS, DIGITS], "", twice, lambda met: "!" in met, lambda met: met)
LEAVING = Walk(
    [DIGITS] * 3, 0, lambda total, _, d: (total + int(d)) % 7, lambda t: t != 1, lambda t: t
)
CHECKED = Checked(Numbers(2), luhn(2))

CASES: dict[str, tuple[Counted, list[str]]] = {
    "numbers": (Numbers(3), EVERY_THREE),
    "numbers between": (Numbers(3, 7, 612), EVERY_THREE[7:613]),
    "one of": (OneOf(["007", "003", "999"]), ["007", "003", "999"]),
    "row": (
        Row(OneOf("52"), Numbers(1, 3, 8), OneOf("19")),
        [f"{a}{b}{c}" for a in "52" for b in range(3, 9) for c in "19"],
    ),
    "checked": (CHECKED, [f"{n:02d}{luhn(2).of(f'{n:02d}')}" for n in range(100)]),
    "either": (
        Either(Numbers(3, 900), OneOf(["111", "110"]), Numbers(3, 0, 4)),
        [*EVERY_THREE[900:], "111", "110", *EVERY_THREE[:5]],
    ),
    "without": (
        Without(Numbers(3, 5), "005", "006", "500", "999"),
        [t for t in EVERY_THREE[5:] if t not in ("005", "006", "500", "999")],
    ),
    "walk": (TWICE, [t for t in EVERY_THREE[100:] if one_digit_twice(t)]),
    "walk by sums": (LEAVING, [t for t in EVERY_THREE if sum(map(int, t)) % 7 != 1]),
}


@pytest.mark.parametrize("name", CASES)
def test_ranks_are_places_in_the_list_of_all_texts(name: str) -> None:
    numbers, texts = CASES[name]
    assert numbers.size == len(texts)
    assert [numbers.text(rank) for rank in range(numbers.size)] == texts
    assert [numbers.rank(text) for text in texts] == list(range(numbers.size))
    assert all(numbers.rank(text) is None for text in EVERY_THREE if text not in set(texts))


@pytest.mark.parametrize("name", CASES)
@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=3, max_size=3))
def test_no_text_raises(name: str, text: str) -> None:
    numbers, texts = CASES[name]
    assert (numbers.rank(text) is not None) == (text in texts)


def test_ranks_beyond_the_size_are_refused() -> None:
    with pytest.raises(IndexError):
        Either(Numbers(1), OneOf("A")).text(11)


def test_typing_errors_are_known_by_their_check() -> None:
    both = Either(CHECKED, Checked(OneOf(["AB"]), luhn(2)))
    assert but_for_check(both, "000")
    assert but_for_check(both, "001")
    assert but_for_check(both, "AB0")
    assert not but_for_check(both, "BA0")
    assert not but_for_check(Numbers(3), "000")


def test_mod_11_10_leaves_one_digit_for_each_body() -> None:
    # ISO 7064's own example of the system: 0794 takes the check digit 5.
    assert Mod11And10().of("0794") == "5"
    for digits in product("059", repeat=4):
        assert Mod11And10().of("".join(digits)) in DIGITS
