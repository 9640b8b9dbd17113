"""When a missing replica keeps writes from counting, and for how long."""

import pytest

from vault.store.redis import fence as module
from vault.store.redis.fence import ALONE, GRACE, MISSING, SILENT, Fence


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.heard: float | None = 100.0
        """Since when most sentinels are heard to name no other primary."""
        monkeypatch.setattr(module, "monotonic", lambda: self.now)

    def fence(self, expected: int) -> Fence:
        return Fence(lambda: self.heard, expected)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def facts(*ports: int, lag: int = 0, state: str = "online") -> dict[str, str]:
    told = {"role": "master", "connected_slaves": str(len(ports)), "slave_repl": "x"}
    for number, port in enumerate(ports):
        told[f"slave{number}"] = f"ip=10.0.0.1,port={port},state={state},offset=7,lag={lag}"
    return told


def test_with_all_replicas_there_sentinels_are_not_asked(clock: Clock) -> None:
    clock.heard = None
    fence = clock.fence(2)
    for _ in range(10):
        assert fence.trouble(facts(1, 2)) == ""
        clock.now += 10


def test_one_that_leaves_stops_writes_until_most_sentinels_know_better(clock: Clock) -> None:
    fence = clock.fence(2)
    assert fence.trouble(facts(1, 2)) == ""
    clock.now = 100 + GRACE - 0.01
    assert fence.trouble(facts(1)) == MISSING
    clock.now = 100 + GRACE
    assert fence.trouble(facts(1)) == ALONE  # heard, but before all of them could know
    clock.heard = None
    assert fence.trouble(facts(1)) == ALONE
    clock.heard = clock.now
    assert fence.trouble(facts(1)) == ""
    clock.heard = None
    assert fence.trouble(facts(1)) == ""  # that one is known


def test_one_that_comes_back_in_time_is_not_missed(clock: Clock) -> None:
    fence = clock.fence(2)
    assert fence.trouble(facts(1, 2)) == ""
    clock.now += 1
    assert fence.trouble(facts(1)) == MISSING
    assert fence.trouble(facts(1, 2)) == ""


@pytest.mark.parametrize("silent", [{"lag": SILENT + 1}, {"state": "wait_bgsave"}])
def test_one_that_is_silent_is_missed_too(clock: Clock, silent: dict[str, object]) -> None:
    fence = clock.fence(1)
    assert fence.trouble(facts(1)) == ""
    clock.now += 1
    assert fence.trouble(facts(1, **silent)) == MISSING  # type: ignore[arg-type]


def test_one_that_was_never_seen_is_missed_from_the_beginning(clock: Clock) -> None:
    fence = clock.fence(2)
    assert fence.trouble(facts(1)) == MISSING
    clock.now += GRACE
    clock.heard = clock.now
    assert fence.trouble(facts(1)) == ""


def test_after_a_failover_that_was_followed_nobody_is_missed(clock: Clock) -> None:
    assert clock.fence(0).trouble(facts(1)) == ""


def test_a_lag_of_less_than_nothing_is_none(clock: Clock) -> None:
    """Seen under load: Redis subtracts from a clock that it reads less often."""
    fence = clock.fence(1)
    assert fence.trouble(facts(1)) == ""
    clock.now += 1
    assert fence.trouble(facts(1, lag=-1)) == ""
