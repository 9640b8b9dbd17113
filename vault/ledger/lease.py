"""Tokenise's budgets: shares leased from the store and spent without asking it each time.

A share is charged in full when it is leased, so no number of workers can overspend. It is
valid only until the end of the bucket it was charged to, by the store's time, however far this
machine's clock is from that or jumps: counted windows then stay exact, as if each value had been
charged when it was spent. What is left is given back. Shares follow the pace of spending and are
filled up beside it, so that tokenising does not notice a store that is slow, or away for a while.
Where the store grants less than was asked the limit is near: from then on only what is needed is
leased, so that all of a limit is usable.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from vault.errors import Refusal
from vault.ledger.locks import Locks
from vault.store.base import BUCKETS, Charge, Lease, Limit, Store

AHEAD_SECONDS = 30.0
"""A share is what lately would have been spent in this time ..."""
LARGEST = 128
"""... and at most this part of the smallest ceiling."""
RETRY_SECONDS = 0.5
"""After the store did not fill up a share, it is asked again."""
IDLE_SECONDS = 10.0
"""A share that nobody spends from is given back after this long."""

Limits = tuple[Limit, ...]


@dataclass(slots=True)
class _Share:
    principal: str
    limits: Limits
    left: int = 0
    low: int = 0
    """With less than this left it is filled up."""
    began: float = 0.0
    """When it was leased, by this machine's clock; a clock that says less was set back."""
    ends: float = 0.0
    """Not valid from here on: the end of the bucket."""
    ends_running: float = 0.0
    """The same by the clock that only runs on."""
    leased_at: float = 0.0
    """By the store's time."""
    used_at: float = 0.0
    retry_at: float = 0.0
    spent: int = 0
    """Since the last lease."""
    tight: bool = False
    """The limit is near: lease no more than is needed."""
    back: list[tuple[int, float]] = field(default_factory=list)
    """What is to be given back, and when it was leased."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    filling: "asyncio.Task[None] | None" = None

    def valid(self, now: float, running: float) -> bool:
        return self.began <= now < self.ends and running < self.ends_running

    def withdraw(self) -> None:
        if self.left:
            self.back.append((self.left, self.leased_at))
            self.left = 0


class Leases:
    """The shares of one worker."""

    def __init__(
        self,
        store: Store,
        locks: Locks,
        clock: Callable[[], float],
        running: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._locks = locks
        self._clock = clock
        self._running = running
        self._shares: dict[Limits, _Share] = {}

    def spend_now(self, limits: Limits, items: int) -> bool:
        """Spend from the share in hand; False where it does not suffice."""
        share = self._shares.get(limits)
        if share is None or share.left < items:
            return not limits
        now = self._clock()
        if not share.valid(now, self._running()):
            return False
        share.left -= items
        share.spent += items
        if share.left < share.low and share.filling is None and now >= share.retry_at:
            share.filling = asyncio.create_task(self._fill_up(share), name="lease")
        return True

    def in_hand(self, limits: Limits) -> int:
        """How much could be spent without asking the store."""
        share = self._shares.get(limits)
        if share is None or not share.valid(self._clock(), self._running()):
            return 0
        return share.left

    @property
    def all_in_hand(self) -> int:
        """How much is leased and not spent, over all limits."""
        return sum(map(self.in_hand, self._shares))

    @property
    def any_in_hand(self) -> bool:
        return any(self.in_hand(limits) for limits in self._shares)

    async def spend(self, charge: Charge) -> None:
        """Spend the items, leasing where the share in hand does not suffice.

        Raises Refusal: locked, budget_exhausted, or store_unavailable with the store away.
        """
        limits, items = charge.limits, charge.items
        if self.spend_now(limits, items):
            return
        share = self._shares.get(limits)
        if share is None:
            share = self._shares[limits] = _Share(charge.principal, limits)
        async with share.turn:
            if self.spend_now(limits, items):
                return
            now = self._clock()
            self._expire(share, now)
            await self._give_back(share)
            await self._lease(share, charge, now)

    async def give_back_idle(self) -> None:
        """Return what nobody uses, or may not use any more.

        Raises Refusal (store_unavailable), and tries again later.
        """
        now = self._clock()
        for share in list(self._shares.values()):
            if share.turn.locked():
                continue
            if share.spent:
                share.used_at, share.spent = now, 0
            self._expire(share, now)
            idle = now - max(share.used_at, share.began) >= IDLE_SECONDS
            if idle or self._locks.whole(share.principal):
                share.withdraw()
                if not share.back:
                    del self._shares[share.limits]
                    continue
            async with share.turn:
                await self._give_back(share)

    async def close(self) -> None:
        """Return everything; raises Refusal (store_unavailable) with the store away."""
        for share in list(self._shares.values()):
            async with share.turn:
                share.withdraw()
                await self._give_back(share)

    async def _lease(self, share: _Share, charge: Charge, now: float) -> None:
        # Taken out before the store is asked, so that nobody spends it meanwhile.
        in_hand, share.left = share.left, 0
        need = charge.items - in_hand
        ask = need if share.tight else max(need, self._pace(share, now))
        asked = now, self._running()
        try:
            lease = await self._store.lease(replace(charge, items=need), ask, now)
        except BaseException:
            share.left = in_hand
            raise
        self._take(share, lease, ask, asked)
        share.left -= need
        share.spent = charge.items

    async def _fill_up(self, share: _Share) -> None:
        """Beside the spending: a store that is slow or away is not felt while there is some."""
        try:
            async with share.turn:
                now = self._clock()
                ask = self._pace(share, now) - share.left
                if share.tight or ask <= 0:
                    share.low = 0
                    return
                charge = Charge(share.principal, None, 1, share.limits)
                asked = now, self._running()
                self._take(share, await self._store.lease(charge, ask, now), ask, asked)
                share.spent = 0
        except BaseException as error:
            share.retry_at = self._clock() + RETRY_SECONDS
            if not isinstance(error, Refusal):
                raise
            share.tight = error.code == "budget_exhausted"
        finally:
            share.filling = None

    def _take(self, share: _Share, lease: Lease, ask: int, asked: tuple[float, float]) -> None:
        """`asked`: when, by both clocks. What is left of an earlier bucket goes back."""
        lasts = bucket_end(share.limits, lease.at) - lease.at
        if bucket_end(share.limits, share.leased_at) != bucket_end(share.limits, lease.at):
            share.withdraw()
            share.tight = False
        share.began, share.ends, share.ends_running = asked[0], asked[0] + lasts, asked[1] + lasts
        share.leased_at = lease.at
        share.tight |= lease.items < ask
        share.left += lease.items
        share.low = share.left // 2

    def _expire(self, share: _Share, now: float) -> None:
        if not share.valid(now, self._running()):
            share.withdraw()

    def _pace(self, share: _Share, now: float) -> int:
        elapsed = max(now - max(share.began, share.used_at), 0.001)
        smallest = min(limit.ceiling for limit in share.limits)
        return min(int(share.spent / elapsed * AHEAD_SECONDS), smallest // LARGEST)

    async def _give_back(self, share: _Share) -> None:
        while share.back:
            # Once only: where the answer is lost it may have been given back, and given twice
            # it would be other people's.
            items, leased_at = share.back.pop()
            await self._store.give_back(share.limits, items, leased_at)


def bucket_end(limits: Limits, now: float) -> float:
    """When the bucket that is being filled ends, of the shortest of the windows."""
    width = min(limit.window for limit in limits) / BUCKETS
    return (now // width + 1) * width
