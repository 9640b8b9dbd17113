"""The client's core without I/O: what is sent, and what is made of every kind of answer."""

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jeton
from jeton import protocol
from jeton.protocol import DETOKENISE, MASK, MATCH, TOKENISE, Answer, Question

NIR = "284057512345672"
ID = "0e2c2b0c-2f0a-4f5b-8e2e-0a8f1a7a3b11"
JSON = {"content-type": "application/json", "jeton-request-id": ID}
PROBLEM = {"content-type": "application/problem+json; charset=utf-8", "jeton-request-id": ID}


def ask(
    operation: protocol.Operation[Any],
    transformation: str,
    given_: Any,
    context: Any = None,
    purpose: str | None = None,
    on_behalf_of: str | None = None,
) -> protocol.Call[Any]:
    question = Question(operation, transformation, purpose, on_behalf_of)
    if isinstance(given_[0], str):
        return question.single(given_, context)
    return question.batch(given_, context)


def named(call: protocol.Call[Any]) -> protocol.Call[Any]:
    """Under the request id that the answers of this page name."""
    return replace(call, request_id=ID)


def body(call: protocol.Call[Any]) -> Any:
    assert call.body is not None
    return json.loads(call.body)


def answer(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    kind = JSON if status == 200 else PROBLEM
    return Answer(status, kind | (headers or {}), json.dumps(content).encode())


def test_a_single_call_is_sent_as_the_contract_says() -> None:
    call = ask(DETOKENISE, "fr-nir", (NIR,), "claim 7", "reimbursement", "user-4")
    assert (call.method, call.path) == ("POST", "/v1/detokenise/fr-nir")
    assert body(call) == {"token": NIR, "context": "claim 7"}
    assert call.headers["Jeton-Purpose"] == "reimbursement"
    assert call.headers["Jeton-On-Behalf-Of"] == "user-4"
    assert call.headers["Content-Type"] == "application/json"


def test_batches_are_sent_with_one_context_or_one_each() -> None:
    assert body(ask(TOKENISE, "a", (["1", "2"],), "c")) == {"values": ["1", "2"], "context": "c"}
    assert body(ask(MATCH, "a", (("1", "2"), ["3", "4"]), ["c", "d"])) == {
        "tokens": ["1", "2"],
        "candidates": ["3", "4"],
        "contexts": ["c", "d"],
    }
    assert body(ask(MASK, "a", ([],))) == {"tokens": []}


def test_every_call_has_a_request_id_of_its_own_set_before_it_is_sent() -> None:
    first, second = ask(TOKENISE, "a", (NIR,)), ask(TOKENISE, "a", (NIR,))
    assert first.request_id != second.request_id
    assert uuid.UUID(first.request_id).version == 4
    assert first.headers["Jeton-Request-Id"] == first.request_id


@given(st.text())
def test_any_text_travels_as_ascii_and_arrives_as_it_is(text: str) -> None:
    call = ask(TOKENISE, "a", (text,))
    assert call.body is not None
    assert call.body.isascii()
    assert body(call) == {"value": text}


@pytest.mark.parametrize("name", ["", "A", "a/b", "a?b", "-a", "a" * 64, NIR, "1984-05-12", "é"])
def test_what_is_no_name_never_reaches_a_url(name: str) -> None:
    with pytest.raises(jeton.UsageError) as caught:
        ask(TOKENISE, name, (NIR,))
    assert name not in str(caught.value) or name in ("", "-a", "A")


@pytest.mark.parametrize(
    ("given_", "context", "purpose", "end_user"),
    [
        ((["1", "2"], ["3"]), None, None, None),
        ((["1", "2"], "3"), None, None, None),
        (("1", ["3"]), None, None, None),
        ((["1", 2], ["3", "4"]), None, None, None),
        (("1", "2"), ["c"], None, None),
        ((["1", "2"], ["3", "4"]), ["c"], None, None),
        (("1", "2"), None, "No Purpose", None),
        (("1", "2"), None, "a\nb", None),
        (("1", "2"), None, None, "user\r\nX-Evil: 1"),
        (("1", "2"), None, None, "usér"),
    ],
)
def test_misuse_is_refused_before_anything_is_sent(
    given_: Any, context: Any, purpose: str | None, end_user: str | None
) -> None:
    with pytest.raises(jeton.UsageError):
        ask(MATCH, "fr-nir", given_, context, purpose, end_user)


def test_single_results_have_their_types() -> None:
    token = named(ask(TOKENISE, "a", ("1",))).read(answer({"token": "9"}))
    assert token == "9"
    assert isinstance(token, jeton.Token)
    value = named(ask(DETOKENISE, "a", ("9",))).read(answer({"value": "1"}))
    assert value == jeton.Sensitive("1")
    assert named(ask(MASK, "a", ("9",))).read(answer({"masked": "1**"})) == "1**"
    assert named(ask(MATCH, "a", ("9", "1"))).read(answer({"match": False})) is False


def test_a_batch_has_a_result_or_an_error_in_every_place() -> None:
    call = named(ask(DETOKENISE, "a", (["7", "8", "9"],)))
    failed = {"index": 1, "code": "not_a_token", "detail": "no token"}
    content = {"values": ["1", None, "3"], "errors": [failed]}
    items = call.read(answer(content, headers={"jeton-receipt": "w0.5.ab"}))
    assert isinstance(items, jeton.Items)
    assert items[0] == jeton.Sensitive("1")
    assert isinstance(items[1], jeton.NotAToken)
    assert (items[1].index, items[1].code) == (1, "not_a_token")
    assert (items.request_id, items.receipt) == (call.request_id, "w0.5.ab")
    assert items.errors == (items[1],)
    with pytest.raises(jeton.NotAToken):
        items.all()


def test_an_item_code_of_the_future_is_still_an_item_error() -> None:
    failed = {"index": 0, "code": "too_new", "detail": "..."}
    items = named(ask(TOKENISE, "a", (["1"],))).read(answer({"tokens": [None], "errors": [failed]}))
    assert type(items[0]) is jeton.ItemError


@pytest.mark.parametrize(
    "content",
    [
        {"tokens": ["8"], "errors": []},
        {"tokens": ["8", "9", "7"], "errors": []},
        {"tokens": ["8", None], "errors": []},
        {"tokens": ["8", None], "errors": [{"index": 0, "code": "invalid_value", "detail": ""}]},
        {"tokens": ["8", None], "errors": [{"index": 1}]},
        {"tokens": ["8", 9], "errors": []},
        {"tokens": "89", "errors": []},
        {"errors": []},
        [],
        None,
    ],
)
def test_a_batch_answer_that_does_not_fit_is_no_answer(content: object) -> None:
    with pytest.raises(jeton.NoAnswer):
        named(ask(TOKENISE, "a", (["1", "2"],))).read(answer(content))


@pytest.mark.parametrize(
    "got",
    [
        answer({"value": 7}),
        answer({"token": "9"}),
        answer([]),
        Answer(200, JSON, b""),
        Answer(200, JSON, b'{"value": "1"'),
        Answer(200, JSON, b"[" * 100_000),
        Answer(200, JSON, b"\xff"),
        Answer(200, {"content-type": "text/html"}, b'{"value": "1"}'),
        Answer(200, {}, b'{"value": "1"}'),
    ],
)
def test_a_single_answer_that_does_not_fit_is_no_answer(got: Answer) -> None:
    with pytest.raises(jeton.NoAnswer) as caught:
        named(ask(DETOKENISE, "a", ("9",))).read(got)
    assert caught.value.may_retry


REFUSALS = [
    (400, "malformed_request", jeton.MalformedRequest, False),
    (401, "unauthenticated", jeton.Unauthenticated, False),
    (403, "not_allowed", jeton.NotAllowed, False),
    (403, "purpose_required", jeton.NotAllowed, False),
    (403, "end_user_required", jeton.NotAllowed, False),
    (403, "locked", jeton.Locked, False),
    (404, "unknown_transformation", jeton.NotFound, False),
    (405, "method_not_allowed", jeton.MalformedRequest, False),
    (408, "timeout", jeton.Unavailable, True),
    (409, "request_id_reused", jeton.RequestIdReused, False),
    (413, "too_large", jeton.MalformedRequest, False),
    (415, "unsupported_media_type", jeton.MalformedRequest, False),
    (431, "too_large", jeton.MalformedRequest, False),
    (429, "budget_exhausted", jeton.BudgetExhausted, True),
    (500, "internal", jeton.ServiceError, False),
    (503, "audit_unavailable", jeton.Unavailable, True),
    (422, "invalid_value", jeton.InvalidValue, False),
    (422, "not_a_token", jeton.NotAToken, False),
    (422, "context_required", jeton.ContextRequired, False),
    (507, "domain_exhausted", jeton.DomainExhausted, False),
]


@pytest.mark.parametrize(("status", "code", "kind", "may_retry"), REFUSALS)
def test_each_refusal_has_its_class(
    status: int, code: str, kind: type[jeton.JetonError], may_retry: bool
) -> None:
    call = named(ask(DETOKENISE, "a", ("9",)))
    got = answer({"code": code, "detail": "why"}, status, {"retry-after": "17"})
    with pytest.raises(kind) as caught:
        call.read(got)
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.status, error.request_id) == (code, status, call.request_id)
    assert error.may_retry is may_retry
    assert "why" in str(error)
    assert call.request_id in str(error)
    if isinstance(error, jeton.ServiceError):
        assert error.retry_after == 17


@pytest.mark.parametrize(
    "got",
    [
        Answer(502, {"content-type": "text/html"}, f"<p>{NIR}</p>".encode()),
        Answer(502, PROBLEM, b"no json " + NIR.encode()),
        answer({"detail": NIR}, 502),
        answer({"code": f"you sent {NIR}", "detail": NIR}, 502),
        answer([NIR], 502),
        Answer(502, {"retry-after": f"soon {NIR}"}, b""),
    ],
)
def test_a_strangers_answer_is_not_quoted(got: Answer) -> None:
    with pytest.raises(jeton.Unavailable) as caught:
        named(ask(DETOKENISE, "a", ("9",))).read(got)
    assert NIR not in repr(caught.value) + str(caught.value) + repr(vars(caught.value))
    assert caught.value.retry_after is None


def test_transformations_are_read_and_unknown_members_let_pass() -> None:
    listed: dict[str, Any] = {
        "name": "fr-nir",
        "format": "fr-nir",
        "method": "fpe",
        "context": "optional",
        "operations": ["mask", "match"],
        "purposes": ["display"],
        "token_recognisable": True,
    }
    call = named(protocol.ask_transformations())
    assert (call.method, call.path, call.body) == ("GET", "/v1/transformations", None)
    got = call.read(answer({"transformations": [listed | {"later": 1}]}))
    assert got == [
        jeton.Transformation(
            "fr-nir", "fr-nir", "fpe", "optional", ("mask", "match"), ("display",), True
        )
    ]
    del listed["method"]
    broken: list[object] = [{"transformations": [listed]}, {"transformations": [7]}, {}, []]
    for content in broken:
        with pytest.raises(jeton.NoAnswer):
            call.read(answer(content))


def test_calls_and_answers_show_nothing_of_what_they_carry() -> None:
    call = ask(TOKENISE, "fr-nir", (NIR,), "secret context")
    shown = repr(call) + repr(answer({"token": NIR}))
    assert NIR not in shown
    assert "secret context" not in shown
