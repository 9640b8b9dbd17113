"""Whoever deleted the record's checkpoints had a restart begin new ones, and no trace was left; nor
was a store known for another one any more."""

from pathlib import Path

import pytest

from tests.support.ledgers import House
from vault.audit.checkpoint import FILE
from vault.audit.entry import Event


@pytest.mark.parametrize("store_too", [False, True])
async def test_checkpoints_that_are_gone_stop_reveals(tmp_path: Path, *, store_too: bool) -> None:
    house = House(tmp_path)
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
    (house.settings.folder / FILE).unlink()
    if store_too:
        for path in house.folder.glob("jeton.db*"):
            path.unlink()
    async with house.ledger() as (ledger, store):
        halted = (await store.state()).halted or ""
        assert "the checkpoints of the record are gone" in halted
        assert [each.detail for each in house.recorded(Event) if each.name == "halted"] == [
            {"reason": halted}
        ]
        await ledger.accept_state("for a test")
        await house.reveal(ledger)
    async with house.ledger() as (ledger, store):
        assert (await store.state()).halted is None


async def test_a_start_that_got_no_further_than_its_folder_is_none(tmp_path: Path) -> None:
    house = House(tmp_path)
    (house.settings.folder / "w0").mkdir(parents=True)
    async with house.ledger() as (_, store):
        assert (await store.state()).halted is None
