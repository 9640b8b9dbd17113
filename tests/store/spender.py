"""Processes that spend from one store, for the tests that need several.

    python -m tests.store.spender URL CEILING       until the limit is used up
    python -m tests.store.spender URL CEILING full  until no more can be written to the file

Writes the number of items admitted after each commit, a line each.
"""

import asyncio
import resource
import sys
import time
from pathlib import Path

from tests.store.contract import T0, charge, left
from vault.config import StoreSettings
from vault.errors import Refusal
from vault.store import Store, open_store
from vault.store.base import Charge, Limit, Mark

GROUP = 7


def limit(ceiling: int) -> Limit:
    return Limit("portal", "reveal.day", 86400, ceiling)


def people(ceiling: int) -> Limit:
    return Limit("portal", "people.day", 86400, ceiling)


def group(ceiling: int, number: int) -> list[Charge]:
    first = number * GROUP
    return [
        charge(1, first + each, limits=(limit(ceiling),), ceiling=people(10**9))
        for each in range(GROUP)
    ]


async def spend(store: Store, ceiling: int) -> None:
    admitted, number = 0, 0
    while True:
        # By the real time: a Redis believes no clock that is ahead of its own.
        verdicts = await store.commit(group(ceiling, number), Mark("w0", admitted, ""), time.time())
        number += 1
        admitted += sum(verdict.code is None for verdict in verdicts)
        print(admitted, flush=True)
        if any(verdict.code for verdict in verdicts):
            return


async def fill(store: Store, ceiling: int) -> None:
    """No file may grow beyond 200,000 bytes: what a full disk does, for this process alone."""
    whole = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, whole[1]))
    number = 0
    try:
        while True:
            await store.commit(group(ceiling, number), Mark("w0", 0, ""), T0)
            number += 1
    except Refusal as refusal:
        print(refusal.code, number * GROUP)
    resource.setrlimit(resource.RLIMIT_FSIZE, whole)
    print(ceiling - await left(store, limit(ceiling), T0))
    await store.commit(group(ceiling, number), Mark("w0", 0, ""), T0)
    print(ceiling - await left(store, limit(ceiling), T0))


def main() -> None:
    url, ceiling, *how = sys.argv[1:]

    async def run() -> None:
        store = await open_store(StoreSettings(url, timeout=5.0, replicas=0), Path())
        await (fill if how else spend)(store, int(ceiling))

    asyncio.run(run())


if __name__ == "__main__":
    main()
