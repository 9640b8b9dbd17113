"""The limit on calls in flight: shrinks while all are late, grows back, and counts right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import Refusal
from vault.web.in_flight import FEWEST, INTERVAL, PATIENCE, InFlight


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def made(most: int) -> tuple[InFlight, Clock, list[int]]:
    clock, told = Clock(), list[int]()
    return InFlight(most, told.append, clock), clock, told


def rounds(calls: InFlight, clock: Clock, times: int, seconds: float) -> None:
    """As many calls as may be at once, so long each."""
    for _ in range(times):
        came = [calls.enter() for _ in range(calls.limit)]
        clock.now += seconds
        for one in came:
            calls.leave(one)


def test_no_more_than_the_limit() -> None:
    calls, _, told = made(2)
    one = calls.enter()
    calls.enter()
    with pytest.raises(Refusal, match="overloaded"):
        calls.enter()
    calls.leave(one)
    calls.enter()
    assert told == [1, 2, 1, 2]


def test_while_all_are_late_fewer_are_taken_in() -> None:
    calls, clock, _ = made(512)
    rounds(calls, clock, 3, PATIENCE + 0.1)
    assert calls.limit == 512 * 3 // 4 * 3 // 4 * 3 // 4
    rounds(calls, clock, 100, PATIENCE + 0.1)
    assert calls.limit == FEWEST


def test_it_grows_back() -> None:
    calls, clock, _ = made(512)
    rounds(calls, clock, 100, PATIENCE + 0.1)
    rounds(calls, clock, 100, INTERVAL)
    assert calls.limit == 512


def test_one_that_is_slow_by_itself_says_nothing() -> None:
    calls, clock, _ = made(64)
    slow = calls.enter()
    for _ in range(100):
        came = calls.enter()
        clock.now += 0.1
        calls.leave(came)
    calls.leave(slow)
    assert calls.limit == 64


def test_a_few_that_are_slow_by_themselves_say_nothing_either() -> None:
    calls, clock, _ = made(64)
    for _ in range(40):
        came = [calls.enter() for _ in range(8)]
        clock.now += PATIENCE + 0.2
        for one in came:
            calls.leave(one)
    assert calls.limit == 64


@given(st.integers(1, 600), st.lists(st.floats(0, 5), max_size=40))
def test_it_stays_within_its_bounds(most: int, delays: list[float]) -> None:
    calls, clock, told = made(most)
    for seconds in delays:
        rounds(calls, clock, 1, seconds)
        assert min(FEWEST, most) <= calls.limit <= most
    assert calls.count == 0
    assert all(0 <= count <= most for count in told)
