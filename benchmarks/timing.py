"""Medians of interleaved repeats: what is compared is timed in turn, in one run.

A machine that slows down for a second then slows every candidate down, so that ratios hold
where absolute figures do not travel.
"""

import statistics
import time
from collections.abc import Callable, Mapping

REPEATS = 25
SECONDS = 0.02
"""About how long a candidate runs before the next one's turn."""


def interleaved(
    jobs: Mapping[str, Callable[[], object]], repeats: int = REPEATS, seconds: float = SECONDS
) -> dict[str, float]:
    """Median seconds a call of each job."""
    loops = {name: max(1, int(seconds / _once(job))) for name, job in jobs.items()}
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            count = loops[name]
            start = time.perf_counter()
            for _ in range(count):
                job()
            taken[name].append((time.perf_counter() - start) / count)
    return {name: statistics.median(times) for name, times in taken.items()}


def _once(job: Callable[[], object]) -> float:
    job()  # warms caches and makes what is made once
    start = time.perf_counter()
    job()
    return max(1e-9, time.perf_counter() - start)
