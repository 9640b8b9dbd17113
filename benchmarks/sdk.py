"""The Python client beside itself without coalescing, and beside the transports it stands on.

    python -m benchmarks run sdk

One worker on one core, the client on the other.
"""

import asyncio
import http.client
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import aiohttp

import jeton
from benchmarks.cores import on_core
from benchmarks.http import CLIENTS, LOAD_CORE, add_clients, initialised, vault
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result

CALLERS, THREADS, EACH, TURNS = 1_000, 32, 40, 300
NIRS = list(nirs(CALLERS, seed=3))
PATH = "/v1/tokenise/fr-nir"
CONCURRENT = "client, 1,000 concurrent `await tokenise`"
THREADED = "client, single calls in 32 threads"
_COMMAND = COMMAND.format("sdk")
Latencies = tuple[list[float], list[float]]
"""Of the client and of its transport, one call after the other in turn."""


def timed(calls: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / calls


class Loop:
    """An event loop with two clients and a bare session, for the asynchronous jobs."""

    one_by_one = "client, `await tokenise` beside aiohttp"

    def __init__(self, url: str, credential: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {credential}"}
        self._runner = asyncio.Runner()
        self._together = self.run(self._client(credential, coalesce=True))
        self._apart = self.run(self._client(credential, coalesce=False))
        self._bare = self.run(self._session())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    async def _client(self, credential: str, *, coalesce: bool) -> jeton.AsyncClient:
        return jeton.AsyncClient(self._url, credential, coalesce=coalesce)

    async def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(self._url, headers=self._headers)

    def concurrent(self, *, coalesce: bool) -> float:
        client = self._together if coalesce else self._apart

        async def work() -> None:
            await asyncio.gather(*(client.tokenise("fr-nir", nir) for nir in NIRS))

        return timed(CALLERS, lambda: self.run(work()))

    def sequential(self) -> Latencies:
        async def raw(nir: str) -> None:
            async with self._bare.post(PATH, json={"value": nir}) as answer:
                assert (await answer.json())["token"]

        async def work() -> Latencies:
            ours, bare = [], []
            for turn in range(TURNS):
                nir = NIRS[turn % CALLERS]
                start = time.perf_counter()
                await self._together.tokenise("fr-nir", nir)
                between = time.perf_counter()
                await raw(nir)
                bare.append(time.perf_counter() - between)
                ours.append(between - start)
            return ours, bare

        found: Latencies = self.run(work())
        return found

    def close(self) -> None:
        for one in (self._together, self._apart, self._bare):
            self.run(one.close())
        self._runner.close()


class Threads:
    """The same over threads, and a bare `http.client`."""

    one_by_one = "client, tokenise beside http.client"

    def __init__(self, url: str, credential: str) -> None:
        self._together = jeton.Client(url, credential)
        self._apart = jeton.Client(url, credential, coalesce=False)
        self._bare = http.client.HTTPConnection("127.0.0.1", int(url.rpartition(":")[2]))
        self._headers = {
            "Authorization": f"Bearer {credential}",
            "Content-Type": "application/json",
        }

    def concurrent(self, *, coalesce: bool) -> float:
        client = self._together if coalesce else self._apart

        def work(at: int) -> None:
            for nir in NIRS[at * EACH // 2 :][:EACH]:
                client.tokenise("fr-nir", nir)

        def all_of_them() -> None:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(work, range(THREADS)))  # a call that failed is raised here

        return timed(THREADS * EACH, all_of_them)

    def sequential(self) -> Latencies:
        def raw(nir: str) -> None:
            self._bare.request("POST", PATH, json.dumps({"value": nir}), self._headers)
            assert json.loads(self._bare.getresponse().read())["token"]

        ours, bare = [], []
        for turn in range(TURNS):
            nir = NIRS[turn % CALLERS]
            ours.append(timed(1, lambda nir=nir: self._together.tokenise("fr-nir", nir)))  # type: ignore[misc]
            bare.append(timed(1, lambda nir=nir: raw(nir)))  # type: ignore[misc]
        return ours, bare

    def close(self) -> None:
        for one in (self._together, self._apart, self._bare):
            one.close()


def sdk(pace: Pace) -> Iterator[Result]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = initialised(folder / "data")
        credential = add_clients(config, CLIENTS)["bench-in"]
        url, _ = stack.enter_context(vault(config))
        stack.enter_context(on_core(LOAD_CORE))
        for kind, calls in ((Loop, CONCURRENT), (Threads, THREADED)):
            one = stack.enter_context(closing(kind(url, credential)))
            yield coalesced(calls, one, pace)
            yield beside_transport(one, pace)


def coalesced(name: str, one: Loop | Threads, pace: Pace) -> Result:
    """Calls a second; `baseline` is what they are without coalescing."""
    samples: dict[bool, list[float]] = {True: [], False: []}
    for number in range(pace.rounds + pace.warm):
        for way, rates in samples.items():
            rate = 1 / one.concurrent(coalesce=way)
            if number >= pace.warm:
                rates.append(rate)
    return result(
        f"{name}, beside no coalescing", "calls/s", samples[True], _COMMAND, samples[False]
    )


def beside_transport(one: Loop | Threads, pace: Pace) -> Result:
    """Microseconds of a call; `baseline` is the transport's."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(pace.rounds):
        both = one.sequential()
        for times, medians in zip(both, (ours, bare), strict=True):
            medians.append(statistics.median(times) * 1e6)
    name = f"{one.one_by_one}, one call after the other"
    return result(name, "us", ours, _COMMAND, bare)
