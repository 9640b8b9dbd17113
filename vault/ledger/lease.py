"""Tokenise's budgets: shares leased from the store and spent without asking it each time.

A share is charged in full when it is leased, so no number of workers can overspend. It is
valid only until the end of the bucket it was charged to: counted windows then stay exact, as
if each value had been charged when it was spent. What is left is given back. Shares follow
the pace of spending, and where the store grants less than was asked the limit is near: from
then on only what is needed is leased, so that all of a limit is usable.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from vault.ledger.locks import Locks
from vault.store.base import BUCKETS, Charge, Limit, Store

AHEAD_SECONDS = 0.5
"""A share is what was lately spent in this time ..."""
LARGEST = 128
"""... and at most this part of the smallest ceiling."""
IDLE_SECONDS = 10.0
"""A share that nobody spends from is given back after this long."""

Limits = tuple[Limit, ...]


@dataclass(slots=True)
class _Share:
    principal: str
    limits: Limits
    left: int = 0
    ends: float = 0.0
    """Not valid from here on: the end of the bucket."""
    leased_at: float = 0.0
    used_at: float = 0.0
    spent: int = 0
    """Since the last lease."""
    tight: bool = False
    """The limit is near: lease no more than is needed."""
    back: list[tuple[int, float]] = field(default_factory=list)
    """What is to be given back, and when it was leased."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def expire(self, now: float) -> None:
        if now >= self.ends and self.left:
            self.withdraw()

    def withdraw(self) -> None:
        if self.left:
            self.back.append((self.left, self.leased_at))
            self.left = 0


class Leases:
    """The shares of one worker."""

    def __init__(self, store: Store, locks: Locks, clock: Callable[[], float]) -> None:
        self._store = store
        self._locks = locks
        self._clock = clock
        self._shares: dict[Limits, _Share] = {}

    def spend_now(self, limits: Limits, items: int) -> bool:
        """Spend from the share in hand; False where it does not suffice."""
        share = self._shares.get(limits)
        if share is None or share.left < items or self._clock() >= share.ends:
            return not limits
        share.left -= items
        share.spent += items
        return True

    def in_hand(self, limits: Limits) -> int:
        """How much could be spent without asking the store."""
        share = self._shares.get(limits)
        return share.left if share is not None and self._clock() < share.ends else 0

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
            share.expire(now)
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
            share.expire(now)
            idle = now - max(share.used_at, share.leased_at) >= IDLE_SECONDS
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
        try:
            granted = await self._store.lease(replace(charge, items=need), ask, now)
        except BaseException:
            share.left += in_hand
            raise
        ends = bucket_end(share.limits, now)
        share.tight = granted < ask or (share.tight and ends == share.ends)
        share.ends, share.leased_at = ends, now
        share.left += granted - need
        share.spent = charge.items

    def _pace(self, share: _Share, now: float) -> int:
        elapsed = max(now - max(share.leased_at, share.used_at), 0.001)
        smallest = min(limit.ceiling for limit in share.limits)
        return min(int(share.spent / elapsed * AHEAD_SECONDS), smallest // LARGEST)

    async def _give_back(self, share: _Share) -> None:
        while share.back:
            items, leased_at = share.back[-1]
            await self._store.give_back(share.limits, items, leased_at)
            share.back.pop()


def bucket_end(limits: Limits, now: float) -> float:
    """When the bucket that is being filled ends, of the shortest of the windows."""
    width = min(limit.window for limit in limits) / BUCKETS
    return (now // width + 1) * width
