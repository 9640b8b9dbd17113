"""With the record's folder away, a running service began a second chain of signed checkpoints,
from number 1 again, in whatever folder stood in its place."""

from pathlib import Path

import pytest

from tests.support.ledgers import House
from vault.audit.checkpoint import FILE, Checkpoints


async def test_a_running_service_begins_no_second_chain_of_checkpoints(tmp_path: Path) -> None:
    house = House(tmp_path)
    folder = house.settings.folder
    async with house.ledger() as (ledger, _):
        await house.reveal(ledger)
        await ledger.maintenance.checkpoint()
        hidden = folder.rename(folder.with_name("hidden"))
        folder.mkdir()
        with pytest.raises(OSError, match="gone"):
            await ledger.maintenance.checkpoint()
        assert not (folder / FILE).exists()
        _remove(folder)
        hidden.rename(folder)
        await ledger.maintenance.checkpoint()
        await house.reveal(ledger)


def _remove(folder: Path) -> None:
    """Nothing but locks were made there."""
    for path in folder.iterdir():
        assert path.suffix == ".lock"
        path.unlink()
    folder.rmdir()


async def test_nor_after_older_ones_were_put_back(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with house.ledger() as (ledger, _):
        file = house.settings.folder / FILE
        older = file.read_bytes()
        await house.reveal(ledger)
        await ledger.maintenance.checkpoint()
        newer = file.read_bytes()
        assert len(newer) > len(older)
        file.write_bytes(older)
        with pytest.raises(OSError, match="gone"):
            await ledger.maintenance.checkpoint()
        assert file.read_bytes() == older
        file.write_bytes(newer)


def test_whoever_starts_goes_on_from_what_is_there(tmp_path: Path) -> None:
    seed = bytes(32)
    for number in (1, 2):
        written = Checkpoints(tmp_path, seed).write({}, 1.0, epoch="an epoch", generation=1)
        assert written is not None
        assert written.number == number
