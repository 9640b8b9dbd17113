"""What a vaulted token costs: bytes, all in, in several layouts; and calls a second.

    python -m benchmarks run vault_layouts

Tokens are those of `fr-nir` (5 bytes, sealed 48). Bytes in Redis are `used_memory` after, less
before. Rates are those of `RedisTokens` on a server that flushes every write (`appendfsync
always`), and of `SqliteTokens`: single calls from 64 callers, and batches of 1,000. Beside them
`redis-benchmark`, in turn with them, on the same server, with as many connections and as long
pipelines: an `HGET` for each token found, two `HSET` for each one made. Needs redis-server.
"""

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.pace import COMMAND, Pace
from benchmarks.redis_server import Server, serving
from benchmarks.results import Result, result
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
_COMMAND = COMMAND.format("vault_layouts")

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


def sizes(tokens: int) -> Iterator[Result]:
    dense = max(1, BUCKETS * tokens // MANY)
    layouts: dict[str, Layout] = {
        "a key a direction": strings,
        f"{BUCKETS:,} hashes, both directions in each": hashes(BUCKETS, (b"", b"")),
        f"{BUCKETS // 4:,} hashes a direction": hashes(BUCKETS // 4),
        f"{BUCKETS:,} hashes a direction": hashes(BUCKETS),
        f"{BUCKETS:,} hashes, as full as with {MANY:,} tokens": hashes(dense),
    }
    bytes_of: dict[str, float] = {}
    with serving("--appendonly", "no") as server:
        for name, layout in layouts.items():
            bytes_of[f"Redis, {name}"] = redis_bytes(server, layout, tokens)
    grown, compact = asyncio.run(sqlite_bytes(tokens))
    bytes_of |= {"SQLite, as it grew": grown, "SQLite, written anew": compact}
    for name, size in bytes_of.items():
        yield result(f"{tokens:,} random tokens: {name}", "bytes/token", [size], _COMMAND)


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


Kind = Callable[[], Awaitable[float]]


def kinds(store: TokenStore, fresh: Iterator[Entry], calls: int) -> dict[str, Kind]:
    """What each kind of call reaches, in tokens a second; every round has tokens of its own."""
    made: list[Entry] = []

    async def create(size: int, callers: int) -> float:
        made[:] = [next(fresh) for _ in range(calls)]
        return await again(size, callers)

    async def again(size: int, callers: int) -> float:
        batches = [made[n : n + size] for n in range(0, calls, size)]
        return size * await rate(
            callers, [partial(store.create, SPACE, some, 10**9) for some in batches]
        )

    async def find(size: int, callers: int) -> float:
        tokens = [one.token for one in made]
        batches = [tokens[n : n + size] for n in range(0, calls, size)]
        return size * await rate(callers, [partial(store.find, SPACE, some) for some in batches])

    return {
        f"{name}{label}": partial(kind, size, callers)
        for label, size, callers in (("", 1, CALLERS), (" 1,000", BATCH, 1))
        for name, kind in (("create", create), ("create again", again), ("find", find))
    }


def beside(server: Server, calls: int) -> dict[str, Callable[[], float]]:
    """`redis-benchmark`: two keys for a token that is made, one for a token that is there."""
    write = ("HSET", "jt:__rand_int__", "12345", "x" * (16 + SEALED))
    read = ("HGET", "jt:__rand_int__", "12345")

    def run(keys: int, command: tuple[str, ...], connections: int, pipeline: int) -> float:
        size = {"connections": connections, "pipeline": pipeline, "requests": 4 * calls}
        return server.benchmark(*command, **size) / keys

    return {
        f"{name}{label}": partial(run, keys, command, connections, pipeline)
        for label, connections, pipeline in (("", LANES, CALLERS // LANES), (" 1,000", 1, BATCH))
        for name, keys, command in (("create", 2, write), ("find", 1, read))
    }


async def in_turn(
    server: Server, calls: int, rounds: int, folder: str
) -> list[dict[str, list[float]]]:
    """Redis, SQLite and redis-benchmark, which take turns."""
    redis = StoreSettings(f"redis://127.0.0.1:{server.port}", replicas=0, timeout=10.0)
    stores = [
        await open_tokens(settings, Path(folder))
        for settings in (redis, StoreSettings("sqlite:jeton.db"))
    ]
    fresh = entries(10**9)
    jobs = [kinds(store, fresh, calls) for store in stores]
    bound = beside(server, calls)
    reached: list[dict[str, list[float]]] = [{name: [] for name in jobs[0]} for _ in range(3)]
    for _ in range(rounds):
        for name in jobs[0]:
            for job, taken in zip(jobs, reached, strict=False):
                taken[name].append(await job[name]())
            of = name.replace("create again", "find")  # what is there already is only read
            reached[2][name].append(await asyncio.to_thread(bound[of]))
    for store in stores:
        await store.close()
    return reached


def rates(calls: int, rounds: int) -> Iterator[Result]:
    with (
        serving("--appendonly", "yes", "--appendfsync", "always") as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        redis, sqlite, bound = asyncio.run(in_turn(server, calls, rounds, folder))
    for name, reached in redis.items():
        told = f"store of random tokens, {name}"
        yield result(f"{told}, Redis", "tokens/s", reached, _COMMAND, bound[name])
        yield result(f"{told}, SQLite", "tokens/s", sqlite[name], _COMMAND)


def vault_layouts(pace: Pace) -> Iterator[Result]:
    """`baseline` is what `redis-benchmark` reaches."""
    yield from sizes(pace.of(1_000_000, 2_000))
    yield from rates(pace.of(5_000, 1_000), pace.rounds)
