"""What a vaulted token costs: bytes, all in, in several layouts; and calls a second.

    python -m benchmarks.vault_layouts [--tokens 1000000] [--calls 100000] [--only bytes|rates]

Tokens are those of `fr-nir` (5 bytes, sealed 48). Bytes in Redis are `used_memory` after, less
before. Rates are those of `RedisTokens` on a server that flushes every write (`appendfsync
always`), and of `SqliteTokens`: single calls from 64 callers, and batches of 1,000; beside them
`redis-benchmark` on the same server in the same run, with as many connections and as long
pipelines: an `HGET` for each token found, two `HSET` for each one created. Needs redis-server.
"""

import argparse
import asyncio
import gc
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.redis_server import Server, serving
from vault.config import StoreSettings
from vault.store import open_tokens
from vault.store.redis.tokens import BUCKETS
from vault.store.tokens import PARTITIONS, Entry, TokenStore

ROOM = 242_157_600_000
WIDTH = 5
SEALED = 48
SPACE = "fr-nir.0"
CALLERS = 64
BATCH = 1_000
LANES = 4
"""Connections of a link to one server: single calls gather in pipelines on these."""
MANY = 100_000_000

Layout = Callable[[Entry], list[tuple[bytes, ...]]]


def entries(count: int) -> Iterator[Entry]:
    chance = random.Random(1)
    for _ in range(count):
        index = chance.randbytes(16)
        rank = chance.randrange(ROOM // PARTITIONS) * PARTITIONS + index[-1] % PARTITIONS
        yield Entry(rank.to_bytes(WIDTH), index, chance.randbytes(SEALED))


def strings(entry: Entry) -> list[tuple[bytes, ...]]:
    """A key a direction: the plainest there is."""
    at = b"jt{%d}%b:" % (entry.index[-1] % PARTITIONS, SPACE.encode())
    return [
        (b"SET", at + b"t" + entry.token, entry.index + entry.sealed),
        (b"SET", at + b"i" + entry.index, entry.token),
    ]


def hashes(buckets: int, directions: tuple[bytes, bytes] = (b"t", b"i")) -> Layout:
    """Small hashes, by some more bits of token and index; of both directions, or apart."""

    def key(direction: bytes, place: bytes) -> bytes:
        bits = int.from_bytes(place[-4:])
        where = bits % PARTITIONS, SPACE.encode(), direction, bits // PARTITIONS % buckets
        return b"jt{%d}%b:%b%x" % where

    def commands(entry: Entry) -> list[tuple[bytes, ...]]:
        tokens, indexes = key(directions[0], entry.token), key(directions[1], entry.index)
        return [
            (b"HSET", tokens, entry.token, entry.index + entry.sealed),
            (b"HSET", indexes, entry.index, entry.token),
        ]

    return commands


def redis_bytes(server: Server, layout: Layout, tokens: int) -> float:
    server.ask("FLUSHALL")
    before = server.memory()
    server.fill(command for entry in entries(tokens) for command in layout(entry))
    return (server.memory() - before) / tokens


async def sqlite_bytes(tokens: int) -> tuple[float, float]:
    """As it grew, and after `compact`."""
    with tempfile.TemporaryDirectory() as folder:
        store = await open_tokens(StoreSettings(url="sqlite:jeton.db"), Path(folder))
        some: list[Entry] = []
        for entry in entries(tokens):
            some.append(entry)
            if len(some) == 10_000:
                await store.create(SPACE, some, tokens)
                some = []
        await store.create(SPACE, some, tokens)
        await store.close()  # which moves the log into the file
        file = Path(folder) / "jeton.tokens.db"
        grown = file.stat().st_size / tokens
        store = await open_tokens(StoreSettings(url="sqlite:jeton.db"), Path(folder))
        await store.compact()
        await store.close()
        return grown, file.stat().st_size / tokens


def report_bytes(tokens: int) -> None:
    dense = max(1, BUCKETS * tokens // MANY)
    layouts: dict[str, Layout] = {
        "a key a direction": strings,
        f"{BUCKETS} hashes, both directions in each": hashes(BUCKETS, (b"", b"")),
        f"{BUCKETS // 4} hashes a direction": hashes(BUCKETS // 4),
        f"{BUCKETS} hashes a direction (this one)": hashes(BUCKETS),
        "  the same, as full as with 100,000,000 tokens": hashes(dense),
    }
    print(f"{'bytes a token':48} {tokens:,} tokens")
    with serving("--appendonly", "no") as server:
        for name, layout in layouts.items():
            print(f"  {name:46} {redis_bytes(server, layout, tokens):6.0f}", flush=True)
    grown, compact = asyncio.run(sqlite_bytes(tokens))
    print(f"  {'SQLite, as it grew':46} {grown:6.0f}")
    print(f"  {'SQLite, compacted':46} {compact:6.0f}")


async def rate(
    callers: int,
    calls: Sequence[Callable[[], Awaitable[object]]],
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Calls a second, of so many callers that do one after the other."""
    left = iter(calls)

    async def caller() -> None:
        for call in left:
            await call()

    gc.collect()
    began = clock()
    await asyncio.gather(*[caller() for _ in range(callers)])
    return len(calls) / (clock() - began)


async def rates(store: TokenStore, calls: int) -> dict[str, float]:
    """Tokens a second of each kind of call."""
    fresh = list(entries(2 * calls))
    singles, batched = fresh[:calls], fresh[calls:]
    batches = [batched[n : n + BATCH] for n in range(0, calls, BATCH)]
    most = 10**9

    def create(some: Sequence[Entry]) -> Callable[[], Awaitable[object]]:
        return lambda: store.create(SPACE, some, most)

    def find(some: Sequence[Entry]) -> Callable[[], Awaitable[object]]:
        return lambda: store.find(SPACE, [one.token for one in some])

    return {
        "create": await rate(CALLERS, [create([one]) for one in singles]),
        "find": await rate(CALLERS, [find([one]) for one in singles]),
        "create, again": await rate(CALLERS, [create([one]) for one in singles]),
        "create 1,000": BATCH * await rate(1, [create(some) for some in batches]),
        "find 1,000": BATCH * await rate(1, [find(some) for some in batches]),
        "create 1,000, again": BATCH * await rate(1, [create(some) for some in batches]),
    }


def references(server: Server, calls: int) -> dict[str, float]:
    """`redis-benchmark`, in tokens a second."""
    record, token = "x" * (16 + SEALED), "12345"
    single = {"connections": LANES, "pipeline": CALLERS // LANES, "requests": 2 * calls}
    batch = {"connections": 1, "pipeline": BATCH, "requests": 10 * calls}
    write, read = ("HSET", "jt:__rand_int__", token, record), ("HGET", "jt:__rand_int__", token)
    return {
        "create": server.benchmark(*write, **single) / 2,
        "find": server.benchmark(*read, **single),
        "create 1,000": server.benchmark(*write, **batch) / 2,
        "find 1,000": server.benchmark(*read, **batch),
    }


async def redis_rates(server: Server, calls: int) -> dict[str, float]:
    url = f"redis://127.0.0.1:{server.port}"
    store = await open_tokens(StoreSettings(url=url, replicas=0, timeout=10.0), Path())
    try:
        return await rates(store, calls)
    finally:
        await store.close()


async def sqlite_rates(calls: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = await open_tokens(StoreSettings(url="sqlite:jeton.db"), Path(folder))
        try:
            return await rates(store, calls)
        finally:
            await store.close()


def report_rates(calls: int) -> None:
    with serving("--appendonly", "yes", "--appendfsync", "always") as server:
        redis = asyncio.run(redis_rates(server, calls))
        beside = references(server, calls)
    sqlite = asyncio.run(sqlite_rates(calls))
    print(
        f"{'tokens a second':24} {'Redis':>10} {'redis-benchmark':>16} {'share':>6} {'SQLite':>10}"
    )
    for name, reached in redis.items():
        bound = beside.get(name)
        told = f"{bound:16,.0f} {reached / bound:6.2f}" if bound else " " * 23
        print(f"  {name:22} {reached:10,.0f} {told} {sqlite[name]:10,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--only", choices=["bytes", "rates"])
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if given.only != "rates":
        report_bytes(given.tokens)
    if given.only != "bytes":
        report_rates(given.calls)


if __name__ == "__main__":
    main()
