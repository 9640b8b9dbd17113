"""When a replica that is missing, or lags, keeps writes from counting, and for how long."""

import pytest

from vault.store.redis import fence as module
from vault.store.redis.fence import ALONE, GRACE, LAGS, MISSING, SILENT, UNHEARD, Fence, Hearing


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.hearing = Hearing(heard=100.0, lasts=29.0)
        monkeypatch.setattr(module, "monotonic", lambda: self.now)

    def fence(self, expected: int) -> Fence:
        self.hearing.replicas = expected
        return Fence(self.hearing, expected)

    def hear(self) -> None:
        self.hearing.heard = self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def facts(*ports: int, lag: int = 0, state: str = "online", offset: int = 7) -> dict[str, str]:
    told = {"role": "master", "connected_slaves": str(len(ports)), "slave_repl": "x"}
    for number, port in enumerate(ports):
        told[f"slave{number}"] = f"ip=10.0.0.1,port={port},state={state},offset={offset},lag={lag}"
    return told


def test_what_all_replicas_hold_counts_whatever_sentinels_say(clock: Clock) -> None:
    fence = clock.fence(2)
    for _ in range(10):
        assert fence.trouble(facts(1, 2), held=2) == ""
        clock.now += 10


def test_one_that_is_there_has_to_hold_it(clock: Clock) -> None:
    fence = clock.fence(2)
    assert fence.trouble(facts(1, 2), held=1) == LAGS
    assert fence.trouble(facts(1, 2, lag=SILENT), held=1) == LAGS
    assert fence.trouble(facts(1, 2), held=2) == ""


def test_one_that_is_new_is_waited_for_as_soon_as_it_is_seen(clock: Clock) -> None:
    fence = clock.fence(1)
    assert fence.there == 0
    assert fence.look(facts(1)) == fence.there == 1
    assert fence.look(facts(1, 2)) == fence.there == 2
    assert fence.trouble(facts(1, 2), held=1) == LAGS


def test_one_that_loads_what_it_was_sent_is_not_waited_for(clock: Clock) -> None:
    fence = clock.fence(1)
    assert fence.trouble(facts(1), held=1) == ""
    joining = facts(1, 2)
    joining["slave1"] = joining["slave1"].replace("offset=7", "offset=0")
    assert fence.look(joining) == 1
    assert fence.trouble(joining, held=1) == ""
    assert fence.trouble(facts(1, 2), held=1) == LAGS


def test_one_that_leaves_stops_writes_until_most_sentinels_know_better(clock: Clock) -> None:
    fence = clock.fence(2)
    assert fence.trouble(facts(1, 2), held=2) == ""
    clock.now = 100 + GRACE - 0.01
    assert fence.trouble(facts(1), held=1) == MISSING
    assert fence.there == 1
    clock.now = 100 + GRACE
    assert fence.trouble(facts(1), held=1) == ALONE  # heard, but before all of them could know
    clock.hear()
    assert fence.trouble(facts(1), held=1) == ""


def test_without_one_writes_count_while_sentinels_are_heard(clock: Clock) -> None:
    """Cut off together with the primary, one has missed the sentinels before they promote."""
    fence = clock.fence(2)
    assert fence.trouble(facts(1, 2), held=2) == ""
    clock.now += GRACE
    clock.hear()
    assert fence.trouble(facts(1), held=1) == ""
    clock.now += 29.0
    assert fence.trouble(facts(1), held=1) == ""
    clock.now += 0.01
    assert fence.trouble(facts(1), held=1) == UNHEARD
    assert fence.trouble(facts(1, 2), held=2) == ""  # whoever is promoted has it
    clock.now += 1
    assert fence.trouble(facts(1), held=1) == MISSING  # it left again
    clock.now += GRACE
    clock.hear()
    assert fence.trouble(facts(1), held=1) == ""


def test_one_that_comes_back_in_time_is_not_missed(clock: Clock) -> None:
    fence = clock.fence(2)
    assert fence.trouble(facts(1, 2), held=2) == ""
    clock.now += 1
    assert fence.trouble(facts(1), held=1) == MISSING
    assert fence.trouble(facts(1, 2), held=2) == ""


@pytest.mark.parametrize("silent", [{"lag": SILENT + 1}, {"state": "wait_bgsave"}, {"offset": 0}])
def test_one_that_is_silent_is_missed_too(clock: Clock, silent: dict[str, object]) -> None:
    fence = clock.fence(1)
    assert fence.trouble(facts(1), held=1) == ""
    clock.now += 1
    assert fence.trouble(facts(1, **silent), held=1) == MISSING  # type: ignore[arg-type]


def test_one_that_was_never_seen_is_missed_from_the_beginning(clock: Clock) -> None:
    fence = clock.fence(2)
    assert fence.trouble(facts(1), held=1) == MISSING
    clock.now += GRACE
    clock.hear()
    assert fence.trouble(facts(1), held=1) == ""


def test_after_a_failover_that_was_followed_nobody_is_missed(clock: Clock) -> None:
    assert clock.fence(0).trouble(facts(1), held=1) == ""


def test_a_lag_of_less_than_nothing_is_none(clock: Clock) -> None:
    """Seen under load: Redis subtracts from a clock that it reads less often."""
    fence = clock.fence(1)
    assert fence.trouble(facts(1), held=1) == ""
    clock.now += 1
    assert fence.trouble(facts(1, lag=-1), held=1) == ""
