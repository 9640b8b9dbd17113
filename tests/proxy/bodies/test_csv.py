"""CSV: an independent reader sees the model's edit, and every other byte stays."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import Reversing, cut, parsed, rewritten, rule, shape, texts
from vault.proxy.bodies.csv import BadColumn, CsvParser
from vault.proxy.bodies.pieces import Field, Limits, Unparsable

BODY = (
    b'\xef\xbb\xbfname,nir,"born, at"\r\n"Du, ""Pont""",123,1984\r\nb,"45,6",1985\nc\n\n,,\nd,7,8'
)
cells = st.text(st.sampled_from('ab,;"\n \té'), max_size=5)
cuts = st.lists(st.integers(0, 300), max_size=8)


def test_columns_are_found_by_name_and_number() -> None:
    assert texts(parsed(CsvParser([rule("nir"), rule("#1")]), [BODY])) == [
        'Du, "Pont"', "123", "b", "45,6", "c", "d", "7",
    ]  # fmt: skip


async def test_every_other_byte_stays() -> None:
    out = await rewritten(CsvParser([rule("nir")]), [BODY])
    assert out == BODY.replace(b"123", b"321").replace(b"45,6", b"6,54")


async def test_the_context_is_the_token_of_the_same_row() -> None:
    ask = Reversing()
    rules = [rule("born", context_selector="nir"), rule("nir")]
    await rewritten(CsvParser(rules), [b"born,nir\n84,12\n85,34\n"], ask)
    assert ask.asked[1][2:] == (["84", "85"], ["21", "43"])


def test_a_context_that_is_no_field_is_its_text() -> None:
    pieces = parsed(CsvParser([rule("b", context_selector="#1")]), [b'a,b\n"x",1\n,2\n'])
    assert [p.context for p in pieces if isinstance(p, Field)] == ["x", None]


@given(
    rows=st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=5),
    end=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from([",", ";", "\t"]),
    at=cuts,
)
async def test_rows_are_the_edited_rows(
    rows: list[list[str]], end: str, delimiter: str, at: list[int]
) -> None:
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator=end).writerows(rows)
    body = file.getvalue().encode()

    def parser() -> CsvParser:
        return CsvParser([rule("#2")], delimiter=delimiter, header=False)

    whole = shape(parsed(parser(), [body]))
    assert shape(parsed(parser(), cut(body, at))) == whole
    assert shape(parsed(parser(), cut(body, range(len(body))))) == whole
    assert await rewritten(parser(), cut(body, at), Reversing(identity=True)) == body
    out = await rewritten(parser(), cut(body, at))
    read = csv.reader(io.StringIO(out.decode(), newline=""), delimiter=delimiter)
    assert list(read) == [[row[0], row[1][::-1], row[2]] for row in rows]


BROKEN = [
    b'nir\n"1',
    b'nir\na"b\n',
    b"nir\na\rb\n",
    b'nir\n"a"b\n',
    b"x\n1\n",
    b"nir,nir\n1,2\n",
    b"nir\n\xff\n",
]


@pytest.mark.parametrize("body", BROKEN)
def test_what_readers_take_in_different_ways_does_not_pass(body: bytes) -> None:
    with pytest.raises(Unparsable, match="at byte"):
        parsed(CsvParser([rule("nir")]), [body])


def test_a_row_has_a_limit() -> None:
    with pytest.raises(Unparsable):
        CsvParser([rule("nir")], Limits(record=100)).feed(b'nir\n"' + b"a" * 200)


def test_names_need_a_header() -> None:
    with pytest.raises(BadColumn):
        CsvParser([rule("nir")], header=False)


@pytest.mark.parametrize("body", [b"", b"nir", b"nir\n", b"\xef\xbb\xbfnir\n1"])
def test_small_bodies_pass(body: bytes) -> None:
    pieces = parsed(CsvParser([rule("nir")]), cut(body, range(9)))
    assert b"".join(p.raw if isinstance(p, Field) else p for p in pieces) == body
