"""How a call is sent until it has an answer, with clocks and chance that tests hold."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jeton
from jeton.attempts import QUOTA, Attempts, Send, Wait
from jeton.endpoints import FAILURES, Endpoint, endpoints
from jeton.protocol import TOKENISE, Answer, Call, Question

TIMEOUT = 10.0
A, B = endpoints("http://a:1 http://b:1")


def call() -> Call[Any]:
    return replace(Question(TOKENISE, "fr-nir").single(("1",), None), request_id="id")


def answer(status: int = 200, code: str = "", retry_after: str = "") -> Answer:
    headers = {"content-type": "application/json", "jeton-request-id": "id"}
    if retry_after:
        headers["retry-after"] = retry_after
    content = {"token": "9"} if status == 200 else {"code": code, "detail": "why"}
    return Answer(status, headers, json.dumps(content if status == 200 or code else {}).encode())


GOOD = answer()
BUSY = answer(503, "overloaded", "1")
DOWN = jeton.Unreachable("refused")
SILENT = jeton.NoAnswer("silent")
GATEWAY = answer(502)
REFUSED = answer(403, "not_allowed")


@dataclass
class World:
    """Drives a call: `reply(endpoint)` is what the network does, `takes` how long it takes."""

    reply: Callable[[Endpoint], Any]
    takes: float = 0.01
    now: float = 1_000.0
    luck: float = 0.5
    sent: list[tuple[float, Endpoint, float]] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    def attempts(self, *places: Endpoint, tries: int = 5) -> Attempts:
        return Attempts(places or (A,), tries, clock=lambda: self.now, chance=lambda: self.luck)

    def run(self, attempts: Attempts, timeout: float = TIMEOUT) -> Any:
        steps = attempts.of(call(), self.now + timeout)
        got = None
        try:
            while True:
                step = steps.send(got)
                if isinstance(step, Wait):
                    assert step.seconds > 0
                    self.waited.append(step.seconds)
                    self.now += step.seconds
                    got = None
                    continue
                assert isinstance(step, Send)
                self.sent.append((self.now, step.endpoint, step.seconds))
                got = self.reply(step.endpoint)
                self.now += step.seconds if got is SILENT else min(self.takes, step.seconds)
        except StopIteration as done:
            return done.value


def script(*replies: Any) -> Callable[[Endpoint], Any]:
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_a_good_answer_is_the_end_of_it() -> None:
    world = World(script(GOOD))
    assert world.run(world.attempts()) == "9"
    assert [place for _, place, _ in world.sent] == [A]
    assert world.sent[0][2] == TIMEOUT
    assert world.waited == []


@pytest.mark.parametrize("trouble", [DOWN, GATEWAY, answer(408, "timeout")])
def test_what_may_help_is_tried_again_after_a_jittered_doubling_wait(trouble: Any) -> None:
    world = World(script(trouble, trouble, trouble, GOOD), luck=1.0)
    assert world.run(world.attempts()) == "9"
    assert world.waited == [0.05, 0.1, 0.2]
    none = World(script(trouble, GOOD), luck=0.0)
    assert none.run(none.attempts()) == "9"
    assert none.waited == []


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (REFUSED, jeton.NotAllowed),
        (answer(401, "unauthenticated"), jeton.Unauthenticated),
        (answer(422, "invalid_value"), jeton.InvalidValue),
        (answer(409, "request_id_reused"), jeton.RequestIdReused),
        (answer(500, "internal"), jeton.ServiceError),
    ],
)
def test_what_cannot_help_is_raised_at_once(reply: Answer, kind: type[Exception]) -> None:
    world = World(script(reply))
    with pytest.raises(kind):
        world.run(world.attempts(A, B))
    assert len(world.sent) == 1


def test_retry_after_is_waited_for_and_never_beyond_the_deadline() -> None:
    world = World(script(BUSY, GOOD))
    assert world.run(world.attempts()) == "9"
    assert world.waited == [1.025]
    late = World(script(answer(429, "budget_exhausted", "3600")))
    with pytest.raises(jeton.BudgetExhausted) as caught:
        late.run(late.attempts(A, B))
    assert caught.value.retry_after == 3600
    assert (len(late.sent), late.waited) == (1, [])


def test_tries_have_an_end() -> None:
    world = World(script(DOWN))
    with pytest.raises(jeton.Unreachable):
        world.run(world.attempts(tries=3))
    assert len(world.sent) == 3


def test_another_address_is_asked_at_once_and_gets_half_of_the_time() -> None:
    world = World(lambda place: SILENT if place == A else GOOD)
    assert world.run(world.attempts(A, B)) == "9"
    assert [(place, seconds) for _, place, seconds in world.sent] == [(A, 5.0), (B, 5.0)]
    assert world.waited == []
    busy = World(lambda place: BUSY if place == A else GOOD)
    assert busy.run(busy.attempts(A, B)) == "9"
    assert busy.waited == []


def test_an_address_that_keeps_failing_is_left_alone_and_asked_again_later() -> None:
    up: set[Endpoint] = {B}
    world = World(lambda place: GOOD if place in up else DOWN)
    attempts = world.attempts(A, B)
    for _ in range(20):
        assert world.run(attempts) == "9"
    assert sum(place == A for _, place, _ in world.sent) == FAILURES
    up.add(A)
    world.now += 60
    world.sent.clear()
    for _ in range(5):
        assert world.run(attempts) == "9"
    assert {place for _, place, _ in world.sent} == {A}


def test_only_one_call_looks_whether_an_address_is_back() -> None:
    world = World(script(DOWN))
    attempts = world.attempts(A, B, tries=1)
    for _ in range(FAILURES * 2):
        with pytest.raises(jeton.Unreachable):
            world.run(attempts)
    world.now += 60
    first = attempts.of(call(), world.now + TIMEOUT)
    second = attempts.of(call(), world.now + TIMEOUT)
    third = attempts.of(call(), world.now + TIMEOUT)
    steps = [next(first), next(second), next(third)]
    assert [type(step) for step in steps] == [Send, Send, Wait]
    assert [step.endpoint for step in steps if isinstance(step, Send)] == [A, B]


def test_a_refusal_in_jetons_words_says_nothing_against_the_address() -> None:
    world = World(script(*[answer(503, "store_unavailable")] * 30, GOOD))
    attempts = world.attempts(tries=1)
    for _ in range(30):
        with pytest.raises(jeton.Unavailable):
            world.run(attempts)
    assert world.run(attempts) == "9"
    assert world.waited == []


def test_a_short_outage_is_ridden_out_and_a_long_one_ends_in_failing_at_once() -> None:
    world = World(lambda _: GOOD if world.now > 1_003 else DOWN)
    assert world.run(world.attempts(tries=10)) == "9"
    down = World(script(DOWN))
    attempts = down.attempts()
    for _ in range(int(QUOTA)):
        with pytest.raises(jeton.Unreachable):
            down.run(attempts)
    began, sent = down.now, len(down.sent)
    for _ in range(100):
        with pytest.raises(jeton.Unreachable):
            down.run(attempts)
    assert down.now - began < 1.0
    assert len(down.sent) - sent <= 2


def test_successes_fill_the_quota_again() -> None:
    world = World(script(DOWN))
    attempts = world.attempts()
    for _ in range(int(QUOTA)):
        with pytest.raises(jeton.Unreachable):
            world.run(attempts)
    world.reply, world.now = script(GOOD), world.now + 60
    for _ in range(50):
        world.run(attempts)
    world.reply = script(DOWN, GOOD)
    assert world.run(attempts) == "9"


replies = st.sampled_from([GOOD, BUSY, DOWN, SILENT, GATEWAY, REFUSED, answer(429, "x", "2")])


@given(
    st.lists(replies, min_size=1, max_size=60),
    st.integers(1, 3),
    st.integers(1, 10),
    st.floats(0.01, 300),
    st.floats(0, 5),
    st.floats(0, 1),
)
def test_no_call_outlives_its_deadline_or_is_sent_too_often(
    network: list[Any], places: int, tries: int, timeout: float, takes: float, luck: float
) -> None:
    names = endpoints(" ".join(f"http://h{index}" for index in range(places)))
    world = World(script(*network), takes, luck=luck)
    attempts = world.attempts(*names, tries=tries)
    for _ in range(5):
        began, world.sent = world.now, []
        with suppress(jeton.JetonError):
            assert world.run(attempts, timeout) == "9"
        assert world.now <= began + timeout + 1e-6
        assert len(world.sent) <= tries
        assert all(seconds > 0 for _, _, seconds in world.sent)
        assert all(at + seconds <= began + timeout + 1e-6 for at, _, seconds in world.sent)
        assert 0 <= attempts._quota <= QUOTA
