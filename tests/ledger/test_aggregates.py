"""Sums: what was counted comes out once, and what the record did not take is counted on."""

from tests.support.records import NOW
from vault.audit.entry import Refusals, Tokenised, timestamp
from vault.ledger.aggregates import Aggregates


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def test_each_principal_has_its_own_sum_of_each_kind() -> None:
    sums = Aggregates(Clock())
    sums.tokenised("intake", "fr-nir", 3)
    sums.tokenised("intake", "fr-nir", 4, 2)
    sums.tokenised("intake", "digits", 5)
    sums.refused("portal", "not_allowed")
    sums.refused("portal", "not_allowed", 6)
    began = timestamp(NOW)
    assert sums.take(NOW + 1) == [
        Tokenised(time=began, principal="intake", transformation="fr-nir", items=7, failed=2),
        Tokenised(time=began, principal="intake", transformation="digits", items=5, failed=0),
        Refusals(time=began, principal="portal", code="not_allowed", count=7),
    ]
    assert sums.take(NOW + 2) == []


def test_what_is_put_back_goes_on_from_when_it_began() -> None:
    clock = Clock()
    sums = Aggregates(clock)
    sums.tokenised("intake", "fr-nir", 3, 1)
    sums.refused("portal", "locked", 2)
    sums.refused("portal", "not_allowed", 5)
    taken = sums.take(clock.now + 1)
    clock.now += 2
    sums.tokenised("intake", "fr-nir", 10, 4)
    sums.refused("portal", "locked", 20)
    sums.put_back(taken)
    began = timestamp(NOW)
    assert sums.take(NOW + 2.5) == [
        Tokenised(
            time=began, principal="intake", transformation="fr-nir", items=13, failed=5, seconds=3
        ),
        Refusals(time=began, principal="portal", code="locked", count=22, seconds=3),
        Refusals(time=began, principal="portal", code="not_allowed", count=5, seconds=3),
    ]
