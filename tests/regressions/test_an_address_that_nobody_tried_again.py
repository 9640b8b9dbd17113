"""A caller with little time waited for an address that was left alone, its deadline passed, and
the address counted as tried: left alone for another while, and so for ever."""

from contextlib import suppress
from itertools import pairwise

import pytest

import jeton
from jeton.attempts import Attempts, Send, Wait
from jeton.endpoints import FAILURES, endpoints
from jeton.protocol import TOKENISE, Question


@pytest.mark.parametrize("luck", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("timeout", [0.01, 0.3, 0.5, 0.9])
def test_an_address_is_tried_again_however_little_time_callers_have(
    luck: float, timeout: float
) -> None:
    now = [1_000.0]
    attempts = Attempts(endpoints("http://a"), 1, clock=lambda: now[0], chance=lambda: luck)
    down = jeton.Unreachable("refused")
    tried: list[float] = []
    for _ in range(200):
        steps = attempts.of(Question(TOKENISE, "a").single(("1",), None), now[0] + timeout)
        got = None
        with suppress(jeton.Unreachable):
            while True:
                step = steps.send(got)
                if isinstance(step, Wait):
                    now[0] += step.seconds * 1.001 + 0.0001  # a sleep is never shorter
                    got = None
                else:
                    assert isinstance(step, Send)
                    tried.append(now[0])
                    got = down
        now[0] += 0.05
    assert len(tried) > FAILURES + 3
    assert all(later - earlier < 3.0 for earlier, later in pairwise(tried))
