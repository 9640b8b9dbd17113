"""A worker's memory and open files over a million requests: they must not grow.

    python -m benchmarks.soak [--requests 1000000] [--connections 24] [--within 5]

One worker process answers a mixture of every call (`benchmarks.soak_traffic`), over connections
that stay and over ones that last for a few requests. When 10,000 are answered, and at some
counts from there to the end, it prints the worker's resident memory, its share of what is mapped
(PSS), its open files and its threads. Exits with 1 if at the end the resident memory is more
than `--within` per cent above that after 10,000, if open files or threads have become more, or if
any answer was not the one that the request must get.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.cores import on_core
from benchmarks.http import LOAD_CORE, add_clients, initialised, tokens_of, vault
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result
from benchmarks.soak_traffic import GRANTS, Request, Traffic

FIRST = 10_000
STOPS = (FIRST, 50_000, 100_000, 250_000, 500_000, 750_000, 1_000_000)
VALUES = 5_000
CONNECTIONS = 24
TRANSIENT = 20
"""Every second connection is closed after this many requests."""
SETTLE_SECONDS = 5.0
SOME_FILES = 3
"""The store's log is moved into its file over a connection that is opened for it: the file,
its log and its index may be open once more at any moment."""
SOME_THREADS = 6
"""Pools start their threads one by one, when all they have are busy: asyncio's own up to six."""


@dataclass(frozen=True)
class Sample:
    """One look at a process."""

    resident: int
    proportional: int
    files: int
    threads: int


def look(pid: int) -> Sample:
    """From `/proc`; memory in KiB."""
    process = Path(f"/proc/{pid}")
    memory = dict(
        line.split(":", 1) for line in (process / "smaps_rollup").read_text().splitlines()[1:]
    )
    return Sample(
        resident=int(memory["Rss"].split()[0]),
        proportional=int(memory["Pss"].split()[0]),
        files=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
    )


class Load:
    """Sends a share of the traffic at a time and counts what was answered wrongly."""

    def __init__(self, port: int, traffic: Iterator[Request]) -> None:
        self._port = port
        self._traffic = traffic
        self._left = 0
        self.wrong: Counter[str] = Counter()

    async def send(self, count: int, connections: int) -> None:
        self._left = count
        await asyncio.gather(*(self._caller(number) for number in range(connections)))

    async def _caller(self, number: int) -> None:
        while self._left > 0:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                await self._talk(reader, writer, TRANSIENT if number % 2 else 10**9)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int
    ) -> None:
        for _ in range(most):
            if self._left <= 0:
                return
            self._left -= 1
            request = next(self._traffic)
            writer.write(request.sent)
            status = await _answer(reader)
            if status != request.status:
                self.wrong[f"{status} instead of {request.status}"] += 1


async def _answer(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which is read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head[9:12])


async def settled(pid: int) -> Sample:
    """Once the connections of the last share are gone: the first look after which nothing goes
    any more."""
    before = look(pid)
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        now = look(pid)
        if now.files >= before.files:
            return now
        before = now
    return before


async def flat(pid: int, port: int, traffic: Traffic, given: argparse.Namespace) -> bool:
    """Whether all stayed as it was."""
    load = Load(port, iter(traffic))
    samples: list[Sample] = []
    sent, began = 0, time.monotonic()
    print(
        f"{'requests':>10}{'RSS MiB':>10}{'PSS MiB':>10}{'files':>8}{'threads':>9}{'a second':>10}"
    )
    for stop in sorted({min(stop, given.requests) for stop in (*STOPS, given.requests)}):
        await load.send(stop - sent, given.connections)
        sent = stop
        sample = await settled(pid)
        samples.append(sample)
        rate = sent / (time.monotonic() - began)
        print(
            f"{sent:10,}{sample.resident / 1024:10.1f}{sample.proportional / 1024:10.1f}"
            f"{sample.files:8}{sample.threads:9}{rate:10,.0f}",
            flush=True,
        )
    first, last = samples[0], samples[-1]
    growth = (last.resident / first.resident - 1) * 100
    print(f"resident memory: {growth:+.1f} % since {FIRST:,} requests ({given.within:g} allowed)")
    for wrong, count in load.wrong.most_common(10):
        print(f"wrong: {count:,} x {wrong}")
    more_files, more_threads = last.files - first.files, last.threads - first.threads
    steady = more_files <= SOME_FILES and more_threads <= SOME_THREADS
    if not steady:
        print("open files or threads grew")
    return growth <= given.within and steady and not load.wrong


def soak(pace: Pace) -> Iterator[Result]:
    """The short form: megabytes in the end; `baseline` are those after the first requests."""
    first, last = pace.of(FIRST, 1_000), pace.of(60_000, 2_000)

    async def two_looks(pid: int, port: int, traffic: Traffic) -> list[Sample]:
        load = Load(port, iter(traffic))
        looks = []
        for count in (first, last - first):
            await load.send(count, CONNECTIONS)
            looks.append(await settled(pid))
        if load.wrong:
            raise SystemExit(f"{load.wrong.total()} requests were answered wrongly")
        return looks

    with worker() as (pid, port, traffic), on_core(LOAD_CORE):
        before, after = uvloop.run(two_looks(pid, port, traffic))
    yield result(
        f"resident memory after {last:,} requests of all kinds, beside {first:,}",
        "MB",
        [after.resident * 1024 / 1e6],
        COMMAND.format("soak"),
        [before.resident * 1024 / 1e6],
        None if pace.warm == 0 else "ratio <= 1.05",
    )


@contextmanager
def worker() -> Iterator[tuple[int, int, Traffic]]:
    """Its process id and port, and the traffic for it."""
    with tempfile.TemporaryDirectory() as folder:
        config = initialised(Path(folder) / "data")
        credentials = add_clients(config, GRANTS)
        with vault(config) as (url, pid):
            values = list(nirs(VALUES, seed=9))
            tokens = tokens_of(url, credentials["writer"], values)
            yield pid, int(url.rpartition(":")[2]), Traffic(credentials, values, tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--within", type=float, default=5.0, help="per cent")
    given = parser.parse_args()
    with worker() as (pid, port, traffic), on_core(LOAD_CORE):
        good = uvloop.run(flat(pid, port, traffic, given))
    sys.exit(not good)


if __name__ == "__main__":
    main()
