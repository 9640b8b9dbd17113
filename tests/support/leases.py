"""Leases over the embedded store, with clocks that tests set and a store that can be away."""

import asyncio

from vault.config import DAY, HOUR
from vault.errors import Refusal
from vault.ledger.lease import Leases
from vault.ledger.locks import Locks
from vault.store.base import Charge, Lease, Limit
from vault.store.sqlite import SqliteStore

START = 1_800_000_000.0  # a bucket begins here


def limits(ceiling: int, scope: str = "intake") -> tuple[Limit, ...]:
    return (
        Limit(scope, "tokenise.hour", HOUR, ceiling),
        Limit(scope, "tokenise.day", DAY, ceiling * 5),
    )


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class Counted:
    """A store that counts how often it is asked, and can be away."""

    def __init__(self, store: SqliteStore) -> None:
        self.inner = store
        self.asked = 0
        self.away = False
        self.error: Exception | None = None

    async def lease(self, charge: Charge, share: int, now: float) -> Lease:
        self._count()
        await asyncio.sleep(0)
        return await self.inner.lease(charge, share, now)

    async def give_back(self, limits: tuple[Limit, ...], items: int, leased_at: float) -> None:
        self._count()
        await self.inner.give_back(limits, items, leased_at)

    def _count(self) -> None:
        self.asked += 1
        if self.away:
            raise Refusal("store_unavailable", "away", 1)
        if self.error is not None:
            raise self.error


def made(store: Counted, clock: Clock) -> Leases:
    running = lambda: clock.now - START + 7  # noqa: E731 - as monotonic clocks, from anywhere
    return Leases(store, Locks(store.inner), clock, running)  # type: ignore[arg-type]


async def spend(
    leases: Leases, limits: tuple[Limit, ...], items: int, end_user: str | None = None
) -> None:
    await leases.spend(Charge("intake", end_user, items, limits))


async def one_by_one(leases: Leases, limits: tuple[Limit, ...], clock: Clock, times: int) -> None:
    """A thousand a second."""
    for _ in range(times):
        await spend(leases, limits, 1)
        clock.now += 0.001
