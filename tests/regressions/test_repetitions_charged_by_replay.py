"""The repetitions of a request were charged, each of them, when the store's charges were counted
again from the record, though only the first had been."""

from pathlib import Path

import pytest

from tests.support.ledgers import House, put_back, stored
from vault.audit.entry import Disclosure
from vault.errors import Refusal


async def test_they_are_charged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.ledger.recovery.boot_id", lambda: "another start")
    house = House(tmp_path, reveals=10)
    async with house.ledger() as (ledger, _):
        older = stored(house, "older.db")
        for _ in range(5):
            await house.reveal(ledger, "the same", items=6)
    assert [entry.duplicate for entry in house.recorded(Disclosure)] == [False] + [True] * 4
    put_back(house, older)
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger, items=4)
        with pytest.raises(Refusal, match="budget_exhausted"):
            await house.reveal(ledger)
