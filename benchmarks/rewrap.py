"""What callers notice of a `jeton vault rewrap`: nothing fails, and how long they wait.

    python -m benchmarks.rewrap [--tokens 1000000] [--rate N] [--calls 100] [--seconds 20]

A service with so many random tokens (SQLite) under an older key version, and callers that tokenise
and detokenise, `--calls` a second in all: for `--seconds` before, all the while that `jeton vault
rewrap` runs beside it (with `--rate`, at most so many values a second), and for `--seconds` after.
Prints the median and the 99th percentile of their calls, from when each was due, and exits with
1 where one failed, or the 99th percentile more than doubled.
"""

import argparse
import asyncio
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.http import add_clients, free_port, initialised, server
from benchmarks.population import nirs
from vault.app import open_vault
from vault.config import load

TRANSFORMATION = """
[transformations.kept]
format = "fr-nir"
method = "vaulted"
"""
CALLER, GRANTS = "caller", ["tokenise:kept:benchmark", "detokenise:kept:benchmark"]
CALLERS = 8
AT_ONCE = 10_000
SOME = 5_000
"""Of the values callers ask for."""


@dataclass
class Phase:
    """Milliseconds of every call, and how many failed."""

    name: str
    waits: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def p99(self) -> float:
        return float(np.percentile(self.waits, 99))

    def __str__(self) -> str:
        median = float(np.median(self.waits))
        counts = f"{len(self.waits):8,} calls, {self.failed} failed"
        return f"{self.name:10} {counts}   median {median:7.1f} ms   p99 {self.p99:7.1f} ms"


class Callers:
    """Threads that call on time: each `CALLERS` / `rate` seconds, on a connection of its own."""

    def __init__(self, port: int, credential: str, pairs: list[tuple[str, str]], rate: int) -> None:
        self._port, self._pairs, self._every = port, pairs, CALLERS / rate
        self._headers = {
            "Authorization": f"Bearer {credential}",
            "Content-Type": "application/json",
            "Jeton-Purpose": "benchmark",
        }

    @contextmanager
    def calling(self, name: str) -> Iterator[Phase]:
        phase, stop = Phase(name), threading.Event()
        threads = [
            threading.Thread(target=self._call, args=(n, phase, stop)) for n in range(CALLERS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield phase
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        print(phase, flush=True)

    def _call(self, number: int, phase: Phase, stop: threading.Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        due = time.perf_counter() + number * self._every / CALLERS
        while not stop.wait(max(0.0, due - time.perf_counter())):
            value, token = self._pairs[number % len(self._pairs)]
            call, body, wanted = (
                ("tokenise", {"value": value}, {"token": token})
                if number % 2
                else ("detokenise", {"token": token}, {"value": value})
            )
            number += CALLERS + 1
            try:
                connection.request("POST", f"/v1/{call}/kept", json.dumps(body), self._headers)
                phase.failed += json.loads(connection.getresponse().read()) != wanted
            except (OSError, http.client.HTTPException):
                phase.failed += 1
                connection.close()
            phase.waits.append(1_000 * (time.perf_counter() - due))
            due += self._every
        connection.close()


async def fill(config: Path, count: int) -> list[tuple[str, str]]:
    """So many tokens; some of them, with their values."""
    some: list[tuple[str, str]] = []
    values: list[str] = []
    async with open_vault(load(config, {})) as vault:
        kept = vault.rules.transformations["kept"].vaulted
        assert kept is not None
        assert vault.tokens is not None
        for number, value in enumerate(nirs(count, seed=13), 1):
            values.append(value)
            if len(values) == AT_ONCE or number == count:
                outcome = await kept.tokenise(vault.tokens, values, None)
                assert not outcome.errors
                texts = [str(text) for text in outcome.texts]
                some += list(zip(values, texts, strict=True))[: max(1, SOME * AT_ONCE // count)]
                values = []
    return some


def measure(folder: Path, tokens: int, rate: int | None, calls: int, seconds: float) -> list[Phase]:
    config = initialised(folder / "jeton-data")
    config.write_text(config.read_text("utf-8") + TRANSFORMATION, "utf-8")
    credential = add_clients(config, {CALLER: (GRANTS, [])})[CALLER]
    pairs = asyncio.run(fill(config, tokens))
    jeton = [sys.executable, "-m", "vault"]
    told = ["--config", str(config)]
    subprocess.run([*jeton, "keys", "rotate", *told], check=True, capture_output=True)
    port = free_port()
    command = [*jeton, "serve", *told, "--port", str(port)]
    rewrap = [*jeton, "vault", "rewrap", "kept", *told]
    rewrap += [] if rate is None else ["--rate", str(rate)]
    phases = []
    with server(command, f"http://127.0.0.1:{port}/readyz"):
        callers = Callers(port, credential, pairs, calls)
        with callers.calling("before") as phase:
            time.sleep(seconds)
        phases.append(phase)
        began = time.perf_counter()
        with callers.calling("meanwhile") as phase:
            subprocess.run(rewrap, check=True)
        took = time.perf_counter() - began
        phases.append(phase)
        with callers.calling("after") as phase:
            time.sleep(seconds)
        phases.append(phase)
    print(f"{tokens:,} tokens in {took:.0f} s: {tokens / took:,.0f} a second")
    return phases


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        before, meanwhile, after = measure(
            Path(folder), given.tokens, given.rate, given.calls, given.seconds
        )
    alone = Phase("without", before.waits + after.waits).p99
    print(f"p99 with a rewrap beside it: {meanwhile.p99 / alone:.2f} of that without")
    failed = before.failed + meanwhile.failed + after.failed
    return 1 if failed or meanwhile.p99 > 2 * alone else 0


if __name__ == "__main__":
    sys.exit(main())
