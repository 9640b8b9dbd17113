"""The Python client beside itself without coalescing, and beside the transports it stands on.

    python -m benchmarks.sdk [--rounds 7]

One worker on one core, the client on the other. What is compared runs in turn, in one run; the
medians of its rounds are printed, and the ratio of the pairs.
"""

import argparse
import asyncio
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

import jeton
from benchmarks.http import CLIENTS, LOAD_CORE, add_clients, free_port, initialised, server
from benchmarks.population import nirs

CALLERS, THREADS, EACH, TURNS = 1_000, 32, 40, 1_500
NIRS = list(nirs(CALLERS, seed=3))
PATH = "/v1/tokenise/fr-nir"
Job = Callable[[], float]
"""Runs once, and gives seconds a call."""
Latencies = tuple[list[float], list[float]]
"""Of the client and of its transport, one call after the other in turn."""


def timed(calls: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / calls


class Loop:
    """An event loop with two clients and a bare session, for the asynchronous jobs."""

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
            threads = [threading.Thread(target=work, args=(at,)) for at in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

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


def rates(name: str, together: Job, apart: Job, rounds: int) -> None:
    """Both in turn; the ratio is that of each pair."""
    together(), apart()  # connections and caches
    pairs = [(together(), apart()) for _ in range(rounds)]
    one, two = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = [b / a for a, b in pairs]
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    print(f"{name:44}{1 / one:>12,.0f}/s{1 / two:>12,.0f}/s{spread:>24}", flush=True)


def latencies(name: str, found: Latencies) -> None:
    """Medians, and their ratio."""
    ours, bare = (statistics.median(times) * 1e6 for times in found)
    print(f"{name:44}{ours:>11,.0f} us{bare:>11,.0f} us{ours / bare:>24.2f}", flush=True)


def measure(url: str, credential: str, rounds: int) -> None:
    loop, threads = Loop(url, credential), Threads(url, credential)
    print(f"{'':44}{'coalescing':>14}{'without':>14}{'ratio':>24}")
    rates(
        "1,000 concurrent `await tokenise`",
        lambda: loop.concurrent(coalesce=True),
        lambda: loop.concurrent(coalesce=False),
        rounds,
    )
    rates(
        "32 threads, single calls",
        lambda: threads.concurrent(coalesce=True),
        lambda: threads.concurrent(coalesce=False),
        rounds,
    )
    print(f"{'':44}{'client':>14}{'transport':>14}{'ratio':>24}")
    latencies("sequential `await tokenise`, and aiohttp", loop.sequential())
    latencies("sequential tokenise, and http.client", threads.sequential())
    loop.close()
    threads.close()


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = initialised(folder / "data")
        credential = add_clients(config, CLIENTS)["bench-in"]
        port = str(free_port())
        url = f"http://127.0.0.1:{port}"
        serve = [sys.executable, "-m", "vault", "serve", "--config", str(config), "--port", port]
        stack.enter_context(server(serve, f"{url}/readyz"))
        measure(url, credential, given.rounds)


if __name__ == "__main__":
    main()
