"""What honest callers notice of a thousand slow connections.

    python -m tests.abuse.slow [--connections 1000] [--rounds 7] [--calls 2000] [--proxy]

With --proxy both are callers of the edge proxy, which rewrites what they send.

Honest calls are timed with and without the slow connections, by turns in one run, since absolute
figures of a shared machine mean little. Prints the medians, and exits 1 where the 99th percentile
more than doubles or a call fails.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop

from tests.abuse.client import parsed
from tests.abuse.flood import VALUE, prepared
from tests.abuse.requests import request
from tests.support.processes import open_files
from tests.support.proxied import Edge
from tests.support.service import Service
from tests.support.upstream import Reply, upstream

Victim = Service | Edge
ROUTE = """
[proxy.routes.main]
listener = "main"
upstream = "main"
client = "edge"
others = "pass"
request = [{ select = "json:$.value", operation = "tokenise", transformation = "fr-nir" }]
"""

AT_ONCE = 4
PAUSE = 1.0
"""Seconds between two bytes of a slow connection."""
SETTLE = 11.0
"""Seconds: the service's patience as shipped, so that it is ending some all the while."""
MOST = 2.0


@contextmanager
def slow_connections(service: Victim, count: int) -> Iterator[Counter[str]]:
    """How they ended is there at the end."""
    assert service.process is not None
    ended: Counter[str] = Counter()
    before = open_files(service.process.pid)
    command = [sys.executable, "-m", "tests.abuse.slow_connections"]
    command += [str(service.port), str(count), str(PAUSE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(service.credentials.get("enemy", "nobody").encode() + b"\n")
        process.stdin.flush()
        until = time.monotonic() + 60
        while open_files(service.process.pid) < before + count * 0.95:
            assert time.monotonic() < until, "the slow connections are not taken"
            time.sleep(0.05)
        yield ended
        ended.update(json.loads(process.communicate()[0]))


async def timed(port: int, call: bytes, calls: int) -> list[float]:
    """Seconds of so many calls, a few at once, each second one over a connection of its own."""
    seconds: list[float] = []

    async def caller(*, keeps: bool) -> None:
        writer = None
        for _ in range(calls // AT_ONCE):
            began = time.perf_counter()
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(call)
            received = b""
            while (found := parsed(received)) is None:
                received += await reader.read(65_536)
            seconds.append(time.perf_counter() - began)
            assert found[0].status == 200
            if not keeps:
                writer.close()
                writer = None
            await asyncio.sleep(0.002)

    async with asyncio.TaskGroup() as group:
        for number in range(AT_ONCE):
            group.create_task(caller(keeps=number % 2 == 0))
    return seconds


def figures(service: Victim, connections: int, rounds: int, calls: int) -> list[float]:
    """The ratio of the 99th percentiles, round by round; prints what it is made of."""
    credential = service.credentials.get("honest", "nobody").encode()
    call = request(credential, json.dumps({"value": VALUE}).encode())
    alone: list[float] = []
    beside: list[float] = []
    ended: Counter[str] = Counter()

    def measure() -> float:
        seconds = uvloop.run(timed(service.port, call, calls))
        return statistics.quantiles(seconds, n=100)[98] * 1e3

    measure()
    for number in range(rounds):
        alone.append(measure())
        with slow_connections(service, connections) as each:
            time.sleep(SETTLE)
            beside.append(measure())
        ended += each
        print(f"round {number + 1}: p99 {alone[-1]:.2f} ms, {beside[-1]:.2f} ms", flush=True)
    ratios = [one / other for one, other in zip(beside, alone, strict=True)]
    print(f"median p99 alone {statistics.median(alone):.2f} ms, beside {connections:,} slow ones")
    print(f"{statistics.median(beside):.2f} ms; median ratio {statistics.median(ratios):.2f}")
    print("ended by the service:", ", ".join(f"{how} {n}" for how, n in sorted(ended.items())))
    return ratios


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=4_000)
    parser.add_argument("--proxy", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        victim: Victim
        if options.proxy:
            behind = stack.enter_context(upstream())
            behind.answers = lambda seen: Reply(200, {}, b"{}")
            victim = stack.enter_context(Edge.create(Path(folder), behind.port, ROUTE).running())
        else:
            victim = prepared(Path(folder), patience={}).start()
            stack.callback(victim.stop)
        ratios = figures(victim, options.connections, options.rounds, options.calls)
    if (ratio := statistics.median(ratios)) > MOST:
        print(f"BROKEN: the 99th percentile is {ratio:.2f} times what it was")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
