"""Leased shares: no store call in the common case, never one too many, all of a limit usable."""

import asyncio
import contextlib
from typing import Any

import pytest

from tests.support.leases import Clock, Counted, limits, made, one_by_one, spend
from vault.config import HOUR
from vault.errors import Refusal
from vault.ledger.lease import IDLE_SECONDS, RETRY_SECONDS, Leases, bucket_end
from vault.ledger.locks import Locks
from vault.store.base import Limit


@pytest.fixture
def leases(store: Counted, clock: Clock) -> Leases:
    return made(store, clock)


async def spend_all(leases: Leases, limits: tuple[Limit, ...], items: int = 1) -> int:
    spent = 0
    with contextlib.suppress(Exhausted):
        while True:
            await _spend(leases, limits, items)
            spent += items
    return spent


class Exhausted(Exception):
    pass


async def _spend(leases: Leases, limits: tuple[Limit, ...], items: int) -> None:
    try:
        await spend(leases, limits, items)
    except Refusal as refusal:
        raise (Exhausted if refusal.code == "budget_exhausted" else refusal) from refusal


async def test_all_of_a_limit_is_usable_and_no_more(leases: Leases, clock: Clock) -> None:
    assert await spend_all(leases, limits(5_000)) == 5_000
    clock.now += 30
    assert await spend_all(leases, limits(5_000)) == 0


async def test_busy_callers_seldom_ask_the_store(
    leases: Leases, store: Counted, clock: Clock
) -> None:
    wide = limits(1_000_000)
    for _ in range(20_000):
        await spend(leases, wide, 1)
        clock.now += 0.0001
    assert store.asked < 100


async def test_the_share_in_hand_is_spent_without_waiting(leases: Leases, clock: Clock) -> None:
    wide = limits(1_000_000)
    assert not leases.spend_now(wide, 1)
    for _ in range(10):
        await spend(leases, wide, 1)
    assert leases.spend_now(wide, 1)
    assert not leases.spend_now(wide, 1_000_000)
    clock.now = bucket_end(wide, clock.now)
    assert not leases.spend_now(wide, 1)


def test_nothing_limits_what_has_no_limits(leases: Leases) -> None:
    assert leases.spend_now((), 10**9)


async def test_concurrent_spenders_share_exactly(leases: Leases) -> None:
    few = limits(1_000)
    answers = await asyncio.gather(
        *(spend(leases, few, 1 + n % 4) for n in range(1_000)), return_exceptions=True
    )
    spent = sum(1 + n % 4 for n, answer in enumerate(answers) if answer is None)
    assert spent + await spend_all(leases, few) == 1_000


async def test_two_workers_never_spend_more_than_the_limit(store: Counted, clock: Clock) -> None:
    few = limits(3_000)
    busy, other = (made(store, clock) for _ in range(2))
    spent = 0
    for _ in range(40):
        await spend(other, few, 1)
        spent += 1
    spent += await spend_all(busy, few)
    assert spent <= 3_000
    assert 3_000 - spent <= 3_000 // 128
    await other.give_back_idle()
    clock.now += IDLE_SECONDS
    await other.give_back_idle()
    assert spent + await spend_all(busy, few) == 3_000


async def test_no_window_holds_more_however_late_a_share_is_spent(
    leases: Leases, clock: Clock
) -> None:
    """A share leased early in a window and spent late must not stretch it."""
    few = limits(640)
    spent: list[tuple[float, int]] = []
    for _ in range(2 * HOUR // 7):
        clock.now += 7
        try:
            await spend(leases, few, 2)
        except Refusal:
            continue
        spent.append((clock.now, 2))
    assert sum(items for _, items in spent) > 640
    for start, _ in spent:
        assert sum(n for at, n in spent if start <= at < start + HOUR) <= 640


async def test_idle_shares_are_given_back(leases: Leases, store: Counted, clock: Clock) -> None:
    few = limits(12_800)
    await one_by_one(leases, few, clock, 200)
    clock.now += IDLE_SECONDS
    await leases.give_back_idle()
    await leases.give_back_idle()
    await leases.give_back_idle()
    clock.now += IDLE_SECONDS
    await leases.give_back_idle()
    assert await spend_all(made(store, clock), few, 12_600) == 12_600


async def test_a_share_of_who_is_locked_is_given_back(
    leases: Leases, store: Counted, clock: Clock
) -> None:
    few = limits(12_800)
    await one_by_one(leases, few, clock, 50)
    assert leases.in_hand(few) > 0
    await store.inner.lock("intake", None, "a drill")
    await leases._locks.read()
    with pytest.raises(Refusal, match="locked"):
        await spend(leases, few, 1_000)
    await leases.give_back_idle()
    assert leases.in_hand(few) == 0
    await store.inner.unlock("intake", None)
    assert await spend_all(made(store, clock), few, 12_750) == 12_750


async def test_the_store_refuses_an_end_user_who_is_locked(leases: Leases, store: Counted) -> None:
    few = limits(12_800)
    await store.inner.lock("intake", "u1", "a drill")
    with pytest.raises(Refusal, match="locked"):
        await spend(leases, few, 1, end_user="u1")
    await spend(leases, few, 1, end_user="u2")


async def test_closing_gives_everything_back(leases: Leases, store: Counted, clock: Clock) -> None:
    few = limits(12_800)
    await one_by_one(leases, few, clock, 200)
    await leases.close()
    assert await spend_all(made(store, clock), few, 12_600) == 12_600


async def test_with_the_store_away_only_what_is_leased_is_spent(
    leases: Leases, store: Counted, clock: Clock
) -> None:
    few = limits(12_800)
    await one_by_one(leases, few, clock, 50)
    store.away = True
    in_hand = leases.in_hand(few)
    assert leases.any_in_hand
    assert 1 < in_hand <= 100
    with pytest.raises(Refusal, match="store_unavailable"):
        await spend(leases, few, in_hand + 1)
    await spend(leases, few, in_hand - 1)
    clock.now += 60
    assert not leases.any_in_hand
    with pytest.raises(Refusal, match="store_unavailable"):
        await leases.give_back_idle()
    store.away = False
    await leases.give_back_idle()
    # The one that was left may have been given back, for all that is known: it is not tried
    # again, or somebody else's would be given back with it.
    assert 50 + in_hand + await spend_all(leases, few) == 12_800


async def test_what_is_given_back_with_its_answer_lost_is_not_given_back_twice(
    leases: Leases, store: Counted, clock: Clock
) -> None:
    few = limits(12_800)
    await one_by_one(leases, few, clock, 200)
    in_hand, give_back = leases.in_hand(few), store.inner.give_back
    assert in_hand > 0

    async def lose_the_answer(*arguments: Any) -> None:
        await give_back(*arguments)
        raise Refusal("store_unavailable", "the answer was lost", 1)

    store.inner.give_back = lose_the_answer  # type: ignore[method-assign]
    with pytest.raises(Refusal, match="the answer was lost"):
        await leases.close()
    store.inner.give_back = give_back  # type: ignore[method-assign]
    await leases.close()
    assert await spend_all(made(store, clock), few, 12_600) == 12_600
    assert await spend_all(made(store, clock), few) == 0


async def test_a_share_is_filled_up_beside_the_spending(
    leases: Leases, store: Counted, clock: Clock
) -> None:
    """Nobody waits for a store that is slow, and one that is away is asked again in a while."""
    wide = limits(1_000_000)
    for _ in range(200):
        await spend(leases, wide, 1)
        clock.now += 0.001
        await asyncio.sleep(0)
    share = leases._shares[wide]
    store.away, asked = True, store.asked
    in_hand = share.left
    for _ in range(in_hand - share.low + 10):
        assert leases.spend_now(wide, 1)
        await asyncio.sleep(0)
    assert store.asked == asked + 1
    store.away = False
    clock.now += RETRY_SECONDS
    before = share.left
    assert leases.spend_now(wide, 1)
    await share.filling
    assert share.left > before


async def test_whatever_kept_a_share_from_being_filled_up_it_is_tried_again_in_a_while(
    leases: Leases, store: Counted, clock: Clock
) -> None:
    """Not at each value that is spent meanwhile."""
    wide = limits(1_000_000)
    await one_by_one(leases, wide, clock, 200)
    share = leases._shares[wide]
    store.error, asked = ValueError("a bug"), store.asked
    failed = []
    for _ in range(share.left - share.low + 10):
        assert leases.spend_now(wide, 1)
        if share.filling is not None:
            failed += await asyncio.gather(share.filling, return_exceptions=True)
    assert (failed, store.asked) == ([store.error], asked + 1)
    clock.now += RETRY_SECONDS
    store.error = None
    assert leases.spend_now(wide, 1)
    assert share.filling is not None
    await share.filling
    assert store.asked == asked + 2


async def test_a_clock_that_jumps_makes_no_share_last_longer(store: Counted) -> None:
    wall, running = Clock(), Clock()
    leases = Leases(store, Locks(store.inner), wall, running)  # type: ignore[arg-type]
    wide = limits(1_000_000)
    for _ in range(50):
        await spend(leases, wide, 1)
        wall.now, running.now = wall.now + 0.001, running.now + 0.001
    assert leases.spend_now(wide, 1)
    now = wall.now
    wall.now = now - 3_600
    assert not leases.spend_now(wide, 1), "set back: it does not know when its minute ends"
    wall.now = now
    running.now += 60
    assert not leases.spend_now(wide, 1), "it stood still, and time did not"
