"""The model of many replicas."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.results import Result
from benchmarks.scale import FITTED, REPLICAS, Cost, _contention, _foretold, _model, throughput

GROWTH = Result("growth", "us/call", 115.0, 0.05, 100.0, 1.15, None, "c")
TOKENISE = Cost(commands=0.0, bytes=0.0, redis=1.0, service=99.0)
REVEAL = Cost(commands=1.0, bytes=80.0, redis=20.0, service=180.0)


@given(st.integers(1, 10_000), st.floats(1e-4, 0.9), st.floats(1.0, 1e5))
def test_replicas_never_take_from_each_other_nor_pass_the_bound(replicas, serial, alone):
    fewer, more = (throughput(count, serial, alone) for count in (replicas, replicas + 1))
    assert alone * 0.999 <= fewer <= more <= alone / serial


def test_half_of_a_call_shared_is_twice_one_replica_at_most():
    assert throughput(1, 0.5, 100.0) == 100.0
    assert throughput(10**9, 0.5, 100.0) == pytest.approx(200.0)


def test_what_a_second_worker_adds_counts_beyond_the_spread_only():
    assert _contention(GROWTH) == pytest.approx(0.15)
    assert _contention(replace(GROWTH, spread=0.2)) == 0.0
    assert _contention(replace(GROWTH, ratio=0.9)) == 0.0


@pytest.mark.parametrize(("contention", "fitted"), [(0.0, False), (0.15, True)])
def test_both_readings_are_drawn_where_they_differ(contention, fitted):
    lines = _model(TOKENISE, REVEAL, contention).lines
    assert (FITTED in lines) is fitted
    one, *_, many = lines["reveals alone"]
    assert one == (1.0, pytest.approx(5_000.0))
    assert many[0] == REPLICAS[-1]
    assert many[1] < 50_000  # a reveal takes Redis 20 us


def test_what_the_model_says_are_figures_too():
    found = {one.name: one.value for one in _foretold(_model(TOKENISE, REVEAL, 0.15))}
    assert found["model, tokenise alone: sigma"] == pytest.approx(0.01)
    assert found["model, reveals alone: sigma"] == pytest.approx(0.1)
    assert found[f"model, {FITTED}: sigma"] == pytest.approx(0.25)
    assert found["model, reveals alone: 10 replicas"] == pytest.approx(10 / 1.9)
    assert found["model, tokenise alone: 1,000 replicas"] == pytest.approx(1_000 / 10.99)
