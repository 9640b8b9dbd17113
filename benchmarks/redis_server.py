"""A Redis server for benchmarks: on a free port, in a folder that goes with it; and
`redis-benchmark` beside which its figures are read."""

import csv
import io
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import hiredis

from benchmarks.cores import TIED

START_SECONDS = 10.0
CHUNK = 2_000
"""Commands sent at once."""


class Server:
    """`ask` is one round trip, `fill` as many commands as there are, by thousands."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._reader = hiredis.Reader()

    def ask(self, *command: bytes | str | int) -> Any:
        self._socket.sendall(_packed(command))
        return self._reply()

    def fill(self, commands: Iterable[Sequence[bytes]]) -> None:
        waiting: list[bytes] = []
        for command in commands:
            waiting.append(_packed(tuple(command)))
            if len(waiting) == CHUNK:
                self._send(waiting)
        self._send(waiting)

    def memory(self) -> int:
        """Bytes that it has allocated."""
        facts = self.ask("INFO", "memory").decode().split()
        return int(next(fact for fact in facts if fact.startswith("used_memory:"))[12:])

    def benchmark(self, *command: str, connections: int, pipeline: int, requests: int) -> float:
        """Commands a second, by `redis-benchmark`; `__rand_int__` is a number below `requests`."""
        options = ["-p", self.port, "-c", connections, "-P", pipeline, "-n", requests]
        options += ["-r", requests, "--csv", *command]
        done = subprocess.run(
            ["redis-benchmark", *map(str, options)], check=True, capture_output=True, text=True
        )
        return float(list(csv.reader(io.StringIO(done.stdout)))[-1][1])

    def _send(self, waiting: list[bytes]) -> None:
        self._socket.sendall(b"".join(waiting))
        for _ in waiting:
            reply = self._reply()
            if isinstance(reply, Exception):
                raise reply
        waiting.clear()

    def _reply(self) -> Any:
        while (reply := self._reader.gets()) is False:
            self._reader.feed(self._socket.recv(1 << 20))
        return reply


def _packed(command: tuple[Any, ...]) -> bytes:
    packed: bytes = hiredis.pack_command(command)
    return packed


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """A server with these options of its command line, and without snapshots."""
    if shutil.which("redis-server") is None:
        raise SystemExit("redis-server is not installed (Debian: apt-get install redis-server)")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [*TIED, "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        process = subprocess.Popen([*command, "--dir", folder, *options], stdout=subprocess.DEVNULL)
        try:
            yield Server(_await(port))
        finally:
            process.kill()
            process.wait()


def _await(port: int) -> int:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return port
