"""Locks that the store had lost were done again chain by chain, not in the order of their times:
who was unlocked by one worker, and then locked by another, could come out unlocked."""

from pathlib import Path

import pytest

from tests.support.ledgers import House, put_back, stored
from vault.errors import Refusal


async def test_the_last_one_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.ledger.recovery.boot_id", lambda: "another start")
    house = House(tmp_path)
    async with house.ledger() as (one, _), house.ledger() as (two, _):
        await one.lock("portal", None, "honeytoken")
        await two.lock("intake", None, "honeytoken")
        older = stored(house, "older.db")
        for name, unlocks, locks in (("portal", two, one), ("intake", one, two)):
            house.now += 1
            await unlocks.unlock(name, None)
            house.now += 1
            await locks.lock(name, None, "again")
    put_back(house, older)
    async with house.ledger() as (ledger, _):
        for name in ("portal", "intake"):
            with pytest.raises(Refusal, match="locked"):
                await house.reveal(ledger, principal=name)
