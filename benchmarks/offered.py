"""Latency against offered load: calls are due at a constant rate, whatever becomes of those before
them, and each is timed from when it was due, so that a server that stalls cannot hide it."""

import asyncio
import json
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import uvloop

from benchmarks import http
from benchmarks.awake import awake
from benchmarks.cores import on_core
from benchmarks.curves import Curve
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result

CONNECTIONS = 32
SHARES = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9)
"""Of what the service answers when it is asked as fast as it can."""
OWN = "the generator's own delay, p99"
PATIENCE = 30.0
"""Seconds after the last call was due."""
PARTS = {"median": 50.0, "p99": 99.0, "p99.9": 99.9}


def offered(pace: Pace) -> Iterator[Result | Curve]:
    command = COMMAND.format("offered")
    bodies = [json.dumps({"value": nir}).encode() for nir in nirs(2_000, seed=7)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = http.initialised(folder / "data")
        credential = http.add_clients(config, http.CLIENTS)["bench-in"]
        target = stack.enter_context(http.vault(config))
        work = http.Work("single", "/v1/tokenise/fr-nir", bodies, CONNECTIONS, credential)
        most = _most(target, work, pace, folder)
        port = int(target[0].rpartition(":")[2])
        requests = [_request(work, body) for body in bodies]
        loads: dict[float, list[Load]] = {share: [] for share in SHARES[:: pace.of(1, 3)]}
        with on_core(http.LOAD_CORE):
            for _ in range(pace.of(5, 1)):
                for share, made in loads.items():
                    made.append(Load(port, requests, most * share, pace.of(2, 1)))
                    uvloop.run(made[-1].run())
    for share, made in loads.items():
        told = f"at {share:.0%} of the most, calls due at a constant rate"
        p99 = [_percentile(load.taken, 99) for load in made]
        late = [_percentile(load.late, 99) for load in made]
        yield result(f"p99 {told}", "ms", p99, command)
        yield result(f"p99 of the generator's own delay {told}", "ms", late, command)
    yield _curve(loads)


def _most(target: http.Target, work: http.Work, pace: Pace, folder: Path) -> float:
    """Calls a second, asked as fast as it answers."""
    with awake(http.LOAD_CORE):
        for _ in range(pace.warm):
            http.wrk(target, work, 1, folder)
        return http.wrk(target, work, 2, folder).rate


def _curve(loads: Mapping[float, Sequence["Load"]]) -> Curve:
    """Of all calls of all rounds: a stall in one of them is to be seen."""
    lines: dict[str, list[tuple[float, float]]] = {name: [] for name in (*PARTS, OWN)}
    for made in loads.values():
        taken = [one for load in made for one in load.taken]
        for name, part in PARTS.items():
            lines[name].append((made[0].rate, _percentile(taken, part)))
        late = [one for load in made for one in load.late]
        lines[OWN].append((made[0].rate, _percentile(late, 99)))
    return Curve(
        "latency-by-load",
        "Latency of single calls against offered load, server on one core",
        "calls a second, at a constant rate",
        "milliseconds from when a call was due",
        lines,
        f"{CONNECTIONS} connections. A call that finds none free waits for one, and that counts."
        " Percentiles of all calls of all rounds.",
        log_y=True,
    )


def _percentile(milliseconds: Sequence[float], part: float) -> float:
    return float(np.percentile(milliseconds or [0.0], part))


def _request(work: http.Work, body: bytes) -> bytes:
    head = (
        f"POST {work.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {work.media_type}\r\n"
        f"Authorization: Bearer {work.credential}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One call at a time."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._heard = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods
        self._load.free.append(self)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
        if len(body) < int(length):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._load.failed += 1
        self._heard = b""
        self._load.answered(self, self._due)


@dataclass
class Load:
    """Calls at `rate` a second for some seconds; what each took, in milliseconds."""

    port: int
    requests: list[bytes]
    rate: float
    seconds: float
    taken: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    """By how much the generator itself was late with a call, a connection being free."""
    failed: int = 0
    free: list[Connection] = field(default_factory=list)
    waiting: deque[tuple[bytes, float]] = field(default_factory=deque)

    async def run(self) -> None:
        """Turns without a pause: a timer would be a millisecond late."""
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
            for _ in range(CONNECTIONS)
        ]
        count, number = max(50, int(self.rate * self.seconds)), 0
        began = time.perf_counter()
        while len(self.taken) < count:
            if time.perf_counter() > began + count / self.rate + PATIENCE:
                raise SystemExit(f"{count - len(self.taken)} calls were not answered")
            while number < count and (due := began + number / self.rate) <= time.perf_counter():
                self._call(self.requests[number % len(self.requests)], due)
                number += 1
            await asyncio.sleep(0)
        for transport, _ in made:
            transport.close()
        if self.failed:
            raise SystemExit(f"{self.failed} calls were not answered with 200")

    def _call(self, request: bytes, due: float) -> None:
        if self.free:
            self.late.append((time.perf_counter() - due) * 1e3)
            self.free.pop().send(request, due)
        else:
            self.waiting.append((request, due))

    def answered(self, connection: Connection, due: float) -> None:
        self.taken.append((time.perf_counter() - due) * 1e3)
        if self.waiting:
            connection.send(*self.waiting.popleft())
        else:
            self.free.append(connection)
