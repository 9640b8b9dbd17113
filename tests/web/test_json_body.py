"""JSON is read strictly: the codec agrees with a reading of the whole by other means."""

import contextlib
import json
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vault.config import Operation
from vault.errors import Refusal
from vault.service import Answer, ItemFailure
from vault.web.body import Content
from vault.web.json_body import JSON

CODEC = JSON(max_items=5, max_body=10_000)
MEMBERS: dict[Operation, tuple[str, str, list[str]]] = {
    "tokenise": ("value", "values", []),
    "detokenise": ("token", "tokens", []),
    "mask": ("token", "tokens", []),
    "match": ("token", "tokens", ["candidate", "candidates"]),
}


class Malformed(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Malformed
    return dict(pairs)


def reference(operation: Operation, body: bytes) -> Content:
    """The contract read slowly, with the standard library."""
    try:
        text = body.decode("utf-8")
        asked = json.loads(text, object_pairs_hook=_once)
        json.dumps(asked, ensure_ascii=False).encode("utf-8")  # no lone surrogates
    except (ValueError, RecursionError):
        raise Malformed from None
    if text.startswith("\ufeff") or not isinstance(asked, dict):
        raise Malformed
    one, many, pair = MEMBERS[operation]
    if not set(asked) <= {one, many, *pair, "context", "contexts"}:
        raise Malformed
    for name, value in asked.items():
        if name in {many, "contexts", "candidates"}:
            if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
                raise Malformed
        elif not isinstance(value, str):
            raise Malformed
    single = one in asked
    if single == (many in asked) or ("context" in asked and "contexts" in asked):
        raise Malformed
    if single and ("contexts" in asked or "candidates" in asked):
        raise Malformed
    items = [asked[one]] if single else asked[many]
    candidates = None
    if pair:
        if pair[not single] not in asked or pair[single] in asked:
            raise Malformed
        candidates = [asked[pair[0]]] if single else asked[pair[1]]
    contexts = asked.get("context", asked.get("contexts"))
    each = [contexts] if isinstance(contexts, str) else contexts or []
    for context in each:
        if not 1 <= len(context.encode()) <= 256:
            raise Malformed
        if unicodedata.normalize("NFC", context) != context:
            raise Malformed
    for column in (candidates, contexts):
        if isinstance(column, list) and len(column) != len(items):
            raise Malformed
    return Content(items, single, contexts, candidates)


def agree(operation: Operation, body: bytes) -> None:
    try:
        expected = reference(operation, body)
    except Malformed:
        with pytest.raises(Refusal) as refusal:
            CODEC.decode(operation, body)
        assert refusal.value.code == "malformed_request"
    else:
        assert CODEC.decode(operation, body) == expected


# Bodies from the grammar, and from just beside it ------------------------------------------

operations = st.sampled_from(sorted(MEMBERS))
space = st.text(" \t\r\n", max_size=2)
names = st.sampled_from(
    ["value", "values", "token", "tokens", "candidate", "candidates", "context", "contexts"]
)


@st.composite
def strings(draw: st.DrawFn, of: st.SearchStrategy[str]) -> str:
    """A JSON string, its characters written in any of the ways that JSON has."""
    text = draw(of)
    written = []
    for character in text:
        units = character.encode("utf-16-be", "surrogatepass")
        escape = "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
        plain = json.dumps(character, ensure_ascii=False)[1:-1]
        written.append(draw(st.sampled_from([plain, plain, plain, escape])))
    return '"' + "".join(written) + '"'


texts = st.one_of(
    st.text(alphabet='a1:"\\[]{},\u00e9\u0301\U0001f600', max_size=5),
    st.just("x" * 256),
    st.just("x" * 257),
    st.text(max_size=3),
)
odd = st.sampled_from(["null", "1", "NaN", "true", "{}", "[[]]", '[["a"]]', '{"a":"b"}', "-", ""])


@st.composite
def members(draw: st.DrawFn) -> str:
    name = draw(strings(names))
    string = strings(texts)
    array = st.lists(string | odd if draw(st.integers(0, 9)) == 0 else string, max_size=2)
    value = draw(
        st.one_of(
            string,
            array.map(lambda items: "[" + ",".join(items) + "]"),
            *([odd] if draw(st.integers(0, 9)) == 0 else []),
        )
    )
    gaps = [draw(space) for _ in range(4)]
    return f"{gaps[0]}{name}{gaps[1]}:{gaps[2]}{value}{gaps[3]}"


@given(operations, st.lists(members(), min_size=1, max_size=4))
@example("tokenise", ['"value":"1"', '"v\\u0061lue":"1"'])
@example("tokenise", ['"value":"1"', '"value":"1"'])
@example("tokenise", ['"value":":"', '"value":"1"'])
@example("match", ['"token":"1"', '"candidate":"1"', '"context":":\\":"'])
@example("tokenise", ['"values":["a","]"]', '"contexts":[":","\\"]:"]', '"values":[]'])
def test_bodies_of_the_shape_and_beside_it(operation: Operation, parts: list[str]) -> None:
    agree(operation, ("{" + ",".join(parts) + "}").encode("utf-8", "surrogatepass"))


@st.composite
def valid(draw: st.DrawFn) -> tuple[Operation, bytes]:
    operation: Operation = draw(operations)
    one, many, pair = MEMBERS[operation]
    if draw(st.booleans()):
        body: dict[str, Any] = {one: draw(texts)}
        if pair:
            body[pair[0]] = draw(texts)
    else:
        items = draw(st.lists(texts, max_size=4))
        body = {many: items}
        if pair:
            body[pair[1]] = [draw(texts) for _ in items]
        if draw(st.booleans()):
            body["contexts"] = [draw(texts) for _ in items]
    if "contexts" not in body and draw(st.booleans()):
        body["context"] = draw(texts)
    return operation, json.dumps(body, ensure_ascii=draw(st.booleans())).encode()


@given(valid(), st.data())
def test_valid_bodies_and_one_changed_byte(case: tuple[Operation, bytes], data: Any) -> None:
    operation, body = case
    agree(operation, body)
    at = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.sampled_from(b'":,[]{}\\u\x00\xff\xed\xa0\x80 aNn') | st.integers(0, 255))
    agree(operation, body[:at] + bytes([byte]) + body[at + 1 :])
    agree(operation, body[:at] + bytes([byte]) + body[at:])
    agree(operation, body[:at] + body[at + 1 :])
    agree(operation, body[:at])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"value"',
        b"{}",
        b'{"value":"1"}x',
        b'{"value":"1"}{"value":"1"}',
        b'{"value":"1","extra":"2"}',
        b'{"value":"1","value":"2"}',
        b'{"value":"1","\\u0076alue":"1"}',
        b'{"value":"1","values":["1"]}',
        b'{"values":["1",null]}',
        b'{"values":[1]}',
        b'{"values":"1"}',
        b'{"value":["1"]}',
        b'{"value":NaN}',
        b'{"value":Infinity}',
        b'{"value":true}',
        b"{'value':'1'}",
        b'{"value":"1",}',
        b'{"value":"1" /* c */}',
        b'{"value":"\\ud800"}',
        b'{"value":"\\udc00\\ud800"}',
        b'{"value":"\xed\xa0\x80"}',
        b'{"value":"\xc0\xae"}',
        b'{"value":"\xff"}',
        b'{"value":"a\nb"}',
        b'\xef\xbb\xbf{"value":"1"}',
        '{"value":"1"}'.encode("utf-16"),
        b'{"value":"1","context":""}',
        b'{"value":"1","context":null}',
        b'{"value":"1","context":"' + b"x" * 257 + b'"}',
        ('{"value":"1","context":"' + "\u00e9" * 129 + '"}').encode(),
        '{"value":"1","context":"e\u0301"}'.encode(),
        b'{"value":"1","context":"e\\u0301"}',
        b'{"value":"1","contexts":["c"]}',
        b'{"values":["1"],"context":"c","contexts":["c"]}',
        b'{"values":["1","2"],"contexts":["c"]}',
        b'{"values":["1","2"],"contexts":["c",""]}',
        b'{"values":["1","2"],"contexts":["c","e\\u0301"]}',
        b'{"value":' + b"[" * 100_000,
        b'{"value":' + b'{"value":' * 100_000,
        b'{"value":' + b"9" * 1_000_000 + b"}",
        b'{"value":"' + b"1" * 1_000_000,
    ],
)
def test_malformed(body: bytes) -> None:
    agree("tokenise", body)
    with pytest.raises(Refusal, match="malformed_request"):
        CODEC.decode("tokenise", body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"token":"1"}',
        b'{"candidate":"1"}',
        b'{"token":"1","candidates":["1"]}',
        b'{"token":"1","candidate":"1","candidates":["1"]}',
        b'{"tokens":["1"],"candidate":"1"}',
        b'{"tokens":["1"],"candidates":[]}',
        b'{"tokens":["1"]}',
        b'{"tokens":["1"],"candidates":["1"],"candidates":["1"]}',
    ],
)
def test_malformed_pairs(body: bytes) -> None:
    agree("match", body)
    with pytest.raises(Refusal, match="malformed_request"):
        CODEC.decode("match", body)


def test_contexts_at_their_bounds() -> None:
    for context in ("x", "x" * 256, "\u00e9" * 128, ":", '\\"', "\U0001f600"):
        body = json.dumps({"value": "1", "context": context}).encode()
        assert CODEC.decode("tokenise", body).contexts == context


def test_any_string_may_be_an_item() -> None:
    texts = ["", "\u00e9", "e\u0301", "\x00", "\U0001f600"]
    body = json.dumps({"values": texts}).encode()
    assert CODEC.decode("tokenise", body).items == texts


def test_so_many_items_and_no_more() -> None:
    assert len(CODEC.decode("tokenise", b'{"values":["","","","",""]}').items) == 5
    with pytest.raises(Refusal, match="too_large"):
        CODEC.decode("tokenise", b'{"values":["","","","","",""]}')


@pytest.mark.parametrize(
    "body",
    [
        b'{"context":":","values":[' + b",".join([b'"\\n\\""'] * 400_000) + b'],"values":["1"]}',
        b'{"context":"' + b"\\n" * 2_000_000 + b':","value":"1"}',
        b"{" + b",".join([b'"value":"1"'] * 300_000) + b"}",
        b'{"value":"' + b":" * 4_000_000 + b'","context":"::"}',
    ],
)
def test_hostile_bodies_cost_little(body: bytes) -> None:
    """Megabytes made to be slow to count members in: well under a second."""
    codec = JSON(max_items=10_000, max_body=8 << 20)
    before = time.process_time()
    with contextlib.suppress(Refusal):
        codec.decode("tokenise", body)
    assert time.process_time() - before < 1


def test_answers() -> None:
    single, batch = Content(["1"], single=True), Content(["1", "2"], single=False)
    odd_token = 'a"\\\u00e9\n'
    for text in ("12", odd_token):
        answer = CODEC.encode("tokenise", single, Answer([text]))
        assert json.loads(answer) == {"token": text}
    failed = Answer(["9", None], [ItemFailure(1, "invalid_value", "no")])
    assert json.loads(CODEC.encode("mask", batch, failed)) == {
        "masked": ["9", None],
        "errors": [{"index": 1, "code": "invalid_value", "detail": "no"}],
    }
    assert json.loads(CODEC.encode("match", batch, Answer([True, False]))) == {
        "matches": [True, False],
        "errors": [],
    }
