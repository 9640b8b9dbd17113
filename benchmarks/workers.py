"""One worker process and two: processor time a request, and how evenly the load is shared."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = http.initialised(folder / "data")
        credential = http.add_clients(config, http.CLIENTS)["bench-in"]
        work = http.Work("single", "/v1/tokenise/fr-nir", bodies, CONNECTIONS, credential)
        servers = {count: stack.enter_context(_serving(config, count)) for count in spent}
        for number in range(pace.rounds + pace.warm):
            for count, (url, parent) in servers.items():
                pids = [parent] if count == 1 else _children(parent)
                before = [http.processor_seconds(pid) for pid in pids]
                run = http.wrk((url, pids[0]), work, pace.seconds, folder)
                taken = [
                    http.processor_seconds(pid) - was for pid, was in zip(pids, before, strict=True)
                ]
                if number >= pace.warm:
                    spent[count].append(sum(taken) / (run.rate * pace.seconds) * 1e6)
                    rates[count].append(run.rate)
                    if count == 2:
                        shares.append(max(taken) / sum(taken))
    yield result(
        "processor time a call, two workers beside one",
        "us/request",
        spent[2],
        command,
        spent[1],
        "ratio <= 1.1",
    )
    yield result("the busier of two workers' share", "of all", shares, command)
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


@contextmanager
def _serving(config: Path, count: int) -> Iterator[http.Target]:
    port = http.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "vault", "serve", "--config", str(config)]
    command += ["--port", str(port), "--workers", str(count)]
    with http.server(command, f"{url}/readyz", core="0,1") as pid:
        yield url, pid


def _children(pid: int) -> list[int]:
    """The workers of a parent, which has a child that only looks after their semaphores too."""
    command = ["pgrep", "-f", "-P", str(pid), "spawn_main"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(child) for child in found.stdout.split()]
