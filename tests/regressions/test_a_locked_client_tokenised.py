"""A locked client went on tokenising: a share in hand asked nobody, and a lease did not look at
locks. Who holds a stolen credential could go on building a table of tokens."""

from pathlib import Path

import pytest

from tests.support.ledgers import House
from vault.errors import Refusal
from vault.store.base import Charge, Limit

LIMITS = (Limit("intake", "tokenise.hour", 3_600, 1_000_000),)


async def test_no_share_and_no_lease_for_who_is_locked(tmp_path: Path) -> None:
    house = House(tmp_path)
    charge = Charge("intake", None, 1, LIMITS)
    async with house.ledger() as (locks, _), house.ledger() as (ledger, _):
        for _ in range(20):
            await ledger.spend(charge)
            house.now += 0.001
        await locks.lock("intake", None, "a drill")
        with pytest.raises(Refusal, match="locked"):
            await ledger.spend(Charge("intake", None, 100_000, LIMITS))
        await ledger.maintenance.tick()
        with pytest.raises(Refusal, match="locked"):
            ledger.check_lock("intake", None)
        assert not ledger.spend_now(LIMITS, 1), "what was in hand was given back"
