"""Vaulted tokens through engine and store, in process: values a second, and where the time goes.

    python -m benchmarks.vaulted [--calls 20000] [--profile]

Tokens of `fr-nir`: single calls from 64 callers, and batches of 1,000; fresh values, the same
ones again, and back. On SQLite, and where there is a `redis-server`, on one that flushes every
write; beside it `redis-benchmark` on the same server in the same run, with as many connections
and as long pipelines: an `HGET` for each token found, two `HSET` for each one created. `engine`
is a batch without a store, in processor time: what each value takes whatever keeps it. With
`--profile` the functions that it spends a batch's time in are printed.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.redis_server import Server, serving
from benchmarks.results import Result, result
from benchmarks.vault_layouts import BATCH, CALLERS, LANES, rate
from vault.config import StoreSettings
from vault.config import Transformation as Configured
from vault.crypto.keyset import new_keyset
from vault.engine.transformation import Transformation
from vault.engine.vaulted import Vaulted
from vault.store import open_tokens
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import Entry, TokenStore

Rates = dict[str, float]
RECORD = 64
"""Bytes of an index and what is sealed."""
SHOWN = 14
"""Functions of the profile."""


class Nowhere(SqliteTokens):
    """Answers from a dictionary."""

    def __init__(self) -> None:
        self._tokens: dict[bytes, Entry] = {}
        self._places: dict[bytes, bytes] = {}

    async def create(
        self, _: str, entries: Sequence[Entry], __: int, ___: int | None = None
    ) -> list[bytes | None]:
        for entry in entries:
            if self._places.setdefault(entry.index, entry.token) is entry.token:
                self._tokens[entry.token] = entry
        return [self._places[entry.index] for entry in entries]

    async def find(self, _: str, tokens: Sequence[bytes]) -> list[Entry | None]:
        return [self._tokens.get(token) for token in tokens]


def vaulted() -> Vaulted:
    keyset = new_keyset(datetime.now(UTC))
    made = Transformation("nir", Configured("fr-nir", "vaulted"), keyset).vaulted
    assert made is not None
    return made


async def rates(
    store: TokenStore,
    calls: int,
    *,
    singles: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Rates:
    """Values a second of each kind of call."""
    one, people = vaulted(), list(nirs(2 * calls, seed=5))
    batches = [people[n : n + BATCH] for n in range(calls, 2 * calls, BATCH)]
    tokens: list[list[str]] = []

    def tokenise(values: Sequence[str]) -> Callable[[], Awaitable[object]]:
        async def call() -> None:
            outcome = await one.tokenise(store, values, None)
            assert not outcome.errors
            tokens.append([str(text) for text in outcome.texts])

        return call

    def detokenise(some: Sequence[str]) -> Callable[[], Awaitable[object]]:
        async def call() -> None:
            assert not (await one.detokenise(store, some, None)).errors

        return call

    async def told(size: int, callers: int, values: Sequence[Sequence[str]]) -> Rates:
        tokens.clear()
        name = "" if size == 1 else f" {size:,}"
        fresh = size * await rate(callers, [tokenise(some) for some in values], clock)
        there = list(tokens)
        again = size * await rate(callers, [tokenise(some) for some in values], clock)
        back = size * await rate(callers, [detokenise(some) for some in there], clock)
        return {f"tokenise{name}": fresh, f"tokenise{name} again": again, f"back{name}": back}

    alone = await told(1, CALLERS, [[value] for value in people[:calls]]) if singles else {}
    return alone | await told(BATCH, 1, batches)


def random_tokens(pace: Pace) -> Iterator[Result]:
    """Without a store, and on SQLite; `redis_bound` has them on Redis."""
    calls, command = pace.of(10_000, 1_000), COMMAND.format("vaulted")
    engine: list[Rates] = []
    sqlite: list[Rates] = []
    for _ in range(pace.rounds):
        engine.append(asyncio.run(rates(Nowhere(), calls, singles=False, clock=time.process_time)))
        with tempfile.TemporaryDirectory() as folder:
            sqlite.append(asyncio.run(on(StoreSettings("sqlite:jeton.db"), Path(folder), calls)))
    for name in engine[0]:
        spent = [1e6 / found[name] for found in engine]
        yield result(f"random tokens without a store, {name}", "us/value", spent, command)
    for name in sqlite[0]:
        reached = [found[name] for found in sqlite]
        yield result(f"random tokens on SQLite, {name}", "values/s", reached, command)


async def on(settings: StoreSettings, folder: Path, calls: int) -> Rates:
    store = await open_tokens(settings, folder)
    try:
        return await rates(store, calls)
    finally:
        await store.close()


def on_redis(server: Server, calls: int) -> tuple[Rates, Rates]:
    """Ours, and those of `redis-benchmark`."""
    url = f"redis://127.0.0.1:{server.port}"
    settings = StoreSettings(url=url, replicas=0, timeout=10.0)
    reached = asyncio.run(on(settings, Path(), calls))
    return reached, references(server, calls)


def references(server: Server, calls: int) -> Rates:
    """`redis-benchmark`, in values a second: two keys for a token that is made, one for a token
    that is there."""
    write = ("HSET", "jt:__rand_int__", "12345", "x" * RECORD)
    read = ("HGET", "jt:__rand_int__", "12345")
    found: Rates = {}
    for size, connections, pipeline in (("", LANES, CALLERS // LANES), (f" {BATCH:,}", 1, BATCH)):
        for name, keys, command in (
            (f"tokenise{size}", 2, write),
            (f"tokenise{size} again", 1, read),
            (f"back{size}", 1, read),
        ):
            done = server.benchmark(
                *command, connections=connections, pipeline=pipeline, requests=4 * calls
            )
            found[name] = done / keys
    return found


def profiled(calls: int) -> None:
    profile = cProfile.Profile()
    profile.enable()
    asyncio.run(rates(Nowhere(), calls, singles=False))
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(SHOWN)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    engine = asyncio.run(rates(Nowhere(), given.calls, singles=False, clock=time.process_time))
    with tempfile.TemporaryDirectory() as folder:
        sqlite = asyncio.run(on(StoreSettings(url="sqlite:jeton.db"), Path(folder), given.calls))
    redis: Rates = {}
    bound: Rates = {}
    if shutil.which("redis-server"):
        with serving("--appendonly", "yes", "--appendfsync", "always") as server:
            redis, bound = on_redis(server, given.calls)
    head = ("engine", "µs", "SQLite", "Redis", "redis-benchmark", "share")
    print(f"{'values a second':24}" + "".join(f"{name:>16}" for name in head))
    for name, reached in sqlite.items():
        row = [_number(engine.get(name)), _number(1e6 / engine[name] if name in engine else None)]
        row += [_number(reached), _number(redis.get(name)), _number(bound.get(name))]
        row.append(f"{redis[name] / bound[name]:.2f}" if name in redis and name in bound else "")
        print(f"  {name:22}" + "".join(f"{text:>16}" for text in row))
    if given.profile:
        profiled(given.calls)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


if __name__ == "__main__":
    main()
