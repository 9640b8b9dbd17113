"""JSON bodies: what the codec makes of them is what the standard library, told to be as strict,
makes of them."""

import json
from typing import Any, get_args
from unicodedata import is_normalized

from tests.fuzz.quiet import assert_tells_nothing
from vault.config import Operation
from vault.errors import Refusal
from vault.service import Answer
from vault.web.body import MAX_CONTEXT, RESULTS, Content
from vault.web.json_body import JSON

MOST = 5
CODEC = JSON(max_items=MOST, max_body=1 << 20)
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
ITEM = {"tokenise": "value", "detokenise": "token", "mask": "token", "match": "token"}


def run(data: bytes) -> None:
    """The first byte names the operation, the others are the body."""
    operation, body = OPERATIONS[data[0] % 4] if data else "mask", data[1:]
    expected = _expected(operation, body)
    try:
        content = CODEC.decode(operation, body)
    except Refusal as refusal:
        assert refusal.code in {"malformed_request", "too_large"}
        assert_tells_nothing(refusal, body.decode("utf-8", "ignore"))
        assert expected is None, "refused, though it is as the contract says"
        return
    assert expected is not None, "taken, though it is not as the contract says"
    assert content == expected
    _answered(operation, content)


def _expected(operation: Operation, body: bytes) -> Content | None:
    """By the contract's words: None where it is refused."""
    try:
        asked = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    one, many = ITEM[operation], ITEM[operation] + "s"
    if not isinstance(asked, dict) or (one in asked) is (many in asked):
        return None
    single = one in asked
    required = {one if single else many}
    if operation == "match":
        required.add("candidate" if single else "candidates")
    spare = asked.keys() - required
    if required - asked.keys() or spare - ({"context"} if single else {"context", "contexts"}):
        return None
    if len(spare) > 1 or not all(_fits(name, sent) for name, sent in asked.items()):
        return None
    items = [asked[one]] if single else asked[many]
    lists = [asked[name] for name in asked if name.endswith("s")]
    if len(items) > MOST or any(len(each) != len(items) for each in lists):
        return None
    content = Content(items, single)
    if spare:
        content.contexts = asked[spare.pop()]
    if operation == "match":
        content.candidates = [asked["candidate"]] if single else asked["candidates"]
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise ValueError


def _fits(name: str, sent: Any) -> bool:
    if name.endswith("s"):
        return isinstance(sent, list) and all(_fits(name[:-1], each) for each in sent)
    if not isinstance(sent, str) or any("\ud800" <= each <= "\udfff" for each in sent):
        return False
    if name == "context":
        return 0 < len(sent.encode()) <= MAX_CONTEXT and is_normalized("NFC", sent)
    return True


def _answered(operation: Operation, content: Content) -> None:
    """What was sent comes back as it was, spelt in JSON."""
    one, many = RESULTS[operation]
    body = json.loads(CODEC.encode(operation, content, Answer(content.items)))
    if content.single:
        assert body == {one: content.items[0]}
    else:
        assert body == {many: content.items, "errors": []}


def seeds() -> list[bytes]:
    asked: list[tuple[int, Any]] = [
        (0, {"value": "1"}),
        (0, {"values": ["1", '\u00e9\\"\n'], "contexts": ["a", "b"]}),
        (1, {"token": "1", "context": "c"}),
        (2, {"tokens": ["1", "2"], "context": 'c:d,[]"{}'}),
        (2, {"tokens": []}),
        (3, {"token": "1", "candidate": "2"}),
        (3, {"tokens": ["1"], "candidates": ["2"], "contexts": ["\u00e9"]}),
    ]
    spelt = [bytes([first]) + json.dumps(body).encode() for first, body in asked]
    twice = b'\x00{"value":"1","value":":"}'
    return [*spelt, twice, b'\x00{"value":NaN}', b'\x01{"token":"\\ud800"}', b"\x00[[[["]
