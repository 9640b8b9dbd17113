"""What the ledger's transaction costs: groups of single reveals, on SQLite and on Redis.

    python -m benchmarks run store_commit

Each charge has one item and one person, under four limits (reveal and match, hour and day) and
people.day. Persons are drawn from 2,000 different ones, as many as a client's limit lets it see a
day. Beside SQLite is what SQLite itself takes to note the same persons; beside Redis what
`redis-benchmark` says of `ZADD`s in pipelines of as many as a group has charges. (A group is one
script call, with a `ZMSCORE` and a `ZADD` for its persons, and a `GET` and a `SET` a window.)
"""

import asyncio
import os
import random
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

from benchmarks.pace import COMMAND, Pace
from benchmarks.redis_server import Server, serving
from benchmarks.results import Result, result
from vault.config import StoreSettings
from vault.store import Store, open_store
from vault.store.base import Charge, Limit, Mark
from vault.store.sqlite import SqliteStore

HOUR, DAY = 3600, 86400
START = 1_800_000_000.0
PACE = 64 / 10_000
"""Seconds from group to group, so that buckets pass as they would at 10,000 a second."""


SIZE, PERSONS = 64, 2_000
PLAIN = "without request ids"
IDS = {PLAIN: False, "with request ids": True}
FLOOR = "what SQLite takes to note the persons"
ZADD = ("ZADD", "floor", "1", "__rand_int__")
_COMMAND = COMMAND.format("store_commit")
Run = Callable[[Path, list[list[Charge]]], Coroutine[None, None, list[float]]]


def limits(scope: str) -> tuple[tuple[Limit, ...], tuple[Limit, ...]]:
    plenty = 10**12
    items = tuple(
        Limit(scope, f"{name}.{span}", window, plenty)
        for name in ("reveal", "match")
        for span, window in (("hour", HOUR), ("day", DAY))
    )
    return items, (Limit(scope, "people.day", DAY, plenty),)


def groups(count: int, *, with_ids: bool) -> list[list[Charge]]:
    pool = [os.urandom(16) for _ in range(PERSONS)]
    items, people = limits("client")
    made = []
    for _ in range(count):
        group = []
        for _ in range(SIZE):
            request = str(uuid.uuid4()) if with_ids else None
            person = random.choice(pool)
            group.append(
                Charge(
                    items[0].scope, None, 1, items, frozenset([person]), people,
                    request, b"f" * 32,
                )
            )  # fmt: skip
        made.append(group)
    return made


async def commit_all(folder: Path, work: list[list[Charge]]) -> list[float]:
    return await commit_to(SqliteStore.open(folder / "jeton.db"), work)


async def commit_to(store: Store, work: list[list[Charge]]) -> list[float]:
    times = []
    for number, group in enumerate(work):
        mark = Mark("w0", number * len(group), "0" * 64)
        began = time.perf_counter()
        await store.commit(group, mark, START + number * PACE)
        times.append(time.perf_counter() - began)
    await store.close()
    return times


def on_redis(server: Server, work: list[list[Charge]]) -> list[float]:
    url = f"redis://127.0.0.1:{server.port}"
    settings = StoreSettings(url, timeout=10.0, replicas=0, accept=("fsync-everysec",))

    async def commit() -> list[float]:
        return await commit_to(await open_store(settings, Path()), work)

    server.ask("FLUSHALL")
    return asyncio.run(commit())


async def insert_all(folder: Path, work: list[list[Charge]]) -> list[float]:
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE t (person BLOB PRIMARY KEY, bucket INTEGER) WITHOUT ROWID")
    times = []
    for number, group in enumerate(work):
        rows = [(*charge.persons, number) for charge in group]
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("REPLACE INTO t VALUES (?, ?)", rows)
        connection.execute("COMMIT")
        times.append(time.perf_counter() - began)
    connection.close()
    return times


def on_sqlite(run: Run, work: list[list[Charge]]) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(Path(folder), work))


def store_commit(pace: Pace) -> Iterator[Result]:
    """Charges a second, and the slowest percent of groups."""
    count = pace.of(400, 40)
    work = {told: groups(count, with_ids=ids) for told, ids in IDS.items()}
    rates: dict[str, list[float]] = {}
    late: dict[str, list[float]] = {}

    def took(name: str, times: list[float]) -> None:
        rates.setdefault(name, []).append(len(times) * SIZE / sum(times))
        late.setdefault(name, []).append(sorted(times)[len(times) * 99 // 100] * 1e3)

    with serving("--appendonly", "yes", "--appendfsync", "everysec") as server:
        for _ in range(pace.rounds):
            took(FLOOR, on_sqlite(insert_all, work[PLAIN]))
            bound = server.benchmark(*ZADD, connections=1, pipeline=SIZE, requests=SIZE * count)
            rates.setdefault(ZADD[0], []).append(bound)
            for told, some in work.items():
                took(f"SQLite, {told}", on_sqlite(commit_all, some))
                took(f"Redis, {told}", on_redis(server, some))
    for name in (f"{store}, {told}" for store in ("SQLite", "Redis") for told in IDS):
        base, shown = rates[FLOOR if name.startswith("SQLite") else ZADD[0]], f"commit of {SIZE}"
        yield result(f"{shown} on {name}", "charges/s", rates[name], _COMMAND, base)
        yield result(f"{shown} on {name}, p99", "ms", late[name], _COMMAND)
