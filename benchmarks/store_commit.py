"""What the ledger's transaction costs: groups of single reveals, on SQLite and on Redis.

    python -m benchmarks.store_commit [--groups 2000] [--size 64] [--scopes 1] [--persons 2000]
                                      [--redis redis://127.0.0.1:6379]

Each charge has one item and one person, under four limits (reveal and match, hour and day)
and people.day. Persons are drawn from `--persons` different ones, as many as a client's limit
lets it see a day; 0: each is new. Prints, without and with request ids, the median and the
99th percentile of a group in milliseconds, and beside them the `floor`: what SQLite itself
takes to note the same persons. With ``--redis`` (an empty one: nothing is taken out afterwards)
the same on Redis, and beside it what `redis-benchmark` says of `ZADD`s in pipelines of as many as
a group has charges. (A group is one script call, with a `ZMSCORE` and a `ZADD` for its persons,
and a `GET` and a `SET` a window.)
"""

import argparse
import asyncio
import csv
import os
import random
import sqlite3
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from urllib.parse import urlsplit

from vault.config import StoreSettings
from vault.store import Store, open_store
from vault.store.base import Charge, Limit, Mark
from vault.store.sqlite import SqliteStore

HOUR, DAY = 3600, 86400
START = 1_800_000_000.0
PACE = 64 / 10_000
"""Seconds from group to group, so that buckets pass as they would at 10,000 a second."""


def limits(scope: str) -> tuple[tuple[Limit, ...], tuple[Limit, ...]]:
    plenty = 10**12
    items = tuple(
        Limit(scope, f"{name}.{span}", window, plenty)
        for name in ("reveal", "match")
        for span, window in (("hour", HOUR), ("day", DAY))
    )
    return items, (Limit(scope, "people.day", DAY, plenty),)


def groups(
    count: int, size: int, scopes: int, persons: int, *, with_ids: bool
) -> list[list[Charge]]:
    pool = [os.urandom(16) for _ in range(persons)]
    of_scope = [limits(f"client-{number}") for number in range(scopes)]
    made = []
    for number in range(count):
        group = []
        for place in range(size):
            items, people = of_scope[(number * size + place) % scopes]
            request = str(uuid.uuid4()) if with_ids else None
            person = random.choice(pool) if pool else os.urandom(16)
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


def redis_floor(url: str, size: int, count: int) -> None:
    where = urlsplit(url)
    command = [
        "redis-benchmark",
        "-h",
        where.hostname or "127.0.0.1",
        "-p",
        str(where.port or 6379),
    ]
    command += ["-c", "1", "-P", str(size), "-n", str(size * count), "-r", "2000", "--csv"]
    command += ["ZADD", "floor", "1", "__rand_int__"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    row = next(csv.DictReader(printed.splitlines()))
    print(f"{'redis-benchmark':18}{'':33}{float(row['rps']):12,.0f} ZADDs/s")


def on_redis(url: str) -> Callable[[Path, list[list[Charge]]], Coroutine[None, None, list[float]]]:
    settings = StoreSettings(url, timeout=10.0, replicas=0, accept=("fsync-everysec",))

    async def commit(folder: Path, work: list[list[Charge]]) -> list[float]:
        return await commit_to(await open_store(settings, folder), work)

    return commit


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


def report(
    name: str,
    run: Callable[[Path, list[list[Charge]]], Coroutine[None, None, list[float]]],
    work: list[list[Charge]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        times = sorted(asyncio.run(run(Path(folder), work)))
    median, late = statistics.median(times), times[len(times) * 99 // 100]
    rate = len(work[0]) / statistics.mean(times)
    print(f"{name:18}{median * 1e3:8.3f} ms  p99 {late * 1e3:8.3f} ms {rate:12,.0f} charges/s")


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--groups", type=int, default=2000)
    asked.add_argument("--size", type=int, default=64)
    asked.add_argument("--scopes", type=int, default=1)
    asked.add_argument("--persons", type=int, default=2000)
    asked.add_argument("--redis", metavar="URL")
    given = asked.parse_args()
    shape = (given.groups, given.size, given.scopes, given.persons)
    plain, with_ids = groups(*shape, with_ids=False), groups(*shape, with_ids=True)
    for _ in range(3):
        report("floor", insert_all, plain)
        report("commit", commit_all, plain)
        report("commit, with ids", commit_all, with_ids)
        if given.redis:
            redis_floor(given.redis, given.size, given.groups)
            report("Redis", on_redis(given.redis), plain)
            report("Redis, with ids", on_redis(given.redis), with_ids)


if __name__ == "__main__":
    main()
