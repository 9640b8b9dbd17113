"""One worker process and two: processor time a request, and how evenly the load is shared."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import http
from benchmarks.curves import Curve
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result

CONNECTIONS = 32


def workers(pace: Pace) -> Iterator[Result | Curve]:
    command = COMMAND.format("workers")
    bodies = [json.dumps({"value": nir}).encode() for nir in nirs(10_000, seed=7)]
    spent: dict[int, list[float]] = {1: [], 2: []}
    rates: dict[int, list[float]] = {1: [], 2: []}
    shares: list[float] = []
    connections: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = http.initialised(folder / "data")
        credential = http.add_clients(config, http.CLIENTS)["bench-in"]
        work = http.Work("single", "/v1/tokenise/fr-nir", bodies, CONNECTIONS, credential)
        servers = {count: stack.enter_context(serving(config, count)) for count in spent}
        for number in range(pace.rounds + pace.warm):
            for count, server in servers.items():
                load = loaded(server, work, pace.seconds, folder)
                if number >= pace.warm:
                    spent[count].append(load.spent)
                    rates[count].append(load.rate)
                    if count == 2:
                        shares.append(load.busiest)
                        connections.append(load.fullest)
    yield result(
        "processor time a call, two workers beside one",
        "us/request",
        spent[2],
        command,
        spent[1],
        "ratio <= 1.1",
    )
    yield result("processor time of the busier of two workers", "of both", shares, command)
    yield result("connections of the fuller of two workers", "of both", connections, command)
    two = result(
        "single tokenise, two workers beside one", "requests/s", rates[2], command, rates[1]
    )
    yield two
    yield Curve(
        "workers",
        "Single calls by worker processes, the load on the same two cores",
        "requests a second",
        "",
        {
            "one worker": [(1, two.baseline or 0)],
            "two workers": [(2, two.value)],
        },
        "wrk takes a part of both cores, so the second worker adds less than it would elsewhere.",
        bars=True,
    )


@dataclass(frozen=True)
class Load:
    """Requests a second, microseconds of all workers a request, and the largest shares that one
    worker had: of the processor time, and of the connections, half-way."""

    rate: float
    spent: float
    busiest: float
    fullest: float


def loaded(server: "Workers", work: http.Work, seconds: float, folder: Path) -> Load:
    before = [http.processor_seconds(pid) for pid in server.pids]
    idle = [_sockets(pid) for pid in server.pids]
    held: list[int] = []
    timer = threading.Timer(seconds / 2, lambda: held.extend(map(_sockets, server.pids)))
    timer.start()
    run = http.wrk((server.url, server.pids[0]), work, seconds, folder)
    after = [http.processor_seconds(pid) for pid in server.pids]
    taken = [now - was for now, was in zip(after, before, strict=True)]
    timer.join()
    open_now = [max(0, now - was) for now, was in zip(held, idle, strict=True)]
    return Load(
        run.rate,
        sum(taken) / (run.rate * seconds) * 1e6,
        max(taken) / sum(taken),
        max(open_now) / max(1, sum(open_now)),
    )


def _sockets(pid: int) -> int:
    found = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found += str(file.readlink()).startswith("socket:")
    return found


@dataclass(frozen=True)
class Workers:
    """Where they listen, and their processes."""

    url: str
    pids: list[int]


@contextmanager
def serving(config: Path, count: int) -> Iterator[Workers]:
    """So many workers of one service, on two cores."""
    port = http.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "vault", "serve", "--config", str(config)]
    command += ["--port", str(port), "--workers", str(count)]
    with http.server(command, f"{url}/readyz", core="0,1") as pid:
        yield Workers(url, [pid] if count == 1 else _children(pid))


def _children(pid: int) -> list[int]:
    """The workers of a parent, which has a child that only looks after their semaphores too."""
    command = ["pgrep", "-f", "-P", str(pid), "spawn_main"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(child) for child in found.stdout.split()]
