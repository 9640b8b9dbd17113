"""Fixed width: columns by record type, padding kept, lengths never changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import Reversing, cut, parsed, rewritten, rule, shape, texts
from vault.errors import ItemError
from vault.proxy.bodies.fixed_width import BadColumns, FixedWidthParser
from vault.proxy.bodies.pieces import Field, Limits, Unparsable

BODY = b"1HEADER  12345\r\n2A 123  4567\n2B   89\n3C 999  999\n2D 5"
RULES = [rule("2:4-8"), rule("2:9-12", context_selector="4-8")]


def test_columns_are_those_of_their_record_type() -> None:
    pieces = parsed(FixedWidthParser(RULES), [BODY])
    assert texts(pieces) == ["123", "4567", "89", "5"]


async def test_padding_stays_and_so_does_the_rest() -> None:
    out = await rewritten(FixedWidthParser(RULES), [BODY])
    assert out == BODY.replace(b"123  4567", b"321  7654").replace(b"89", b"98")


async def test_the_context_is_the_token_of_the_same_record() -> None:
    ask = Reversing()
    await rewritten(FixedWidthParser(RULES), [BODY], ask)
    assert ask.asked[1][2:] == (["4567"], ["321"])


@pytest.mark.parametrize(
    ("raw", "text", "written"),
    [(b" 12 ", "34", b" 34 "), (b"  12", "345", b" 345"), (b"12  ", "345", b"345 "),
     (b"1234", "56", b"56  "), (b" 12 ", "3456", b"3456")],
)  # fmt: skip
def test_padding(raw: bytes, text: str, written: bytes) -> None:
    field = parsed(FixedWidthParser([rule("1-4")]), [raw])[1]
    assert isinstance(field, Field)
    assert field.encode(text) == written


@pytest.mark.parametrize("text", ["12345", "1\n2", "\u20ac"])
def test_what_does_not_fit_is_not_written(text: str) -> None:
    field = parsed(FixedWidthParser([rule("1-4")]), [b"1234"])[1]
    assert isinstance(field, Field)
    with pytest.raises(ItemError):
        field.encode(text)


@given(
    lines=st.lists(st.text(st.sampled_from("12 é"), max_size=14), max_size=8),
    length=st.none() | st.just(6),
    at=st.lists(st.integers(0, 100), max_size=6),
)
async def test_chunks_make_no_difference(
    lines: list[str], length: int | None, at: list[int]
) -> None:
    encoded = [line.encode("latin-1") for line in lines]
    body = b"".join(line[:6].ljust(6) for line in encoded) if length else b"\n".join(encoded)

    def parser() -> FixedWidthParser:
        return FixedWidthParser([rule("2:2-4", context_selector="5-6"), rule("1-5")], length=length)

    whole = shape(parsed(parser(), [body]))
    assert shape(parsed(parser(), cut(body, at))) == whole
    assert await rewritten(parser(), cut(body, at), Reversing(identity=True)) == body
    out = await rewritten(parser(), cut(body, range(len(body))))
    assert len(out) == len(body)
    assert out.count(b"\n") == body.count(b"\n")


async def test_records_without_line_ends_follow_one_another() -> None:
    out = await rewritten(FixedWidthParser([rule("A:2-3")], length=4), [b"A12.B34.", b"A56."])
    assert out == b"A21.B34.A65."


def test_half_a_record_does_not_pass() -> None:
    with pytest.raises(Unparsable, match="at byte 4"):
        parsed(FixedWidthParser([rule("2-3")], length=4), [b"A12.B3"])


def test_a_record_has_a_limit() -> None:
    with pytest.raises(Unparsable):
        FixedWidthParser([rule("2-3")], Limits(record=10)).feed(b"1" * 20)


def test_dropped_columns_are_blank() -> None:
    field = parsed(FixedWidthParser([rule("1-4", "drop")]), [b"1234"])[1]
    assert isinstance(field, Field)
    assert field.dropped == b"    "


@pytest.mark.parametrize("selector", ["", "0-3", "5-4", "a", "1", "2:1"])
def test_selectors_are_ranges(selector: str) -> None:
    with pytest.raises(BadColumns):
        FixedWidthParser([rule(selector)])
