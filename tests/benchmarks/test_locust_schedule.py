"""When calls are due, since when they count, and how many users there are over a run."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.locust.curves import CURVES, DAY, QUIET, day
from benchmarks.locust.schedule import Schedule

TIMES = st.lists(st.floats(0, 5), min_size=2, max_size=50)


class Clock:
    """Time passes by sleeping, and while a call is answered."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


def dues(rate, answers):
    """When each call was due and when it was sent, given how long each answer takes."""
    clock = Clock()
    schedule = Schedule(rate, clock=clock, sleep=clock.sleep)
    found = []
    for seconds in answers:
        found.append((schedule.wait(), clock.now))
        clock.now += seconds
    return found


@given(st.floats(0.1, 1000), TIMES)
def test_calls_are_due_at_the_same_times_whatever_answers_take(rate, answers):
    due = [one for one, _ in dues(rate, answers)]
    assert 0 <= due[0] <= 1 / rate
    for before, after in itertools.pairwise(due):
        assert after - before == pytest.approx(1 / rate, rel=1e-6)


@given(st.floats(0.1, 1000), TIMES)
def test_no_call_is_sent_before_it_is_due_nor_later_than_it_can_be(rate, answers):
    free = 0.0
    for (due, sent), seconds in zip(dues(rate, answers), answers, strict=True):
        assert sent == pytest.approx(max(due, free))
        free = sent + seconds


@given(TIMES)
def test_without_a_rate_the_next_call_is_due_when_the_last_was_answered(answers):
    ready = itertools.accumulate([0.0, *answers[:-1]])
    assert [due for due, _ in dues(0, answers)] == pytest.approx(list(ready))


def test_a_late_call_counts_from_when_it_was_due():
    clock = Clock()
    schedule = Schedule(10, clock=clock, sleep=clock.sleep)
    schedule.wait()
    clock.now += 1.0  # the answer stalls
    due = schedule.wait()
    clock.now += 0.01
    assert schedule.since(due) == pytest.approx(1000 - 100 + 10)


@given(st.sampled_from(sorted(CURVES)), st.floats(0, 1, exclude_max=True))
def test_no_curve_is_below_nobody_or_above_all(name, over):
    assert 0 <= CURVES[name](over) <= 1


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("ramp", {0.25: 0.25, 0.75: 0.75}),
        ("step", {0.0: 0.2, 0.19: 0.2, 0.21: 0.4, 0.99: 1.0}),
        ("soak", {0.0: 0.0, 0.05: 1.0, 0.9: 1.0}),
        ("spike", {0.39: QUIET, 0.4: 1.0, 0.59: 1.0, 0.6: QUIET}),
        ("day", {3 / 24: 0.02, 10 / 24: 1.0, 10.5 / 24: 0.96, 15 / 24: 0.9}),
    ],
)
def test_curves(name, shares):
    for over, share in shares.items():
        assert CURVES[name](over) == pytest.approx(share)


def test_a_day_ends_where_the_next_one_begins():
    assert day(1 - 1e-9) == pytest.approx(DAY[0], abs=1e-6)
    assert len(DAY) == 24
