"""Text: NIRs with their right keys in any printed form, however chunks are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.fr import nir

from tests.proxy.bodies.reversing import Reversing, cut, parsed, rewritten, rule, shape, texts
from vault.proxy.bodies.text import BadRecogniser, TextParser, has_right_key

GOOD = "184127511603292"
BAD = "184127511603293"
CORSICAN = "185012A00401008"
RULES = [rule("fr-nir")]
words = st.lists(
    st.sampled_from(
        [GOOD, BAD, CORSICAN, " ", "-", "1", "é", "\u00a0", "a", "1 84 12 75 116 032 92"]
    )
).map("".join)


@pytest.mark.parametrize("apart", ["", " ", ".", "-", "\u00a0", "\u202f"])
def test_printed_forms(apart: str) -> None:
    printed = apart.join([GOOD[0], GOOD[1:3], GOOD[3:5], GOOD[5:7], GOOD[7:10], GOOD[10:13], "92"])
    assert texts(parsed(TextParser(RULES), [f"no {printed}, {BAD}".encode()])) == [printed]


def test_letters_of_corsica_in_either_case() -> None:
    body = f"({CORSICAN}) {CORSICAN.lower()}".encode()
    assert texts(parsed(TextParser(RULES), [body])) == [CORSICAN, CORSICAN.lower()]


def test_longer_numbers_are_none() -> None:
    body = f"1{GOOD} {GOOD}1 x{GOOD} {GOOD}x".encode()
    assert texts(parsed(TextParser(RULES), [body])) == []


@given(body=words.map(str.encode), at=st.lists(st.integers(0, 150), max_size=6))
async def test_chunks_make_no_difference(body: bytes, at: list[int]) -> None:
    whole = shape(parsed(TextParser(RULES), [body]))
    assert shape(parsed(TextParser(RULES), cut(body, at))) == whole
    assert shape(parsed(TextParser(RULES), cut(body, range(len(body))))) == whole
    assert await rewritten(TextParser(RULES), cut(body, at), Reversing(identity=True)) == body


@given(number=st.from_regex(r"[12][0-9]{4}(2A|2B|[0-9]{2})[0-9]{8}", fullmatch=True))
def test_the_key_is_what_an_independent_reader_says(number: str) -> None:
    assert has_right_key(number) == nir.is_valid(number)


def test_the_route_may_leave_some() -> None:
    parser = TextParser(RULES, wanted=lambda number: number != GOOD)
    assert texts(parsed(parser, [f"{GOOD} {BAD}".encode()])) == [BAD]


def test_little_is_held() -> None:
    parser = TextParser(RULES)
    held = 40 * 1000 - sum(len(p) for p in parser.feed(b"1 2 " * 10_000) if isinstance(p, bytes))
    assert held < 40


def test_only_what_proves_itself() -> None:
    with pytest.raises(BadRecogniser):
        TextParser([rule("birth-date")])
