"""The measure finds a difference that is there, and none that is not."""

import random

import numpy as np
import pytest

from tests.timing.credentials import GOOD, in_process
from tests.timing.welch import THRESHOLD, Setting, pairs, sample, welch, worst


def test_welch_is_the_textbooks() -> None:
    one, other = np.array([3, 4, 5, 8]), np.array([6, 9, 10, 11, 14])
    # Means 5 and 10, variances 14/3 and 34/4: t = -5 / sqrt(14/12 + 34/20)
    assert welch(one, other) == pytest.approx(-5 / np.sqrt(14 / 12 + 34 / 20))
    assert welch(one, one[:1]) == welch(one[:1], other) == 0


def test_a_difference_that_the_tail_hides_is_found() -> None:
    noise = np.random.default_rng(1)
    interrupts = (noise.random((2, 20_000)) < 0.01) * noise.pareto(0.8, (2, 20_000)) * 10_000
    one, other = interrupts + noise.normal(1_000, 50, (2, 20_000))
    assert abs(worst(one, other)) < THRESHOLD
    assert abs(welch(one, other + 20)) < THRESHOLD
    assert abs(worst(one, other + 20)) > 3 * THRESHOLD


@pytest.mark.slow
def test_a_planted_early_return_is_far_beyond_the_threshold() -> None:
    def fresh(chance: random.Random) -> Setting[bytes, str]:
        return in_process(chance, planted=True)

    taken = sample(fresh, 2_000, 500)
    assert {kind: len(times) for kind, times in taken.items()} == dict.fromkeys(taken, 2_000)
    del taken[GOOD]
    told = {frozenset((pair.one, pair.other)) for pair in pairs(taken) if abs(pair.t) > 20}
    known, unknown = ("expired", "elsewhere"), ("unknown", "prefix", "malformed")
    assert told >= {frozenset((one, other)) for one in known for other in unknown}
