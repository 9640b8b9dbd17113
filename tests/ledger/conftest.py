from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.leases import Clock, Counted
from tests.support.ledgers import House
from vault.store.sqlite import SqliteStore


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Counted]:
    """What leases are taken from; see `tests.support.leases`."""
    store = SqliteStore.open(tmp_path / "jeton.db")
    yield Counted(store)
    await store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()
