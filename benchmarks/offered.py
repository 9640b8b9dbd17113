"""Latency against offered load: calls are due at a constant rate, whatever becomes of those before
them, and each is timed from when it was due, so that a server that stalls cannot hide it."""

import asyncio
import json
import math
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from benchmarks import http
from benchmarks.curves import Curve
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result

CONNECTIONS = 32
SHARES = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9)
"""Of what the service answers when it is asked as fast as it can."""


def offered(pace: Pace) -> Iterator[Result | Curve]:
    command = COMMAND.format("offered")
    bodies = [json.dumps({"value": nir}).encode() for nir in nirs(2_000, seed=7)]
    lines: dict[str, list[tuple[float, float]]] = {"median": [], "p99": [], "p99.9": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = http.initialised(folder / "data")
        credential = http.add_clients(config, http.CLIENTS)["bench-in"]
        target = stack.enter_context(http.vault(config))
        work = http.Work("single", "/v1/tokenise/fr-nir", bodies, CONNECTIONS, credential)
        most = http.wrk(target, work, 2, folder).rate
        port = int(target[0].rpartition(":")[2])
        requests = [_request(work, body) for body in bodies]
        free = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {int(http.LOAD_CORE)})
        try:
            for share in SHARES:
                load = Load(port, requests, most * share, pace.seconds * max(1, pace.rounds // 2))
                uvloop.run(load.run())
                for name, part in (("median", 50.0), ("p99", 99.0), ("p99.9", 99.9)):
                    lines[name].append((load.rate, load.percentile(part)))
                yield result(
                    f"p99 at {share:.0%} of the most, calls due at a constant rate",
                    "ms",
                    [load.percentile(99)],
                    command,
                )
        finally:
            os.sched_setaffinity(0, free)
    yield Curve(
        "latency-by-load",
        "Latency of single calls against offered load, server on one core",
        "calls a second, at a constant rate",
        "milliseconds from when a call was due",
        lines,
        f"{CONNECTIONS} connections. A call that finds none free waits for one, and that counts.",
        log_y=True,
    )


def _request(work: http.Work, body: bytes) -> bytes:
    head = (
        f"POST {work.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {work.media_type}\r\n"
        f"Authorization: Bearer {work.credential}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Load:
    """Calls at `rate` a second for some seconds; what each took, in milliseconds."""

    port: int
    requests: list[bytes]
    rate: float
    seconds: float
    taken: list[float] = field(default_factory=list)
    achieved: float = 0.0

    def percentile(self, part: float) -> float:
        ordered = sorted(self.taken)
        return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * part / 100) - 1)]

    async def run(self) -> None:
        free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        for _ in range(CONNECTIONS):
            free.put_nowait(await asyncio.open_connection("127.0.0.1", self.port))
        count = max(50, int(self.rate * self.seconds))
        began = time.perf_counter()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(count):
            due = began + number / self.rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            elif number % 64 == 0:
                await asyncio.sleep(0)
            task = asyncio.create_task(self._call(free, number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        self.achieved = count / (time.perf_counter() - began)

    async def _call(
        self,
        free: "asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]",
        number: int,
        due: float,
    ) -> None:
        reader, writer = await free.get()
        writer.write(self.requests[number % len(self.requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit("a call was not answered with 200")
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(size)
        self.taken.append((time.perf_counter() - due) * 1e3)
        free.put_nowait((reader, writer))
