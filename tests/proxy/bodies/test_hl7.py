"""HL7 v2: identifiers by authority, birth dates, escapes, separators of a message's own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import Reversing, cut, parsed, rewritten, rule, shape, texts
from vault.errors import ItemError
from vault.proxy.bodies.hl7 import BadField, Hl7Parser
from vault.proxy.bodies.pieces import Field, Limits, Unparsable

INS = "PID-3[4.2=='1.2.250.1.213.1.4.8' && 5=='INS'].1"
PID_3 = "77^^^SITE&00&N^PI~123456^^^INS-NIR&1.2.250.1.213.1.4.8&ISO^INS~9^^^X^INS"
SEGMENTS = [
    r"MSH|^~\&|SENDER|SITE|OTHER|SITE|20260214||ADT^A01|1|P|2.5",
    rf"PID|1||{PID_3}||NAME^GIVEN||19841203|F|||1 rue \T\ Cie",
    "ZFD|3^12^1984",
    'PID|2||""^^^INS-NIR&1.2.250.1.213.1.4.8&ISO^INS||B||""',
    "",
]
MESSAGE = "\r".join(SEGMENTS).encode()
RULES = [rule(INS), rule("PID-7", context_selector=INS), rule("ZFD-1", context_selector=INS)]


async def test_everything_else_stays() -> None:
    ask = Reversing()
    out = await rewritten(Hl7Parser(RULES), [MESSAGE], ask)
    edits = ((b"123456", b"654321"), (b"19841203", b"30214891"), (b"3^12^1984", b"4891^21^3"))
    expected = MESSAGE
    for before, after in edits:
        expected = expected.replace(before, after)
    assert out == expected
    assert ask.asked[1][2:] == (["19841203", "3^12^1984"], ["654321", "654321"])


@given(at=st.lists(st.integers(0, len(MESSAGE)), max_size=6))
def test_chunks_make_no_difference(at: list[int]) -> None:
    whole = shape(parsed(Hl7Parser(RULES), [MESSAGE]))
    assert shape(parsed(Hl7Parser(RULES), cut(MESSAGE, at))) == whole


def test_each_message_is_a_record() -> None:
    other = MESSAGE.replace(b"123456", b"777")
    pieces = parsed(Hl7Parser(RULES[:2]), [MESSAGE + other])
    contexts = [p.context for p in pieces if isinstance(p, Field)]
    assert [c.text for c in contexts if isinstance(c, Field)] == ["123456", "777"]


def test_separators_are_what_the_message_says() -> None:
    body = b"MSH$*!#@$A\rPID$1$$12#S#3*x!4$\rZFD$3*12*1984"
    pieces = parsed(Hl7Parser([rule("PID-3.1"), rule("ZFD-1")]), [body])
    assert texts(pieces) == ["12*3", "4", "3^12^1984"]
    first, _, last = (piece for piece in pieces if isinstance(piece, Field))
    assert first.encode("a*$b#") == b"a#S##F#b#E#"
    assert last.encode("4^01^2300") == b"4*01*2300"
    with pytest.raises(ItemError):
        last.encode("4$5")


def test_fields_of_msh_are_numbered_from_its_separator() -> None:
    assert texts(parsed(Hl7Parser([rule("MSH-3"), rule("MSH-10")]), [MESSAGE])) == ["SENDER", "1"]


def test_subcomponents_can_be_selected() -> None:
    assert texts(parsed(Hl7Parser([rule("PID-3[5=='PI'].4.2")]), [MESSAGE])) == ["00"]


def test_several_values_of_one_component() -> None:
    either = "(4.2=='00' || 4.2=='1.2.250.1.213.1.4.8')"
    for selector in (f"PID-3[{either} && 5=='INS'].1", f"PID-3[{either[1:-1]}].1"):
        found = texts(parsed(Hl7Parser([rule(selector)]), [MESSAGE]))
        assert found == (["123456"] if "INS'" in selector else ["77", "123456"])


def test_a_context_is_that_of_the_nearest_segment_alone() -> None:
    """Another person's number, further off, is nobody's business."""
    body = b"MSH|^~\\&|\rPID|1||5^^^A\rPID|2||||||19841203\rZFD|1^2^1984\rPID|3||6^^^B||||19551201"
    rules = [
        rule("PID-7", context_selector="PID-3[4=='A'].1 | PID-3.1"),
        rule("ZFD-1", context_selector="PID-3.1"),
    ]
    fields = [piece for piece in parsed(Hl7Parser(rules), [body]) if isinstance(piece, Field)]
    assert [field.context for field in fields] == [None, None, "6"]


def test_nothing_but_separators_is_empty() -> None:
    body = b"MSH|^~\\&|\rPID|1||||||^\rZFD|^^|"
    assert not texts(parsed(Hl7Parser([rule("PID-7"), rule("ZFD-1")]), [body]))


async def test_the_frame_of_a_plain_connection_and_a_mark_of_utf_8_stay() -> None:
    framed = b"\x0b" + MESSAGE + b"\x1c\r"
    for body in (framed, framed + framed, b"\xef\xbb\xbf" + MESSAGE):
        out = await rewritten(Hl7Parser(RULES[:1]), [body])
        assert out == body.replace(b"123456", b"654321")


async def test_a_time_after_a_date_stays() -> None:
    body = b"MSH|^~\\&|\rPID|1||||||19841203101500+0100^D"
    out = await rewritten(Hl7Parser([replace(rule("PID-7"), leading=8)]), [body])
    assert out == body.replace(b"19841203", b"30214891")


@pytest.mark.parametrize("body", [b"PID|1", b"MSH|^~", b"MSH|^^^^|", b"MSH|^~\\&|\rpid|1", b"{}"])
def test_what_is_no_message_does_not_pass(body: bytes) -> None:
    with pytest.raises(Unparsable, match="at byte"):
        parsed(Hl7Parser(RULES), [body])


def test_the_whole_has_a_limit() -> None:
    with pytest.raises(Unparsable):
        Hl7Parser(RULES, Limits(record=10)).feed(MESSAGE)


@pytest.mark.parametrize(
    "selector",
    [
        "PID",
        "PID-0",
        "PID-3[4]",
        "PID-3[4=='a'",
        "pid-3",
        "PID-3[4=='a' || 5=='b']",
        "PID-3[4=='a' || 4=='b' && 5=='c']",
    ],
)
def test_selectors_have_a_form(selector: str) -> None:
    with pytest.raises(BadField):
        Hl7Parser([rule(selector)])
