"""Single calls that travel as one batch: who gets what of it, over threads and asyncio."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jeton
from jeton import tasks, threads
from jeton.coalescing import ALONE, Single, outcomes, refused, together
from jeton.protocol import DETOKENISE, REVEAL, TOKENISE, Question
from jeton.results import Items
from tests.support.stub import (
    KINDS,
    Respond,
    Stub,
    echo_batches,
    in_turn,
    refuse,
    send,
    serving,
)

CREDENTIAL = "jeton_intake_s3cret_abc"
Ask = Callable[[Any, str], Any]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Company is waited for until a call in flight comes back: tests decide when."""
    monkeypatch.setattr(threads, "COMPANY_SECONDS", 20.0)
    monkeypatch.setattr(tasks, "COMPANY_SECONDS", 20.0)


class Held:
    """Answers as `respond` does, the first call not before `let_go()`."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._first = threading.Lock()
        self.here = threading.Event()
        self._go = threading.Event()

    def let_go(self) -> None:
        self._go.set()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        if self._first.acquire(blocking=False):
            self.here.set()
            assert self._go.wait(20)
            echo_batches(handler)
        else:
            self._respond(handler)


def tokenise(client: Any, value: str) -> Any:
    return client.tokenise("fr-nir", value)


def bound(client: Any, value: str) -> Any:
    return client.tokenise("fr-nir", value, context=f"c{value}")


def ask_at_once(
    kind: str, held: Held, stub: Stub, asks: list[Ask], before: Ask = tokenise, **named: Any
) -> list[Any]:
    """What each of `asks` gets, all in flight while the call `before` them is held."""
    work = _tasks if kind == "asyncio" else _threads
    return work(held, stub, asks, before, named)


def _outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except jeton.JetonError as error:
        return error


def _threads(
    held: Held, stub: Stub, asks: list[Ask], before: Ask, named: dict[str, Any]
) -> list[Any]:
    with (
        jeton.Client(stub.url, CREDENTIAL, **named) as client,
        ThreadPoolExecutor(len(asks) + 1) as pool,
    ):
        first = pool.submit(before, client, "first")
        assert held.here.wait(20)
        futures = [
            pool.submit(_outcome, lambda ask=ask, at=at: ask(client, str(at)))  # type: ignore[misc]
            for at, ask in enumerate(asks)
        ]
        coalescing, deadline = client._running.coalescing, time.monotonic() + 20
        while time.monotonic() < deadline:
            with coalescing._lock:
                waiting = sum(len(group.callers) for group in coalescing._open.values())
            if waiting + len(stub.requests) > len(asks):
                break
            time.sleep(0.001)
        held.let_go()
        first.result(20)
        return [future.result(20) for future in futures]


def _tasks(
    held: Held, stub: Stub, asks: list[Ask], before: Ask, named: dict[str, Any]
) -> list[Any]:
    async def work() -> list[Any]:
        async with jeton.AsyncClient(stub.url, CREDENTIAL, **named) as client:
            first = asyncio.create_task(before(client, "first"))
            await asyncio.to_thread(held.here.wait, 20)
            others = [asyncio.ensure_future(ask(client, str(at))) for at, ask in enumerate(asks)]
            await asyncio.sleep(0.05)
            held.let_go()
            await first
            return await asyncio.gather(*others, return_exceptions=True)

    return asyncio.run(work())


@pytest.mark.parametrize("kind", KINDS)
def test_calls_in_flight_travel_as_one_batch_with_their_contexts(kind: str) -> None:
    held = Held(echo_batches)
    with serving(held) as stub:
        got = ask_at_once(kind, held, stub, [bound] * 20, before=bound)
    assert got == [f"{at}/c{at}" for at in range(20)]
    assert [len(sent.get("values", "1")) for _, _, sent in stub.requests] == [1, 20]


@pytest.mark.parametrize("kind", KINDS)
def test_a_switch_turns_it_off(kind: str) -> None:
    held = Held(echo_batches)
    with serving(held) as stub:
        got = ask_at_once(kind, held, stub, [tokenise] * 5, coalesce=False)
    assert got == [f"{at}/" for at in range(5)]
    assert all("value" in sent for _, _, sent in stub.requests)


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_not_share_does_not(kind: str) -> None:
    """Another transformation, purpose or end user; texts that a batch might be refused for."""

    def mask(purpose: str, user: str) -> Ask:
        return lambda client, token: client.mask(
            "fr-nir", token, purpose=purpose, on_behalf_of=user
        )

    asks: list[Ask] = [
        mask("display", "agent-1"),
        mask("display", "agent-2"),
        mask("audit", "agent-1"),
        lambda client, value: client.tokenise("digits", value),
        lambda client, value: client.tokenise("fr-nir", value, context=""),
        lambda client, value: client.tokenise("fr-nir", value, context="e\u0301"),
        lambda client, value: client.tokenise("fr-nir", value, context="\ud800"),
        lambda client, value: client.tokenise("fr-nir", value, context="x" * 257),
        lambda client, value: client.tokenise("fr-nir", value + "9" * 600),
    ]

    def respond(handler: BaseHTTPRequestHandler) -> None:
        (send({"masked": "1**"}) if "mask" in handler.path else echo_batches)(handler)

    held = Held(respond)
    with serving(held) as stub:
        got = ask_at_once(kind, held, stub, asks)
    assert not [one for one in got if isinstance(one, Exception)]
    assert len(stub.requests) == len(asks) + 1
    assert all({"token", "value"} & set(sent) for _, _, sent in stub.requests)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_go_back_to_the_right_caller(kind: str) -> None:
    def some_fail(handler: BaseHTTPRequestHandler) -> None:
        values = handler.sent["values"]  # type: ignore[attr-defined]
        bad = {at for at, value in enumerate(values) if int(value) % 3 == 0}
        content = {
            "tokens": [None if at in bad else f"t{value}" for at, value in enumerate(values)],
            "errors": [{"index": at, "code": "invalid_value", "detail": "why"} for at in bad],
        }
        send(content)(handler)

    held = Held(some_fail)
    with serving(held) as stub:
        got = ask_at_once(kind, held, stub, [tokenise] * 12)
    for at, outcome in enumerate(got):
        if at % 3:
            assert outcome == f"t{at}"
        else:
            assert isinstance(outcome, jeton.InvalidValue)
            assert (outcome.index, outcome.status) == (0, 422)
    errors = [outcome for outcome in got if isinstance(outcome, jeton.JetonError)]
    assert len({id(error) for error in errors}) == len(errors)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "budget_exhausted"),
        (403, "not_allowed"),
        (400, "malformed_request"),
        (413, "too_large"),
    ],
)
def test_where_a_batch_is_refused_each_is_sent_alone(kind: str, status: int, code: str) -> None:
    held = Held(in_turn(refuse(status, code, Retry_After="900"), echo_batches))
    with serving(held) as stub:
        got = ask_at_once(kind, held, stub, [tokenise] * 4)
    assert got == [f"{at}/" for at in range(4)]
    assert len(stub.requests) == 6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("respond", "expected"),
    [
        (refuse(403, "locked"), jeton.Locked),
        (refuse(401, "unauthenticated"), jeton.Unauthenticated),
        (refuse(503, "audit_unavailable", Retry_After="900"), jeton.Unavailable),
        (send({"tokens": ["of another"]}), jeton.NoAnswer),
    ],
)
def test_what_would_not_help_or_may_have_been_charged_is_not_sent_again(
    kind: str, respond: Respond, expected: type[Exception]
) -> None:
    held = Held(respond)
    with serving(held) as stub:
        got = ask_at_once(kind, held, stub, [tokenise] * 4, tries=1)
    assert [type(outcome) for outcome in got] == [expected] * 4
    assert len({id(outcome) for outcome in got}) == 4
    assert len({headers["Jeton-Request-Id"] for _, headers, _ in stub.requests}) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_one_after_the_other_nobody_waits(kind: str) -> None:
    """The patience above is 20 seconds: a lone call that waited would be seen."""

    async def alone() -> None:
        async with jeton.AsyncClient(stub.url, CREDENTIAL) as client:
            for at in range(20):
                assert await client.tokenise("fr-nir", str(at)) == f"{at}/"

    with serving(echo_batches) as stub:
        if kind == "asyncio":
            asyncio.run(asyncio.wait_for(alone(), 10))
        else:
            with jeton.Client(stub.url, CREDENTIAL) as client:
                assert [client.tokenise("fr-nir", str(at)) for at in range(20)]
    assert [list(sent) for _, _, sent in stub.requests] == [["value"]] * 20


@given(st.lists(st.tuples(st.text(max_size=5), st.text(min_size=1, max_size=5)), min_size=1))
def test_a_batch_holds_each_call_in_its_place(calls: list[tuple[str, str]]) -> None:
    question = Question(TOKENISE, "fr-nir")
    call = together(question, [Single((value,), context) for value, context in calls])
    assert call.body is not None
    sent = json.loads(call.body)
    assert list(zip(sent["values"], sent["contexts"], strict=True)) == calls
    failed = jeton.NotAToken("why", index=0, code="not_a_token")
    got = outcomes(Items(["t"] * (len(calls) - 1) + [failed], "r"))
    assert got[:-1] == ["t"] * (len(calls) - 1)
    assert isinstance(got[-1], jeton.NotAToken)
    assert got[-1] is not failed
    assert refused(jeton.BudgetExhausted("why", status=429), 3) == [ALONE] * 3


def test_plain_and_hidden_values_do_not_share() -> None:
    single = Single(("9",), None)
    keys = {single.key(Question(operation, "a")) for operation in (DETOKENISE, REVEAL)}  # type: ignore[arg-type]
    assert len(keys) == 2
    assert None not in keys


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_header_hook_raises_is_raised_to_each(kind: str) -> None:
    quiet = [True]

    def headers() -> dict[str, str]:
        if quiet[0]:
            return {}
        raise LookupError

    def then_raise(client: Any, value: str) -> Any:
        quiet[0] = False
        return client.tokenise("fr-nir", value)

    held = Held(echo_batches)
    with serving(held) as stub:
        if kind == "asyncio":
            got = ask_at_once(kind, held, stub, [then_raise] * 3, headers=headers)
            assert [type(one) for one in got] == [LookupError] * 3
        else:
            with pytest.raises(LookupError):
                ask_at_once(kind, held, stub, [then_raise] * 3, headers=headers)
    assert len(stub.requests) == 1
