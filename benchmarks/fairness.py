"""Small calls while one caller sends full batches without pause: their slowest percent."""

import http.client
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks import http as servers
from benchmarks.awake import awake
from benchmarks.cores import on_core
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result

FULL = 10_000
"""Items of a full JSON batch, as shipped."""
PATH = "/v1/tokenise/fr-nir"
GOOD = b'"errors":[]}'


def fairness(pace: Pace) -> Iterator[Result]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = servers.initialised(folder / "data")
        clients: servers.Clients = {
            name: (["tokenise:fr-nir"], []) for name in ("bench-in", "bench-bulk")
        }
        credentials = servers.add_clients(config, clients)
        url, _ = stack.enter_context(servers.vault(config))
        port = int(url.rpartition(":")[2])
        calls = 400 * pace.seconds
        alone: list[float] = []
        beside: list[float] = []
        values: list[float] = []
        stack.enter_context(awake(servers.LOAD_CORE))
        stack.enter_context(on_core(servers.LOAD_CORE))
        _p99(port, credentials["bench-in"], calls)
        for _ in range(pace.rounds):
            alone.append(_p99(port, credentials["bench-in"], calls))
            with _bulk(port, credentials["bench-bulk"]) as answered:
                before, began = answered.value, time.perf_counter()
                beside.append(_p99(port, credentials["bench-in"], calls))
                taken = time.perf_counter() - began
                values.append((answered.value - before) * FULL / taken)
    yield result(
        f"p99 of single calls beside batches of {FULL:,} without pause",
        "ms",
        beside,
        COMMAND.format("fairness"),
        alone,
        "ratio <= 3",
    )
    name = f"batches of {FULL:,} without pause, beside single calls"
    yield result(name, "values/s", values, COMMAND.format("fairness"))


def _p99(port: int, credential: str, calls: int) -> float:
    """Milliseconds, of calls one after another on one connection."""
    headers = _headers(credential)
    bodies = [json.dumps({"value": nir}).encode() for nir in nirs(calls, seed=4)]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    taken = []
    for body in bodies:
        began = time.perf_counter()
        connection.request("POST", PATH, body, headers)
        answer = connection.getresponse()
        answer.read()
        taken.append(time.perf_counter() - began)
        if answer.status != 200:
            raise SystemExit(f"a single call was answered {answer.status}")
    connection.close()
    return statistics.quantiles(taken, n=100)[98] * 1e3


@contextmanager
def _bulk(port: int, credential: str) -> Iterator["Synchronized[int]"]:
    """A process that sends one full batch after another; how many were answered."""
    context = multiprocessing.get_context("spawn")
    sending, answered = context.Event(), context.Value("L", 0)
    given = (port, credential, sending, answered)
    process = context.Process(target=_send_batches, args=given)
    process.start()
    try:
        if not sending.wait(60):
            raise SystemExit("the caller of full batches did not begin")
        yield answered
        if not process.is_alive():
            raise SystemExit("the caller of full batches was not answered as it should be")
    finally:
        process.kill()
        process.join()


def _send_batches(
    port: int, credential: str, sending: Event, answered: "Synchronized[int]"
) -> None:
    os.nice(10)  # it shares a core with the caller of single calls, which is not to wait for it
    body = json.dumps({"values": list(nirs(FULL, seed=5))}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while True:
        connection.request("POST", PATH, body, _headers(credential))
        answer = connection.getresponse()
        if answer.status != 200 or not answer.read().endswith(GOOD):
            raise SystemExit(f"a full batch was answered {answer.status}")
        answered.value += 1
        sending.set()


def _headers(credential: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {credential}"}
