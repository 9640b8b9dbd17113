"""One request that was paid for could be repeated without end for nothing, an entry of the record
each time: its disk could be filled with a single reveal."""

from pathlib import Path

import pytest

from tests.support.ledgers import House
from vault.audit.entry import Disclosure
from vault.errors import Refusal


async def test_they_come_to_an_end(tmp_path: Path) -> None:
    house = House(tmp_path, reveals=3)
    async with house.ledger() as (ledger, _):
        for _ in range(1 + 16 + 2):
            await house.reveal(ledger, "the same")
        with pytest.raises(Refusal, match="budget_exhausted"):
            await house.reveal(ledger, "the same")
    duplicates = [entry.duplicate for entry in house.recorded(Disclosure)]
    assert duplicates == [False] + [True] * 16 + [False] * 2
