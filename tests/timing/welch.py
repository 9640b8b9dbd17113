"""Can two kinds of input be told apart by time? The test that dudect makes, for Python callables.

Samples of all kinds are taken in random order, so that whatever the machine does meanwhile befalls
each alike, and in many settings, so that no kind gains by how one of them lies in memory.

Two kinds are compared by Welch's t. Interrupts make a long tail that hides small differences, so
as in dudect (Reparaz, Balasch and Verbauwhede, 2017) the test is made on all samples, and again
on those up to percentiles of both kinds together; the largest |t| counts.
"""

import gc
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter_ns
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
U = TypeVar("U")

THRESHOLD = 4.5
"""|t| from which on dudect and the TVLA say that there is a difference."""
KEPT = (1.0, 0.99, 0.95, 0.9, 0.75, 0.5)
"""How much of both kinds together is kept, the fastest."""
WARM_UP = 2_000
COLD = 100
"""Calls that are not counted in a fresh setting."""

Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """Two kinds: `t` at the crop where |t| is largest, and the difference of their medians."""

    one: str
    other: str
    t: float
    nanoseconds: float

    @property
    def differs(self) -> bool:
        return abs(self.t) >= THRESHOLD


@dataclass(frozen=True)
class Setting(Generic[T, U]):
    """What is timed: `call` of what `prepare`, untimed, made of an input, drawn from `kinds`.

    Every kind has as many inputs, so that none is warmer in the caches.
    """

    prepare: Callable[[T], U]
    call: Callable[[U], object]
    kinds: Mapping[str, Sequence[T]]


def sample(
    fresh: Callable[[random.Random], Setting[T, U]], count: int, at_once: int, seed: int = 1
) -> dict[str, Times]:
    """Nanoseconds of `count` calls of each kind; after each `at_once` in a fresh setting."""
    chance = random.Random(seed)
    _take(fresh(chance), WARM_UP, chance)
    taken: dict[str, list[int]] = {}
    left = count
    while left > 0:
        for kind, times in _take(fresh(chance), min(left, at_once), chance).items():
            taken.setdefault(kind, []).extend(times)
        left -= at_once
    return {kind: np.array(times) for kind, times in taken.items()}


def _take(setting: Setting[T, U], count: int, chance: random.Random) -> dict[str, list[int]]:
    prepare, call, kinds = setting.prepare, setting.call, setting.kinds
    assert len({len(inputs) for inputs in kinds.values()}) == 1, "as many inputs of each kind"
    order = [(kind, chance.choice(inputs)) for kind, inputs in kinds.items() for _ in range(count)]
    chance.shuffle(order)
    taken: dict[str, list[int]] = {kind: [] for kind in kinds}
    for _, given in order[:COLD]:
        call(prepare(given))
    gc.collect()
    gc.disable()
    try:
        for kind, given in order:
            made = prepare(given)
            began = perf_counter_ns()
            call(made)
            ended = perf_counter_ns()  # before anything is looked up by the kind's name
            taken[kind].append(ended - began)
    finally:
        gc.enable()
    return taken


def pairs(samples: Mapping[str, Times]) -> list[Pair]:
    """Every two kinds, the most different first."""
    found = [
        Pair(one, other, worst(samples[one], samples[other]), _apart(samples[one], samples[other]))
        for one, other in combinations(samples, 2)
    ]
    return sorted(found, key=lambda pair: -abs(pair.t))


def worst(one: Times, other: Times) -> float:
    """Welch's t at the crop where it is farthest from 0."""
    both = np.concatenate([one, other])
    ts = [0.0]
    for kept in KEPT:
        most = np.quantile(both, kept)
        ts.append(welch(one[one <= most], other[other <= most]))
    return max(ts, key=abs)


def welch(one: Times, other: Times) -> float:
    """The statistic; 0 where either has fewer than two samples, or neither varies."""
    if min(len(one), len(other)) < 2:
        return 0.0
    error = one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other)
    return float((one.mean() - other.mean()) / np.sqrt(error)) if error else 0.0


def _apart(one: Times, other: Times) -> float:
    return float(np.median(one) - np.median(other))


def report(title: str, samples: Mapping[str, Times]) -> bool:
    """Print each pair; whether no two can be told apart."""
    count = min(len(times) for times in samples.values())
    print(f"{title}: {count:,} samples of each kind, |t| < {THRESHOLD} wanted")
    found = pairs(samples)
    for pair in found:
        words = "  <- can be told apart" if pair.differs else ""
        print(
            f"  t {pair.t:8.2f}   medians {pair.nanoseconds:+9.0f} ns apart"
            f"   {pair.one} / {pair.other}{words}"
        )
    return not any(pair.differs for pair in found)
