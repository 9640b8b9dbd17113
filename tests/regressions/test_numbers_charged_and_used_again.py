"""Where the record failed after the charge, the store's mark went on saying that its numbers were
charged. They were used again for other reveals, and those were not counted after a crash."""

import asyncio
from pathlib import Path

import pytest

from tests.support.ledgers import House, failing, put_back, stored
from vault.audit.entry import Event


@pytest.mark.parametrize("lost", ["before the record was mended", "after"])
async def test_the_store_gets_all_of_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setattr("vault.ledger.recovery.boot_id", lambda: "another start")
    house = House(tmp_path)
    async with house.ledger() as (ledger, _):
        mend = failing(monkeypatch)
        refused = await asyncio.gather(
            *(house.reveal(ledger) for _ in range(20)), return_exceptions=True
        )
        assert all(isinstance(each, Exception) for each in refused)
        older = {"before the record was mended": stored(house, "before.db")}
        mend()
        await ledger.maintenance.tick()
        older["after"] = stored(house, "after.db")
        for _ in range(9):
            await house.reveal(ledger)
    put_back(house, older[lost])  # as a power cut leaves it: without its last commits
    async with house.ledger():
        pass
    replayed = [event.detail for event in house.recorded(Event) if event.name == "replayed"]
    assert replayed == [{"writer": "w0", "charges": 9}]
