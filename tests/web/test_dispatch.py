"""The contract's error matrix, and that each refusal comes in the contract's order."""

import asyncio
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from tests.support.asgi import GONE, Reply, ask
from tests.support.door import CREDENTIAL, SmallDoor
from vault.config import Server
from vault.errors import Refusal
from vault.telemetry.vocabulary import CODES
from vault.web import Application, Holder
from vault.web.problem import STATUS

TOKENISE, REVEAL = "/v1/tokenise/digits", "/v1/detokenise/digits"
WHO = ("Authorization", f"Bearer {CREDENTIAL}")
JSON = ("Content-Type", "application/json")
ID = "0e37df36-f698-41e6-8df4-3e2a39fbd30d"
SECRET = b"284127645108946"
LIMITS = Server(max_items=5, max_body=200, arrow_max_body=200, body_timeout=0.05, max_in_flight=2)


@pytest.fixture
def door() -> SmallDoor:
    return SmallDoor()


@pytest.fixture
def app(door: SmallDoor) -> Application:
    return Application(Holder(door), LIMITS)


async def post(
    app: Application,
    path: str | bytes = TOKENISE,
    body: Any = b'{"value":"123456"}',
    headers: Iterable[tuple[str | bytes, str | bytes]] = (WHO, JSON),
    **more: Any,
) -> Reply:
    reply = await ask(app, more.pop("method", "POST"), path, headers, body, **more)
    assert reply is not None
    return reply


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


# Sizes, times, places -----------------------------------------------------------------------


async def test_a_declared_size_is_judged_before_the_body_is_read(app: Application) -> None:
    never = asyncio.Event()
    reply = await post(app, body=[never], headers=[WHO, JSON, ("Content-Length", "201")])
    assert (reply.status, reply.code) == (413, "too_large")


async def test_a_streamed_body_is_counted(app: Application) -> None:
    fits = [b'{"value":"', *[b"1"] * 188, b'"}']
    assert (await post(app, body=fits)).status == 200
    never = asyncio.Event()
    reply = await post(app, body=[b" " * 150, b" " * 51, never])
    assert (reply.status, reply.code) == (413, "too_large")
    for whole in ([b" " * 201], [b" " * 150, b" " * 51]):
        assert (await post(app, body=whole)).status == 413


async def test_too_many_items(app: Application) -> None:
    assert (await post(app, body=b'{"values":["1","2","3","4","5"]}')).status == 200
    six = b'{"values":["1","2","3","4","5","6"],"contexts":["c"]}'  # too many comes first
    reply = await post(app, body=six)
    assert (reply.status, reply.code) == (413, "too_large")


@pytest.mark.parametrize("first", [[], [b'{"value"']])
async def test_a_slow_body_is_408(app: Application, first: list[bytes]) -> None:
    reply = await post(app, body=[*first, asyncio.Event(), b"x"])
    assert (reply.status, reply.code) == (408, "timeout")
    assert reply["connection"] == "close"
    assert (await post(app)).status == 200


async def test_a_body_is_timed_from_its_own_beginning(app: Application) -> None:
    """The one timer that looks after all bodies neither forgets one nor ends one early."""
    slow = [asyncio.create_task(post(app, body=[asyncio.Event(), b"x"]))]
    await asyncio.sleep(0.03)
    held = asyncio.Event()
    later = asyncio.create_task(post(app, body=[held, b'{"value":"1"}']))
    reply = await slow[0]
    assert reply.status == 408
    held.set()
    assert (await later).status == 200


async def test_cancelling_a_reader_is_no_timeout(app: Application) -> None:
    reading = asyncio.create_task(post(app, body=[asyncio.Event(), b"x"]))
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@pytest.mark.parametrize("body", [[GONE], [b'{"val', GONE], [b"x" * 150, b"x", GONE]])
async def test_nobody_is_left_to_answer(app: Application, door: SmallDoor, body: list[Any]) -> None:
    assert await ask(app, "POST", TOKENISE, [WHO, JSON], body) is None
    assert not door.calls
    assert not door.faults


async def test_overload_is_refused_early(app: Application, door: SmallDoor) -> None:
    door.gate = asyncio.Event()
    working = [asyncio.create_task(post(app)) for _ in range(2)]
    await door.called(2)
    reply = await post(app, body=[asyncio.Event()])
    assert (reply.status, reply.code, reply["retry-after"]) == (503, "overloaded", "1")
    door.gate.set()
    assert [(await work).status for work in working] == [200, 200]
    assert (await post(app)).status == 200


async def test_slow_bodies_take_no_place(app: Application, door: SmallDoor) -> None:
    slow = [asyncio.create_task(post(app, body=[asyncio.Event(), b"x"])) for _ in range(50)]
    await asyncio.sleep(0.01)
    assert (await post(app)).status == 200
    assert {(await body).status for body in slow} == {408}


async def test_places_that_filled_meanwhile(app: Application, door: SmallDoor) -> None:
    held = asyncio.Event()
    late = asyncio.create_task(post(app, body=[held, b'{"value":"1"}']))
    await asyncio.sleep(0.01)
    door.gate = asyncio.Event()
    working = [asyncio.create_task(post(app)) for _ in range(2)]
    await door.called(2)
    held.set()
    assert (await late).code == "overloaded"
    door.gate.set()
    await asyncio.gather(*working)


async def test_unfinished_bodies_hold_so_much_and_no_more(app: Application) -> None:
    held = asyncio.Event()
    bodies = [
        asyncio.create_task(post(app, body=[b'{"value":"' + b"1" * 180, held, b'"}']))
        for _ in range(40)
    ]
    await asyncio.sleep(0.02)
    held.set()
    statuses = [(await body).status for body in bodies]
    assert set(statuses) == {200, 503}
    assert 32 <= statuses.count(200) <= 36
    assert (await post(app, body=[b'{"value":', b'"1"}'])).status == 200


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
    assert set(STATUS) == CODES - {"ok"}


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


# The rest -----------------------------------------------------------------------------------


async def test_transformations(app: Application) -> None:
    reply = await post(app, "/v1/transformations", headers=[WHO], method="GET")
    assert reply.status == 200
    assert reply["content-type"] == "application/json"
    assert [entry["name"] for entry in reply.json["transformations"]] == ["digits"]


async def test_probes_need_no_credential(app: Application, door: SmallDoor) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json"):
        assert (await post(app, path, headers=[], method="GET")).status == 200
        # The server drops a HEAD's body.
        assert (await post(app, path, headers=[], method="HEAD")).status == 200
    assert not door.sources


async def test_readiness_is_the_doors(app: Application, door: SmallDoor) -> None:
    door.unready = Refusal("audit_unavailable", "the record cannot be written", 5)
    reply = await post(app, "/readyz", method="GET")
    assert (reply.status, reply.code, reply["retry-after"]) == (503, "audit_unavailable", "5")
    assert reply.json["operations"] == {
        "tokenise": True,
        "detokenise": False,
        "mask": False,
        "match": False,
    }
    assert (await post(app, "/livez", method="GET")).status == 200
    door.unready = None
    ready = (await post(app, "/readyz", method="GET")).json
    assert (ready["status"], all(ready["operations"].values())) == ("ready", True)


async def test_a_fault_of_a_page_says_nothing(app: Application, door: SmallDoor) -> None:
    door.unready = ValueError(SECRET.decode())  # type: ignore[assignment]
    reply = await post(app, "/readyz", method="GET")
    assert (reply.status, reply.code) == (500, "internal")
    assert SECRET not in reply.body
    assert door.faults == [door.unready]


async def test_metrics_at_an_address_of_its_own(door: SmallDoor) -> None:
    app = Application(Holder(door), Server(metrics_port=9_100))
    assert (await post(app, "/metrics", method="GET")).status == 404
    beside = await ask(app.metrics_only, "GET", "/metrics")
    assert beside is not None
    assert (beside.status, beside.body) == (200, b"jeton_up 1\n")
    for path in (TOKENISE, "/readyz", "/v1/transformations"):
        other = await ask(app.metrics_only, "POST", path, [WHO, JSON], b'{"value":"1"}')
        assert other is not None
        assert (other.status, other.code) == (404, "not_found")


async def test_no_problem_repeats_what_was_sent(app: Application) -> None:
    """Each part of a request in turn holds a value, in a request that is refused for it."""
    value = SECRET.decode()
    attempts: list[dict[str, Any]] = [
        {"path": f"/v1/tokenise/{value}"},
        {"path": f"/v1/{value}/digits"},
        {"path": f"/{value}"},
        {"method": value},
        {"headers": [("Authorization", f"Bearer {value}")]},
        {"headers": [WHO, ("Content-Type", f"text/{value}")]},
        {"headers": [WHO, JSON, ("Content-Encoding", value)]},
        {"headers": [WHO, JSON, ("Jeton-Request-Id", value)]},
        {"headers": [WHO, JSON, ("Jeton-Purpose", value + "X")]},
        {"body": SECRET},
        {"body": b'{"' + SECRET + b'":"1"}'},
        {"body": b'{"value":' + SECRET + b"}"},
        {"body": b'{"value":"' + SECRET + b'","value":"' + SECRET + b'"}'},
        {"body": b'{"value":"x' + SECRET + b'"}'},
        {"body": b'{"value":"\xff' + SECRET + b'"}'},
        {"body": b'{"values":[["' + SECRET + b'"]]}'},
    ]
    for attempt in attempts:
        reply = await post(app, **attempt)
        assert reply.code is not None
        said = b"\n".join(value for _, value in reply.headers) + reply.body
        assert SECRET not in said
        assert not re.search(SECRET, said)


# The lifespan -------------------------------------------------------------------------------


async def test_a_start_that_fails_is_told_to_whoever_started(door: SmallDoor) -> None:
    class Failing:
        async def __aenter__(self) -> None:
            raise ValueError(SECRET.decode())

        async def __aexit__(self, *_: object) -> None: ...

    app = Application(Holder(door), LIMITS, Failing)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    await app({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": "ValueError"}]
    assert str(app.failure) == SECRET.decode()
