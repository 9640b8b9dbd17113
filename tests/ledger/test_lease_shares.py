"""One share's life: leased, spent to the last, filled up, given back, and never of two buckets."""

import asyncio

import pytest

from tests.support.leases import START, Clock, Counted, limits, made, one_by_one, spend
from vault.config import HOUR
from vault.errors import Refusal
from vault.ledger.lease import IDLE_SECONDS, RETRY_SECONDS, Leases, bucket_end
from vault.ledger.locks import Locks
from vault.store.base import BUCKETS, Limit


async def warm(leases: Leases, few: tuple[Limit, ...], clock: Clock, times: int = 50) -> int:
    """Spend one by one until there is a share in hand; how much of it is left."""
    await one_by_one(leases, few, clock, times)
    await settled(leases, few)
    assert leases.in_hand(few) > 2
    return leases.in_hand(few)


async def settled(leases: Leases, few: tuple[Limit, ...]) -> None:
    filling = leases._shares[few].filling
    if filling is not None:
        await filling


@pytest.mark.parametrize("into", [0, 1, 59.999])
def test_a_bucket_ends_when_the_next_begins(into: float) -> None:
    assert bucket_end(limits(5), START + into) == START + HOUR / BUCKETS


async def test_a_share_is_spent_to_its_last(store: Counted, clock: Clock) -> None:
    leases, few = made(store, clock), limits(12_800)
    in_hand = await warm(leases, few, clock)
    store.away = True
    assert not leases.spend_now(few, in_hand + 1)
    assert leases.spend_now(few, in_hand)
    assert leases.in_hand(few) == 0


@pytest.mark.parametrize(("wall", "running"), [(60, 0), (0, 60)])
async def test_it_ends_with_its_bucket_by_either_clock(
    store: Counted, wall: float, running: float
) -> None:
    one, other = Clock(), Clock()
    leases = Leases(store, Locks(store.inner), one, other)  # type: ignore[arg-type]
    wide = limits(1_000_000)
    for _ in range(50):
        await spend(leases, wide, 1)
        await asyncio.sleep(0)
    await settled(leases, wide)
    assert leases.any_in_hand
    one.now, other.now = START + wall, START + running
    assert not leases.any_in_hand
    one.now, other.now = START + wall * 0.99, START + running * 0.99
    assert leases.any_in_hand


async def test_only_what_is_lacking_is_leased(store: Counted, clock: Clock) -> None:
    """Near the limit what is in hand and what the store has left go together."""
    leases, other, few = made(store, clock), made(store, clock), limits(1_280)
    in_hand = await warm(leases, few, clock)
    left = 1_280 - 50 - in_hand
    await spend(other, few, left - 3)
    await spend(leases, few, in_hand + 3)
    with pytest.raises(Refusal, match="budget_exhausted"):
        await spend(leases, few, 1)


async def test_near_its_limit_a_worker_takes_no_more_than_it_spends(
    store: Counted, clock: Clock
) -> None:
    leases, other, few = made(store, clock), made(store, clock), limits(1_280)
    await warm(leases, few, clock)
    await spend(other, few, 1_000)
    for _ in range(1_280 - 1_000 - 50):
        await spend(leases, few, 1)
        await settled(leases, few)
    with pytest.raises(Refusal, match="budget_exhausted"):
        await spend(leases, few, 1)
    await store.inner.give_back(few, 500, clock.now)
    await spend(leases, few, 1)
    await settled(leases, few)
    assert leases.in_hand(few) == 0
    asked = store.asked
    await spend(other, few, 499)  # all the rest is there for others
    assert store.asked > asked


async def test_filling_up_adds_to_what_is_left_in_the_same_bucket(
    store: Counted, clock: Clock
) -> None:
    leases, wide = made(store, clock), limits(1_000_000)
    await warm(leases, wide, clock, 300)
    share = leases._shares[wide]
    assert share.low == 1_000_000 // 128 // 2
    assert leases.spend_now(wide, share.left - share.low)
    assert share.filling is None
    assert leases.spend_now(wide, 1)
    left = share.left
    assert share.filling is not None
    await share.filling
    assert leases.in_hand(wide) > left
    assert share.spent == 0
    assert not share.back


@pytest.mark.parametrize(("lacking", "asks"), [(0, 0), (1, 1)])
async def test_a_share_that_keeps_pace_is_not_filled_up(
    store: Counted, clock: Clock, lacking: int, asks: int
) -> None:
    leases, few = made(store, clock), limits(1_280)
    await warm(leases, few, clock, 300)
    share = leases._shares[few]
    share.left, share.low, asked = 10 - lacking + 1, 11, store.asked  # its pace asks for ten
    assert leases.spend_now(few, 1)
    await settled(leases, few)
    assert store.asked == asked + asks
    assert share.low == (5 if lacking else 0)


async def test_the_last_one_there_is_fills_up_a_share(store: Counted, clock: Clock) -> None:
    leases, other, few = made(store, clock), made(store, clock), limits(1_280)
    in_hand = await warm(leases, few, clock)
    await spend(other, few, 1_280 - 50 - in_hand - 1)
    await other.close()
    share = leases._shares[few]
    assert leases.spend_now(few, share.left - share.low + 1)
    left = share.left
    await settled(leases, few)
    assert share.left == left + 1
    assert share.tight


async def test_the_pace_is_that_of_a_moment_too(store: Counted, clock: Clock) -> None:
    leases, wide = made(store, clock), limits(1_000_000)
    await warm(leases, wide, clock, 50)  # within a twentieth of a second
    assert leases.in_hand(wide) > 5_000


async def test_near_its_limit_it_stays_careful_until_the_next_bucket(
    store: Counted, clock: Clock
) -> None:
    leases, other, few = made(store, clock), made(store, clock), limits(1_280)
    in_hand = await warm(leases, few, clock)
    await spend(other, few, 1_280 - 50 - in_hand - 1)
    await spend(leases, few, in_hand + 1)
    share = leases._shares[few]
    share.tight = True
    await store.inner.give_back(few, 500, clock.now)
    for _ in range(3):
        await spend(leases, few, 1)
        assert share.tight
        assert leases.in_hand(few) == 0


async def test_what_is_left_of_an_earlier_bucket_goes_back(store: Counted, clock: Clock) -> None:
    leases, few = made(store, clock), limits(12_800)
    await warm(leases, few, clock)
    clock.now = START + 61
    await spend(leases, few, 1)
    await leases.close()
    await spend(made(store, clock), few, 12_800 - 51)


async def test_nobody_who_is_locked_is_filled_up(store: Counted, clock: Clock) -> None:
    leases, wide = made(store, clock), limits(1_000_000)
    await warm(leases, wide, clock, 300)
    await store.inner.lock("intake", None, "a drill")
    share = leases._shares[wide]
    spent = share.left - share.low + 1
    left = share.left - spent
    for _ in range(spent):
        assert leases.spend_now(wide, 1)
    await settled(leases, wide)
    assert share.left == left


async def test_a_share_that_the_store_will_not_fill_is_asked_for_once(
    store: Counted, clock: Clock
) -> None:
    """With the budget gone, what is left is spent without asking again and again."""
    leases, other, few = made(store, clock), made(store, clock), limits(12_800)
    in_hand = await warm(leases, few, clock, 300)
    await spend(other, few, 12_800 - 300 - in_hand)
    asked = store.asked
    while leases.in_hand(few) > 1:
        assert leases.spend_now(few, 1)
        await settled(leases, few)
        clock.now += RETRY_SECONDS
        if clock.now > START + 55:
            break
    assert store.asked == asked + 1


async def test_what_is_in_use_is_not_given_back_and_what_is_idle_is(
    store: Counted, clock: Clock
) -> None:
    leases, busy, idle = made(store, clock), limits(12_800), limits(12_800, "other")
    await warm(leases, idle, clock)
    await warm(leases, busy, clock)
    await leases.give_back_idle()
    assert leases.in_hand(busy) > 0
    assert leases.in_hand(idle) > 0
    clock.now += IDLE_SECONDS - 1
    assert leases.spend_now(busy, 1)
    await settled(leases, busy)
    await leases.give_back_idle()
    clock.now += 1
    for _ in range(2):
        await leases.give_back_idle()
    assert leases.in_hand(busy) > 0
    assert set(leases._shares) == {busy}
    await spend(made(store, clock), idle, 12_750)


async def test_one_that_is_being_leased_holds_up_no_other(store: Counted, clock: Clock) -> None:
    leases = made(store, clock)
    several = [limits(12_800, scope) for scope in ("a", "b", "c")]
    for few in several:
        await warm(leases, few, clock)
    clock.now += 2 * IDLE_SECONDS
    await leases.give_back_idle()  # notes when they were used
    clock.now += 2 * IDLE_SECONDS
    async with leases._shares[several[0]].turn:
        await leases.give_back_idle()
        await leases.give_back_idle()
    assert set(leases._shares) == {several[0]}
