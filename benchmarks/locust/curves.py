"""How load changes over a run: the share of all users that are there, by the share of the run
that is over. Both go from 0 to 1."""

import math
from collections.abc import Callable, Mapping

STEPS = 5
SOAK_RAMP = 0.05
"""The part of a soak in which it begins."""
QUIET, SPIKE = 0.1, (0.4, 0.6)
DAY = [
    int(percent) / 100
    for percent in "4 3 2 2 3 6 15 35 70 95 100 92 60 65 88 90 75 60 45 32 22 15 10 6".split()
]
"""Of each hour, as claims come in: before noon and in the afternoon."""


def ramp(over: float) -> float:
    return over


def step(over: float) -> float:
    """Five levels, of the same length."""
    return min(1.0, (math.floor(over * STEPS) + 1) / STEPS)


def soak(over: float) -> float:
    return min(1.0, over / SOAK_RAMP)


def spike(over: float) -> float:
    """Ten times the load, at once and for a fifth of the run."""
    return 1.0 if SPIKE[0] <= over < SPIKE[1] else QUIET


def day(over: float) -> float:
    """Between two hours in a straight line."""
    hour = over * len(DAY) % len(DAY)
    before = int(hour)
    after = (before + 1) % len(DAY)
    return DAY[before] + (DAY[after] - DAY[before]) * (hour - before)


CURVES: Mapping[str, Callable[[float], float]] = {
    curve.__name__: curve for curve in (ramp, step, soak, spike, day)
}
