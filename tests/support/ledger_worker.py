"""One worker process of a ledger under load: a receipt on stdout for each answered reveal.

    python -m tests.support.ledger_worker FOLDER CALLERS LIMIT COUNT

`CALLERS` reveal at once, `COUNT` times in all or until the budget is spent; ends with
``spent``. It says ``ready`` first and waits for a line on stdin.
"""

import asyncio
import sys
import time
from pathlib import Path

from tests.support.ledgers import House
from vault.errors import Refusal
from vault.ledger.ledger import Ledger


async def caller(house: House, ledger: Ledger, turns: "list[None]") -> None:
    while turns:
        turns.pop()
        try:
            receipt = await house.reveal(ledger)
        except Refusal as refusal:
            if refusal.code != "budget_exhausted":
                raise
            return
        sys.stdout.write(f"{receipt}\n")
        sys.stdout.flush()


async def main(folder: str, callers: str, limit: str, count: str) -> None:
    house = House(Path(folder), reveals=int(limit), now=time.time())
    async with house.ledger() as (ledger, _):
        print("ready", flush=True)
        sys.stdin.readline()
        turns: list[None] = [None] * int(count)
        await asyncio.gather(*(caller(house, ledger, turns) for _ in range(int(callers))))
        print("spent", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
