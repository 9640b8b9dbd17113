"""Single reveals a second through the whole ledger: charge, record, fdatasync, answer.

    python -m benchmarks run ledger_settle

One process on the embedded store, as one worker of the service does it, over a temporary folder
(of TMPDIR: the answer depends on what its disk's fdatasync costs).
"""

import asyncio
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import uvloop

from benchmarks.pace import COMMAND, Pace
from benchmarks.results import Result, result
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
AT_ONCE = 64


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


async def measure(folder: Path, seconds: float, *, ids: bool) -> list[float]:
    """Seconds that each reveal waited, the shortest first."""
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
    until = time.perf_counter() + seconds
    await asyncio.gather(*(caller(ledger, until, ids=ids, waits=waits) for _ in range(AT_ONCE)))
    await ledger.close()
    await store.close()
    return sorted(waits)


def ledger_settle(pace: Pace) -> Iterator[Result]:
    command, seconds = COMMAND.format("ledger_settle"), pace.of(2, 1)
    rates: dict[bool, list[float]] = {False: [], True: []}
    late: dict[bool, list[float]] = {False: [], True: []}
    flushes: list[float] = []
    for _ in range(pace.rounds):
        for ids, reached in rates.items():
            with tempfile.TemporaryDirectory() as folder:
                waits = uvloop.run(measure(Path(folder), seconds, ids=ids))
                flushes.append(fdatasync_ms(Path(folder)))
            reached.append(len(waits) / seconds)
            late[ids].append(waits[len(waits) * 99 // 100] * 1e3)
    for ids, told in ((False, "without request ids"), (True, "with request ids")):
        name = f"ledger, {AT_ONCE} single reveals at once, {told}"
        yield result(name, "reveals/s", rates[ids], command)
        yield result(f"{name}, p99", "ms", late[ids], command)
    yield result("an fdatasync of 4 KiB", "ms", flushes, command)


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
