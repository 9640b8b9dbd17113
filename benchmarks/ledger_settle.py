"""Single reveals a second through the whole ledger: charge, record, fdatasync, answer.

    python -m benchmarks.ledger_settle [--seconds 3] [--concurrency 64] [--request-ids]

One process on the embedded store, as one worker of the service does it, over a temporary
folder (`--folder` for a disk of your own: the answer depends on what its fdatasync costs).
"""

import argparse
import asyncio
import os
import tempfile
import time
import uuid
from pathlib import Path

import uvloop

from vault.audit.entry import Disclosure
from vault.config import DAY, HOUR, Audit
from vault.ledger.ledger import Ledger
from vault.ledger.recovery import open_ledger
from vault.store.base import Charge, Limit
from vault.store.sqlite import SqliteStore

LIMITS = (
    Limit("bench", "reveal.hour", HOUR, 10**9),
    Limit("bench", "reveal.day", DAY, 10**9),
)
PEOPLE = (Limit("bench", "people.day", DAY, 10**9),)
PERSONS = 500


def request(number: int, *, request_id: str | None) -> tuple[Charge, Disclosure]:
    person = (number % PERSONS).to_bytes(16, "big")
    entry = Disclosure(
        principal="bench",
        credential="0a1b2c3d",
        source="127.0.0.1",
        operation="detokenise",
        transformation="fr-nir",
        purpose="benchmark",
        request_id=request_id or str(uuid.UUID(int=number)),
        items=1,
        persons=[person.hex()],
    )
    charge = Charge(
        "bench", None, 1, LIMITS, frozenset((person,)), PEOPLE, request_id, b"fingerprint"
    )
    return charge, entry


async def caller(ledger: Ledger, until: float, *, ids: bool, waits: list[float]) -> None:
    number = os.getpid()
    while (began := time.perf_counter()) < until:
        number += 1
        charge, entry = request(number, request_id=str(uuid.uuid4()) if ids else None)
        await ledger.settle(charge, entry)
        waits.append(time.perf_counter() - began)


async def measure(folder: Path, seconds: float, concurrency: int, *, ids: bool) -> None:
    store = SqliteStore.open(folder / "bench.db")
    ledger = await open_ledger(
        Audit(folder=folder / "audit"),
        store,
        bytes(32),
        generation=1,
        charge_of=lambda _: None,
        clock=time.time,
    )
    await ledger.start()
    waits: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    callers = (caller(ledger, began + seconds, ids=ids, waits=waits) for _ in range(concurrency))
    await asyncio.gather(*callers)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    await ledger.close()
    await store.close()
    waits.sort()
    middle, late = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    sent = "sent" if ids else "not sent"
    print(
        f"concurrency {concurrency}, request ids {sent}: {len(waits) / took:,.0f}/s, "
        f"p50 {middle * 1e3:.2f} ms, p99 {late * 1e3:.2f} ms, "
        f"CPU {cpu / took:.0%} of a core, fdatasync {fdatasync_ms(folder):.2f} ms"
    )


def fdatasync_ms(folder: Path, times: int = 200) -> float:
    """The median cost of appending 4 KiB and making it durable."""
    costs = []
    descriptor = os.open(folder / "probe", os.O_WRONLY | os.O_CREAT, 0o600)
    for _ in range(times):
        began = time.perf_counter()
        os.write(descriptor, bytes(4_096))
        os.fdatasync(descriptor)
        costs.append(time.perf_counter() - began)
    os.close(descriptor)
    return sorted(costs)[times // 2] * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--request-ids", action="store_true")
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        work = measure(Path(folder), given.seconds, given.concurrency, ids=given.request_ids)
        uvloop.run(work)


if __name__ == "__main__":
    main()
