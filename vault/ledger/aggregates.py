"""Counts what is recorded in sum: refusals, and values tokenised, a line a second at most.

Nobody can fill the disk with them: there is one counter a principal and code (or
transformation), and where the record cannot take them they go on counting, over more
seconds. Of who is not authenticated only
refused tokens and certificates are counted here, by causes, which are a few.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from vault.audit.entry import Refusals, Tokenised, seconds, timestamp


@dataclass(slots=True)
class _Sum:
    since: int
    items: int = 0
    failed: int = 0


class Aggregates:
    """The counters of one worker, between two flushes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tokenised: dict[tuple[str, str], _Sum] = {}
        self._refused: dict[tuple[str, str], _Sum] = {}

    def tokenised(self, principal: str, transformation: str, items: int, failed: int = 0) -> None:
        counted = self._sum(self._tokenised, (principal, transformation))
        counted.items += items
        counted.failed += failed

    def refused(self, principal: str, code: str, count: int = 1) -> None:
        self._sum(self._refused, (principal, code)).items += count

    def take(self, now: float) -> list[Tokenised | Refusals]:
        """The counts since the last time, as entries; the counters start anew."""
        entries: list[Tokenised | Refusals] = [
            Tokenised(
                time=timestamp(counted.since),
                principal=principal,
                transformation=transformation,
                items=counted.items,
                failed=counted.failed,
                seconds=_span(counted.since, now),
            )
            for (principal, transformation), counted in self._tokenised.items()
        ]
        entries += [
            Refusals(
                time=timestamp(counted.since),
                principal=principal,
                code=code,
                count=counted.items,
                seconds=_span(counted.since, now),
            )
            for (principal, code), counted in self._refused.items()
        ]
        self._tokenised, self._refused = {}, {}
        return entries

    def put_back(self, entries: list[Tokenised | Refusals]) -> None:
        """The record did not take these: keep counting, from when they began."""
        for entry in entries:
            if isinstance(entry, Tokenised):
                key = (entry.principal, entry.transformation)
                counted = self._sum(self._tokenised, key)
                counted.items += entry.items
                counted.failed += entry.failed
            else:
                counted = self._sum(self._refused, (entry.principal, entry.code))
                counted.items += entry.count
            counted.since = min(counted.since, int(seconds(entry.time)))

    def _sum(self, sums: dict[tuple[str, str], _Sum], key: tuple[str, str]) -> _Sum:
        counted = sums.get(key)
        if counted is None:
            counted = sums[key] = _Sum(int(self._clock()))
        return counted


def _span(since: int, now: float) -> int:
    return max(1, ceil(now - since))
