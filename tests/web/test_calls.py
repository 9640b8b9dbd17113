"""The contract's error matrix, and that each refusal comes in the contract's order."""

import asyncio
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from tests.support.door import CREDENTIAL, SmallDoor
from tests.support.small_calls import ID, JSON, LIMITS, REVEAL, SECRET, TOKENISE, WHO, post
from vault.errors import Refusal
from vault.telemetry.vocabulary import CODES
from vault.web import Application, Holder
from vault.web.calls import Calls, Request
from vault.web.problem import PROXY_STATUS, STATUS

# What is answered ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "body", "answer"),
    [
        ("tokenise", b'{"value":"123"}', {"token": "9876"}),
        ("tokenise", b'{"value":"123","context":"claim 7"}', {"token": "9876"}),
        ("tokenise", b'{"values":["123"]}', {"tokens": ["9876"], "errors": []}),
        ("tokenise", b'{"values":[]}', {"tokens": [], "errors": []}),
        ("tokenise", b'{"values":[],"contexts":[]}', {"tokens": [], "errors": []}),
        ("tokenise", b' {\n"values" : [ "1" , "2" ],"contexts":["a","b"]}\t', None),
        ("detokenise", b'{"token":"9876"}', {"value": "123"}),
        ("detokenise", b'{"tokens":["9876"]}', {"values": ["123"], "errors": []}),
        ("mask", b'{"token":"9876"}', {"masked": "1**"}),
        ("mask", b'{"tokens":["9876"]}', {"masked": ["1**"], "errors": []}),
        ("match", b'{"token":"9876","candidate":"123"}', {"match": True}),
        ("match", b'{"token":"9876","candidate":"321"}', {"match": False}),
        (
            "match",
            b'{"tokens":["9876","9876"],"candidates":["123","1"]}',
            {"matches": [True, False], "errors": []},
        ),
    ],
)
async def test_success(app: Application, operation: str, body: bytes, answer: Any) -> None:
    reply = await post(app, f"/v1/{operation}/digits", body)
    assert reply.status == 200
    assert reply["content-type"] == "application/json"
    if answer is not None:
        assert reply.json == answer
    receipt = reply["jeton-receipt"]
    assert receipt == (None if operation == "tokenise" else "w0.7.abc123")


async def test_a_bad_item_is_null_in_its_place(app: Application, door: SmallDoor) -> None:
    reply = await post(app, body=b'{"values":["1","x","2","","\\u00e9"]}')
    assert reply.status == 200
    assert reply.json["tokens"] == ["98", None, "97", None, None]
    assert [error["index"] for error in reply.json["errors"]] == [1, 3, 4]
    assert {error["code"] for error in reply.json["errors"]} == {"invalid_value"}
    assert set(reply.json["errors"][0]) == {"index", "code", "detail"}
    assert door.observed == [("tokenise", "digits", "ok", 5, 3)]


async def test_a_single_bad_item_is_422_and_keeps_its_receipt(
    app: Application, door: SmallDoor
) -> None:
    reply = await post(app, REVEAL, b'{"token":"1"}')
    assert (reply.status, reply.code) == (422, "not_a_token")
    assert reply["jeton-receipt"] == "w0.7.abc123"
    assert door.observed == [("detokenise", "digits", "not_a_token", 1, 1)]


async def test_an_exhausted_domain_is_507(app: Application, door: SmallDoor) -> None:
    class Full(SmallDoor):
        def at_once(self, call: Any) -> Any:
            answer = self._answer(call)
            answer.errors[0] = type(answer.errors[0])(0, "domain_exhausted", "no room")
            return answer

    reply = await post(Application(Holder(Full()), LIMITS), body=b'{"value":"x"}')
    assert (reply.status, reply.code) == (507, "domain_exhausted")


async def test_the_call_is_handed_on_whole(app: Application, door: SmallDoor) -> None:
    headers = [WHO, JSON, ("Jeton-Purpose", "care-2"), ("Jeton-On-Behalf-Of", "u~1")]
    await post(
        app, REVEAL, b'{"tokens":["91"],"context":"c"}', [*headers, ("Jeton-Request-Id", ID)]
    )
    (call,) = door.calls
    assert (call.operation, call.transformation) == ("detokenise", "digits")
    assert (call.principal, call.credential, call.source) == ("test", "0123abcd", "192.0.2.7")
    assert (call.items, call.contexts, call.candidates) == (["91"], "c", None)
    assert (call.purpose, call.end_user) == ("care-2", "u~1")
    assert (call.request_id, call.request_id_sent) == (ID, True)


async def test_a_unix_socket_has_no_source(app: Application, door: SmallDoor) -> None:
    assert (await post(app, client=None)).status == 200
    assert door.calls[0].source == ""


# Headers ------------------------------------------------------------------------------------


async def test_request_ids_come_back_or_are_made(app: Application, door: SmallDoor) -> None:
    given = await post(app, headers=[WHO, JSON, ("Jeton-Request-Id", ID.upper())])
    assert given["jeton-request-id"] == ID
    made = {(await post(app))["jeton-request-id"] for _ in range(50)}
    assert len(made) == 50
    for text in made:
        assert text is not None
        assert UUID(text).version == 4
        assert UUID(text).variant == UUID(ID).variant
    assert not door.calls[-1].request_id_sent
    assert door.calls[-1].fingerprint == b""


@pytest.mark.parametrize("path", [TOKENISE, "/v1/x", "/livez", "/nowhere", "/v1/transformations"])
async def test_every_answer_has_a_request_id(app: Application, path: str) -> None:
    for headers in ([], [WHO], [WHO, JSON]):
        assert (await post(app, path, headers=headers))["jeton-request-id"]
        reply = await post(app, path, headers=[*headers, ("Jeton-Request-Id", ID)], method="GET")
        assert reply["jeton-request-id"] == ID


async def test_the_fingerprint_is_of_everything_that_matters(
    app: Application, door: SmallDoor
) -> None:
    base = [WHO, JSON, ("Jeton-Request-Id", ID)]
    body = b'{"token":"91"}'
    await post(app, REVEAL, body, base)
    await post(app, REVEAL, body, [*base, ("X-Other", "1")])
    await post(app, "/v1/mask/digits", body, base)
    await post(app, REVEAL, b'{"token":"92"}', base)
    await post(app, REVEAL, body, [*base, ("Jeton-Purpose", "care")])
    await post(app, REVEAL, body, [*base, ("Jeton-On-Behalf-Of", "care")])
    same, again, *others = [call.fingerprint for call in door.calls]
    assert same == again
    assert len({same, *others}) == 5


@pytest.mark.parametrize("path", [TOKENISE, "/nowhere", "/livez", "/v1/transformations"])
async def test_development_says_so(path: str) -> None:
    app = Application(Holder(SmallDoor(development=True)), LIMITS)
    for headers in ([WHO, JSON], []):
        assert (await post(app, path, headers=headers))["jeton-development"] == "true"


async def test_a_reload_is_seen_by_the_next_request(door: SmallDoor) -> None:
    holder = Holder(door)
    app = Application(holder, LIMITS)
    holder.door = SmallDoor(development=True)
    assert (await post(app))["jeton-development"] == "true"
    assert not door.calls


@pytest.mark.parametrize(
    "name", ["Content-Type", "Jeton-Purpose", "Jeton-On-Behalf-Of", "Jeton-Request-Id"]
)
async def test_headers_that_may_come_once(app: Application, name: str) -> None:
    value = {"Content-Type": "application/json", "Jeton-Request-Id": ID}.get(name, "care")
    once = [WHO, *([JSON] if name != "Content-Type" else []), (name, value)]
    assert (await post(app, headers=once)).status == 200
    reply = await post(app, headers=[*once, (name, value)])
    assert (reply.status, reply.code) == (400, "malformed_request")


async def test_other_headers_may_come_twice(app: Application) -> None:
    assert (await post(app, headers=[WHO, JSON, ("Cookie", "a"), ("Cookie", "b")])).status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Jeton-Purpose", ""),
        ("Jeton-Purpose", "Care"),
        ("Jeton-Purpose", "care,study"),
        ("Jeton-Purpose", "x" * 65),
        ("Jeton-Purpose", "caf\u00e9"),
        ("Jeton-On-Behalf-Of", ""),
        ("Jeton-On-Behalf-Of", "a b"),
        ("Jeton-On-Behalf-Of", "x" * 129),
        ("Jeton-On-Behalf-Of", "\u00e9"),
        ("Jeton-Request-Id", ""),
        ("Jeton-Request-Id", ID[:-1]),
        ("Jeton-Request-Id", ID.replace("-", "")),
        ("Jeton-Request-Id", "{" + ID + "}"),
        ("Jeton-Request-Id", "g" + ID[1:]),
    ],
)
async def test_malformed_headers(app: Application, name: str, value: str) -> None:
    reply = await post(app, headers=[WHO, JSON, (name, value)])
    assert (reply.status, reply.code) == (400, "malformed_request")
    sent_back = b"".join(v for _, v in reply.headers) + reply.body
    assert not value or value.encode("latin-1") not in sent_back


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        'application/json ; charset="utf-8" ',
    ],
)
async def test_media_types(app: Application, content_type: str) -> None:
    assert (await post(app, headers=[WHO, ("Content-Type", content_type)])).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "")],
        [("Content-Type", "text/json")],
        [("Content-Type", "application/json; charset=latin-1")],
        [("Content-Type", "application/json; profile=x")],
        [("Content-Type", "application/json, text/plain")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "application/vnd.apache.arrow.file")],
        [JSON, ("Content-Encoding", "gzip")],
        [JSON, ("Content-Encoding", "identity, br")],
    ],
)
async def test_unsupported_media_types(app: Application, headers: list[Any]) -> None:
    reply = await post(app, headers=[WHO, *headers])
    assert (reply.status, reply.code) == (415, "unsupported_media_type")


async def test_identity_is_no_coding(app: Application) -> None:
    assert (await post(app, headers=[WHO, JSON, ("Content-Encoding", "Identity")])).status == 200


# Who, where, how ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [JSON],
        [JSON, ("Authorization", "")],
        [JSON, ("Authorization", f"Basic {CREDENTIAL}")],
        [JSON, ("Authorization", "Bearer \u00e9")],
        [JSON, WHO, WHO],
    ],
)
@pytest.mark.parametrize("path", [TOKENISE, "/v1/x/y", "/v1/", "/v1/transformations"])
async def test_unauthenticated(app: Application, door: SmallDoor, headers: Any, path: str) -> None:
    reply = await post(app, path, headers=headers)
    assert (reply.status, reply.code) == (401, "unauthenticated")
    assert reply["www-authenticate"] == "Bearer"
    assert door.observed == [("", "", "unauthenticated", 0, 0)]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/", "not_found"),
        ("/v1/tokenise", "not_found"),
        ("/v1/tokenise/digits/", "not_found"),
        ("/v1/tokenise//digits", "not_found"),
        ("/v1/tokenise/digits/x", "not_found"),
        ("/v1/Tokenise/digits", "not_found"),
        ("/v1/reveal/digits", "not_found"),
        ("/v1/transformations/", "not_found"),
        ("/v1/tokenise/", "unknown_transformation"),
        ("/v1/tokenise/other", "unknown_transformation"),
        ("/v1/tokenise/DIGITS", "unknown_transformation"),
        ("/v1/tokenise/digit%73", "unknown_transformation"),
        ("/v1/tokenise/digits%2f", "unknown_transformation"),
        (b"/v1/tokenise/\xff\x00", "unknown_transformation"),
        ("/", "not_found"),
        ("/v1", "not_found"),
        ("/v2/tokenise/digits", "not_found"),
        ("/livez/", "not_found"),
    ],
)
async def test_nothing_there(app: Application, door: SmallDoor, path: str, code: str) -> None:
    for method in ("POST", "GET"):
        reply = await post(app, path, method=method)
        assert (reply.status, reply.code) == (404, code)
    assert {entry[:2] for entry in door.observed} <= {("", "")}


@pytest.mark.parametrize(
    ("path", "allow", "methods"),
    [
        (TOKENISE, "POST", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X"]),
        ("/v1/transformations", "GET, HEAD", ["POST", "PUT", "DELETE"]),
        ("/livez", "GET, HEAD", ["POST", "PUT", "DELETE", "OPTIONS"]),
        ("/metrics", "GET, HEAD", ["POST"]),
    ],
)
async def test_other_methods(app: Application, path: str, allow: str, methods: list[str]) -> None:
    for method in methods:
        reply = await post(app, path, method=method)
        assert reply.status == 405
        assert reply.code == "method_not_allowed"
        assert ", ".join(sorted((reply["allow"] or "").split(", "))) == allow


async def test_a_query_is_refused(app: Application) -> None:
    reply = await post(app, query=b"value=" + SECRET)
    assert (reply.status, reply.code) == (400, "malformed_request")
    assert SECRET not in reply.body


# The order ----------------------------------------------------------------------------------


async def test_the_order_of_judgement(door: SmallDoor) -> None:
    """A request with every fault at once; then each fault is mended in the contract's order."""
    door.refusal = Refusal("not_allowed", "no")
    app = Application(Holder(door), LIMITS)
    seen = []
    faults = ["who", "where", "how", "type", "length", "slow", "shape", "service"]
    for mended in range(len(faults) + 1):
        wrong = set(faults[mended:])
        headers = [] if "who" in wrong else [WHO]
        headers.append(("Content-Type", "text/x") if "type" in wrong else JSON)
        if "length" in wrong:
            headers.append(("Content-Length", "201"))
        if "shape" in wrong:
            headers.append(("Jeton-Purpose", "NO"))
        if "service" not in wrong:
            door.refusal = None
        reply = await post(
            app,
            "/v1/tokenise/nope" if "where" in wrong else TOKENISE,
            [asyncio.Event(), b"x"] if "slow" in wrong else b'{"value":"1"}',
            headers,
            method="GET" if "how" in wrong else "POST",
        )
        seen.append(reply.status)
    assert seen == [401, 404, 405, 415, 413, 408, 400, 403, 200]
    assert all(before != after for before, after in pairwise(seen))


# The service's own refusals -----------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(STATUS))
async def test_every_code_has_its_status(code: str) -> None:
    door = SmallDoor(refusal=Refusal(code, "why", 17))
    reply = await post(Application(Holder(door), LIMITS), REVEAL, b'{"token":"91"}')
    assert (reply.status, reply.code) == (STATUS[code], code)
    assert reply.json["detail"] == "why"
    assert reply["retry-after"] == ("17" if reply.status in {429, 503} else None)
    assert door.observed == [("detokenise", "digits", code, 0, 0)]


@pytest.mark.parametrize("code", ["budget_exhausted", "overloaded", "audit_unavailable"])
async def test_there_is_always_a_time_to_retry(code: str) -> None:
    for wait in (None, 0):
        door = SmallDoor(refusal=Refusal(code, "why", wait))
        assert (await post(Application(Holder(door), LIMITS)))["retry-after"] == "1"


def test_the_codes_are_the_contracts() -> None:
    assert set(STATUS) == CODES - {"ok", *PROXY_STATUS}


@pytest.mark.parametrize(
    "door",
    [
        SmallDoor(fault=ValueError(SECRET.decode())),
        SmallDoor(refusal=Refusal("no_such_code", SECRET.decode())),
    ],
)
async def test_a_fault_of_ours_says_nothing(door: SmallDoor) -> None:
    reply = await post(Application(Holder(door), LIMITS))
    assert (reply.status, reply.code) == (500, "internal")
    assert SECRET not in reply.body
    assert [str(fault) for fault in door.faults] == ([SECRET.decode()] if door.fault else [])


async def test_patience_at_an_end_is_still_an_answer(app: Application, door: SmallDoor) -> None:
    door.gate = asyncio.Event()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b'{"value":"1"}'}

    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": TOKENISE.encode(),
        "query_string": b"",
        "client": None,
        "headers": [(name.lower().encode(), value.encode()) for name, value in (WHO, JSON)],
    }
    task = asyncio.create_task(app(scope, receive, send))
    await door.called(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sent[0]["status"] == 503
    assert (b"connection", b"close") in sent[0]["headers"]


# At once ------------------------------------------------------------------------------------


def _request(operation: str) -> Request:
    headers = [(name.lower().encode(), value.encode()) for name, value in (WHO, JSON)]
    path = f"/v1/{operation}/digits".encode()
    return Request("POST", path, b"", headers, dict(headers), "192.0.2.7")


async def test_what_need_not_be_waited_for_is_answered_at_once(door: SmallDoor) -> None:
    calls = Calls(Holder(door), LIMITS)
    reply = calls.answer(_request("tokenise"), b'{"value":"123"}')
    assert isinstance(reply, tuple)
    assert (reply[0], reply[2]) == (200, b'{"token":"9876"}')
    for refused in (b"{", b'{"value":"9"}', b"x" * 201):
        reply = calls.answer(_request("tokenise"), refused)
        assert isinstance(reply, tuple)
        assert reply[0] in {400, 413, 422}


async def test_what_has_to_be_waited_for_is_a_coroutine(door: SmallDoor) -> None:
    reply = Calls(Holder(door), LIMITS).answer(_request("detokenise"), b'{"token":"9876"}')
    assert not isinstance(reply, tuple)
    assert (await reply)[2] == b'{"value":"123"}'


async def test_a_fault_of_ours_says_nothing_at_once(door: SmallDoor) -> None:
    door.fault = RuntimeError(SECRET.decode())
    reply = Calls(Holder(door), LIMITS).answer(_request("tokenise"), b'{"value":"123"}')
    assert isinstance(reply, tuple)
    assert reply[0] == 500
    assert SECRET not in reply[2]
    assert door.faults == [door.fault]


async def test_a_transformation_that_a_reload_took_away_is_unknown(door: SmallDoor) -> None:
    class Empty(SmallDoor):
        def knows(self, transformation: str) -> bool:
            return False

    holder = Holder(door)
    calls = Calls(holder, LIMITS)
    for current, status in ((door, 200), (Empty(), 404), (door, 200)):
        holder.door = current
        reply = calls.answer(_request("tokenise"), b'{"value":"123"}')
        assert isinstance(reply, tuple)
        assert reply[0] == status
