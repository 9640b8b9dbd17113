"""Multipart: each part by its own parser, the rest untouched, strictly read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import Reversing, cut, parsed, rewritten, rule, shape, texts
from vault.proxy.bodies.json import JsonParser
from vault.proxy.bodies.multipart import FieldParser, MultipartParser, Part
from vault.proxy.bodies.pieces import Limits, Parser, Unparsable

BODY = (
    b'--b-1\r\nContent-Disposition: form-data; name="nir"\r\n\r\n123\r\n'
    b'--b-1\r\ncontent-disposition: form-data; name="f"; filename="x.json"\r\n'
    b'Content-Type: application/json\r\n\r\n{"nir": "456", "b": "--b-1"}\r\n'
    b'--b-1\r\nContent-Disposition: form-data; name="other"\r\n\r\n\r\n\r\n--b-2\r\n'
    b"--b-1\r\n\r\n\r\n--b-1--\r\n"
)
seen: list[Part] = []


def choose(part: Part) -> Parser | None:
    seen.append(part)
    if part.content_type == "application/json":
        return JsonParser([rule("nir")])
    return FieldParser(rule("nir")) if part.name == "nir" else None


def parser() -> MultipartParser:
    return MultipartParser("b-1", choose)


async def test_fields_and_files_by_their_rules() -> None:
    seen.clear()
    out = await rewritten(parser(), [BODY])
    assert out == BODY.replace(b"123", b"321").replace(b"456", b"654")
    assert seen == [
        Part("nir", "", ""),
        Part("f", "x.json", "application/json"),
        Part("other", "", ""),
        Part("", "", ""),
    ]


@given(at=st.lists(st.integers(0, len(BODY)), max_size=8))
async def test_chunks_make_no_difference(at: list[int]) -> None:
    whole = shape(parsed(parser(), [BODY]))
    assert shape(parsed(parser(), cut(BODY, at))) == whole
    assert shape(parsed(parser(), cut(BODY, range(len(BODY))))) == whole
    assert await rewritten(parser(), cut(BODY, at), Reversing(identity=True)) == BODY


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"--b-1\r\nCon", b"x--b-1\r\nCon"), (b"--b-1--\r\n", b"--b-1--\r\nx"), (b"--b-1--\r\n", b""),
     (b"--b-1\r\nCon", b"--b-1x\r\nCon"), (b"application/json\r\n", b"application/json\n"),
     (b"Content-Type", b"Content-Transfer-Encoding: base64\r\nContent-Type"),
     (b"Content-Type", b"Content-Type: text/plain\r\nContent-Type"), (b'"456"', b"456x"),
     (b'name="nir"', b"name*=utf-8''nir"), (b"Content-Type", b" folded\r\nContent-Type")],
)  # fmt: skip
def test_what_receivers_forgive_differently_does_not_pass(before: bytes, after: bytes) -> None:
    with pytest.raises(Unparsable, match="at byte"):
        parsed(parser(), [BODY.replace(before, after, 1)])


def test_headers_have_a_limit() -> None:
    with pytest.raises(Unparsable):
        MultipartParser("b", choose, Limits(token=50)).feed(b"--b\r\na: " + b"1" * 100)


@pytest.mark.parametrize("boundary", ["", "a ", "a\r\n", "a" * 71, "é"])
def test_boundaries_are_those_of_the_standard(boundary: str) -> None:
    with pytest.raises(Unparsable):
        MultipartParser(boundary, choose)


def test_a_part_without_parser_is_not_held() -> None:
    reader = MultipartParser("b", lambda part: None)
    reader.feed(b"--b\r\n\r\n")
    out = reader.feed(b"x" * 10_000)
    assert texts(out) == []
    assert sum(len(piece) for piece in out if isinstance(piece, bytes)) > 9_900
