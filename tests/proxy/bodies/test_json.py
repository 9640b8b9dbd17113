"""JSON: fields are found wherever chunks are cut, and nothing else changes."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proxy.bodies.reversing import Reversing, cut, parsed, rewritten, rule, shape, texts
from vault.proxy.bodies import json as json_bodies
from vault.proxy.bodies.json import JsonParser
from vault.proxy.bodies.pieces import Field, Limits, Unparsable

PATIENT = b"""{
  "identifier" : [
    {"use": "usual", "system": "urn:other", "value": "IPP-1"},
    {"value": "299039920541719", "syst\\u0065m": "urn:ins", "period": {"start": "2001"}}
  ],
  "birthDate" : "1999-03-17", "n" : [1.50, -2e+3, true, null, {}, []]
}"""
INS = "identifier[?@.system=='urn:ins'].value"
keys = st.sampled_from(["a", "b", "é", 'q"', "long key"])
scalars = st.none() | st.booleans() | st.integers() | st.sampled_from(["", "12", "é\n", 'a"b\\'])
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)
cuts = st.lists(st.integers(0, 400), max_size=8)
PATHS = ["$", "a", "$..a", "$[*]", "$[1]", "$..*", "a.b", "$..[?@.a=='12'].b", "$..[?@.b!=1].a"]


def test_a_filter_sees_members_before_and_after_and_escaped() -> None:
    assert texts(parsed(JsonParser([rule(INS)]), [PATIENT])) == ["299039920541719"]


@pytest.mark.parametrize("context", ["@.identifier[?@.system=='urn:ins'].value", "$" + "." + INS])
@pytest.mark.parametrize("born_first", [False, True])
async def test_a_context_is_the_token_of_a_sibling(context: str, born_first: bool) -> None:
    patient = json.loads(PATIENT)
    if born_first:
        patient = dict(reversed(patient.items()))
    ask = Reversing()
    rules = [rule(INS), rule("birthDate", context_selector=context)]
    await rewritten(JsonParser(rules), [json.dumps(patient).encode()], ask)
    assert [(asked[2], asked[3]) for asked in ask.asked] == [
        (["299039920541719"], [None]),
        (["1999-03-17"], ["917145029930992"]),
    ]


def test_each_record_of_an_array_has_its_own_context() -> None:
    body = b'[{"d":"1","n":"a"},{"n":"b","d":"2"},{"d":"3"}]'
    rules = [rule("$[*].d", context_selector="@.n"), rule("$[*].n")]
    pieces = parsed(JsonParser(rules), [body])
    fields = [piece for piece in pieces if isinstance(piece, Field) and piece.text in "123"]
    contexts = [f.context.text if isinstance(f.context, Field) else f.context for f in fields]
    assert contexts == ["a", "b", None]


def test_a_context_that_is_no_field_is_its_text() -> None:
    pieces = parsed(JsonParser([rule("d", context_selector="@.n")]), [b'{"d":"1","n":7}'])
    assert [piece.context for piece in pieces if isinstance(piece, Field)] == ["7"]


def test_of_members_given_twice_either_settles_a_filter() -> None:
    for body in (b'[{"s":"x","s":"y","v":"1"}]', b'[{"s":"y","s":"x","v":"1"}]'):
        for selector in ("$[?@.s=='x'].v", "$[?@.s!='y'].v"):
            assert texts(parsed(JsonParser([rule(selector)]), [body])) == ["1"]


def test_lines_are_records_of_their_own() -> None:
    body = b'{"n":"a","d":"1"}\n{"n":"b","d":"2"}\n7\n'
    rules = [rule("d", context_selector="$.n")]
    pieces = parsed(JsonParser(rules, lines=True), [body])
    assert [(p.text, p.context) for p in pieces if isinstance(p, Field)] == [("1", "a"), ("2", "b")]


@given(document=documents, paths=st.lists(st.sampled_from(PATHS), max_size=3), at=cuts)
def test_chunks_make_no_difference(document: object, paths: list[str], at: list[int]) -> None:
    body = json.dumps(document, indent=1, ensure_ascii=False).encode()
    rules = [rule(path) for path in paths]
    whole = shape(parsed(JsonParser(rules), [body]))
    assert shape(parsed(JsonParser(rules), cut(body, at))) == whole
    assert shape(parsed(JsonParser(rules), cut(body, range(len(body))))) == whole
    joined = b"".join(one if isinstance(one, bytes) else one[1] for one in whole)  # type: ignore[index]
    assert joined == body


@given(document=documents, at=cuts)
async def test_what_comes_out_is_the_edited_document(document: Any, at: list[int]) -> None:
    rules = [rule("$..a", on_error="pass")]
    body = json.dumps(document).encode()
    out = await rewritten(JsonParser(rules), cut(body, at))
    assert json.loads(out) == edited(copy.deepcopy(document))


def edited(value: Any) -> Any:
    """The model: every member a, backwards where that is a string, a number where it is one."""
    if isinstance(value, list):
        return [edited(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: backwards(one) if key == "a" and not isinstance(one, dict | list) else edited(one)
        for key, one in value.items()
    }


def backwards(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        turned = str(value)[::-1]
        fits = turned.isdigit() and (turned == "0" or turned[0] != "0")
        return int(turned) if fits else value
    return value[::-1]


async def test_what_is_dropped_becomes_null() -> None:
    out = await rewritten(JsonParser([rule("a", "drop")]), [b'{"a" : "1", "b":2}'])
    assert out == b'{"a" : null, "b":2}'


async def test_a_root_that_is_a_number_is_replaced_at_the_end() -> None:
    assert await rewritten(JsonParser([rule("$")]), [b"1", b"2"]) == b"21"


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"a":1,}', b"[1,]", b"[1 2]", b'{"a" 1}', b"nul", b"01 ", b'"\n"', b'"\\x"', b"[}",
     b"1 2", b"\xef\xbb", b" ", b"[1]]", b"{'a':1}", b'{"a":"\\ud800"}', b'{"a":"\xff"}',
     b'{"b":"\xe9"}', b'{"b":"\xc1\xa1"}', b'[{"b":"\xe9'],
)  # fmt: skip
def test_what_is_no_json_does_not_pass(body: bytes) -> None:
    with pytest.raises(Unparsable, match="at byte"):
        parsed(JsonParser([rule("a")]), [body])


@pytest.mark.parametrize("body", [b"", b"\xef\xbb\xbf[]", b" 1 ", b'"a"'])
def test_small_bodies_pass(body: bytes) -> None:
    assert b"".join(parsed(JsonParser([]), [body])) == body  # type: ignore[arg-type]


def test_tokens_records_and_depth_have_limits() -> None:
    limits = Limits(token=100, record=200, depth=5)
    rules = [rule("$[?@.s=='x'].v")]
    for body in (b'["' + b"a" * 200, b"[" * 6, b'[{"v":"1","b":[' + b'"aaaaaaaa",' * 50):
        with pytest.raises(Unparsable):
            JsonParser(rules, limits).feed(body)


def test_little_is_held_of_a_long_array() -> None:
    parser = JsonParser([rule("$[?@.s=='x'].v")], Limits(token=200, record=200))
    for _ in range(100):
        assert parser.feed(b'[{"v":"1","s":"x"},' if not _ else b'{"s":"x","v":"1"},' * 20)


@given(document=documents, paths=st.lists(st.sampled_from(PATHS), max_size=3), at=cuts)
def test_strings_that_nobody_asks_for_pass_as_they_come(
    document: object, paths: list[str], at: list[int]
) -> None:
    body = json.dumps(document, ensure_ascii=False).encode()
    rules = [rule(path) for path in paths]
    whole = shape(parsed(JsonParser(rules), [body]))
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(json_bodies, "_LONG_FROM", 1)
        assert shape(parsed(JsonParser(rules), cut(body, at))) == whole
        assert shape(parsed(JsonParser(rules), cut(body, range(len(body))))) == whole


def test_a_long_string_that_nobody_asks_for_passes() -> None:
    for begin, end in ((b'{"a":"1","b":"', b'"}'), (b'{"c":["', b'"],"a":"1"}')):
        parser = JsonParser([rule("a")], Limits(token=100_000, record=100_000))
        pieces = [*parser.feed(begin)]
        for _ in range(9):
            pieces += parser.feed(b"\\u00e9" + b"A" * 40_000 + b"\\")
            pieces += parser.feed(b"n")
        pieces += [*parser.feed(end), *parser.close()]
        assert texts(pieces) == ["1"]
        assert sum(len(p.raw if isinstance(p, Field) else p) for p in pieces) > 9 * 40_000


@pytest.mark.parametrize("end", [b"", b'"', b'",}', b'\n"}', b'\\x"}', b'" "'])
def test_a_long_string_has_an_end(end: bytes) -> None:
    parser = JsonParser([rule("a")])
    with pytest.raises(Unparsable, match="at byte"):
        parsed(parser, [b'{"b":"' + b"A" * 70_000, b"A", end])


def test_a_long_string_that_is_asked_for_has_a_limit() -> None:
    with pytest.raises(Unparsable):
        parsed(JsonParser([rule("a")], Limits(token=100_000)), [b'{"a":"', *[b"A" * 70_000] * 2])
