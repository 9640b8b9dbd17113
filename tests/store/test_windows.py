"""Window arithmetic: what is given back never lets an interval be overspent."""

from hypothesis import assume, given
from hypothesis import strategies as st

from vault.store.base import BUCKETS, Limit
from vault.store.windows import Window, bucket_of

NOW = 1_000
BUCKETS_SEEN = st.integers(NOW - BUCKETS - 5, NOW)
LEASES = st.tuples(BUCKETS_SEEN, st.integers(0, 3), st.integers(1, 9), st.integers(0, 9))
"""The bucket by the caller's clock, how far ahead the store's was, leased, given back."""


@given(st.lists(LEASES, max_size=12))
def test_what_is_given_back_leaves_at_least_what_was_spent_after_any_time(
    leases: list[tuple[int, int, int, int]],
) -> None:
    spent: dict[int, int] = {}
    stored: dict[int, int] = {}
    for by_caller, ahead, leased, back in leases:
        at = by_caller + ahead
        stored[at] = stored.get(at, 0) + leased
        spent[at] = spent.get(at, 0) + leased - min(back, leased)
    window = Window(NOW, stored)
    for by_caller, _, leased, back in leases:
        window.give_back(min(back, leased), by_caller)
    assert window.total == sum(window.counts.values())
    assert all(count > 0 for count in window.counts.values())
    for since in range(NOW - BUCKETS, NOW + 4):
        kept = sum(count for at, count in window.counts.items() if at >= since)
        assert kept >= sum(count for at, count in spent.items() if at >= since)


@given(st.floats(1e9, 4e9), st.sampled_from([60, 3600, 86400]))
def test_an_interval_of_the_windows_length_touches_what_is_counted(at: float, window: int) -> None:
    assert bucket_of(at + window, window) - bucket_of(at, window) <= BUCKETS


@given(
    st.dictionaries(st.integers(NOW - BUCKETS, NOW), st.integers(1, 9)),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_after_the_wait_there_is_room_and_a_second_before_there_is_not(
    counts: dict[int, int], items: int, ceiling: int
) -> None:
    limit = Limit("a", "reveal.hour", 3600, ceiling)
    now = NOW * 60.0 + 7.5

    def fits(at: float) -> bool:
        return Window(bucket_of(at, 3600), counts).total + items <= ceiling

    assume(not fits(now))
    wait = Window(NOW, counts).wait(items, limit, now)
    if items > ceiling:
        assert wait == 3600
    else:
        assert fits(now + wait)
        assert wait == 1 or not fits(now + wait - 1)
