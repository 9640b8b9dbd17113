"""How many sentinels have to be heard, and how long that lasts."""

import pytest

from vault.store.redis.sentinel import enough, lasts


@pytest.mark.parametrize(
    ("named", "others", "quorum", "needed"),
    [
        (3, 2, 2, 2),
        (3, 2, 1, 3),  # any one of them calls it down, and the rest elect with it
        (3, 2, 3, 2),
        (5, 4, 2, 4),
        (5, 4, 3, 3),
        (1, 2, 2, 2),  # the URL names one of three
        (3, 0, 2, 2),  # they have not met
        (1, 0, 1, 1),
    ],
)
def test_the_others_can_neither_call_it_down_nor_elect(
    named: int, others: int, quorum: int, needed: int
) -> None:
    facts = {b"num-other-sentinels": b"%d" % others, b"quorum": b"%d" % quorum}
    assert enough(named, facts) == needed
    everyone = max(named, others + 1)
    assert everyone - needed < quorum
    assert everyone - needed <= everyone / 2


@pytest.mark.parametrize(
    ("down_after", "seconds"), [(30_000, 29.0), (5_000, 4.0), (2_000, 1.0), (1_000, 0.5)]
)
def test_what_is_heard_may_be_a_second_old(down_after: int, seconds: float) -> None:
    assert lasts({b"down-after-milliseconds": b"%d" % down_after}) == seconds
