"""Connections to each of a service's workers: which of them takes one is the kernel's choice, so
that any number of answers in a row may be one worker's.

with each_worker(service, 2) as connections:
    assert all(asked(connection) == ... for connection in connections)
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

from tests.support.calls import Place
from tests.support.processes import children
from tests.support.service import Service

SECONDS = 60.0


@contextmanager
def each_worker(service: Service, count: int) -> Iterator[list[HTTPConnection]]:
    """One connection to each of `count` workers, which keeps to it or fails."""
    assert service.process is not None
    deadline = time.monotonic() + SECONDS
    found: dict[int, HTTPConnection] = {}
    with ExitStack() as opened:
        while len(found) < count:
            assert time.monotonic() < deadline, "not all workers take connections"
            connection = Place(service.port, service.tls).connect()
            connection.connect()
            connection.auto_open = 0
            worker = _worker_of(connection, service.process.pid)
            if worker in found:
                connection.close()
                time.sleep(0.01)
            else:
                found[worker] = opened.enter_context(closing(connection))
        yield list(found.values())


def _worker_of(connection: HTTPConnection, parent: int) -> int:
    """Who has accepted it."""
    deadline = time.monotonic() + SECONDS
    while True:
        wanted = _other_end(connection)
        for pid in children(parent):
            if wanted in _sockets(pid):
                return pid
        assert time.monotonic() < deadline, "no worker accepts the connection"
        time.sleep(0.01)


def _other_end(connection: HTTPConnection) -> str:
    """The service's socket, as the kernel names open files; it has no number before it was
    accepted."""
    here = _address(*connection.sock.getsockname())
    there = _address(*connection.sock.getpeername())
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines():
        fields = line.split()
        if fields[1:3] == [there, here]:
            return f"socket:[{fields[9]}]"
    return ""


def _address(host: str, port: int) -> str:
    """As /proc/net/tcp prints it: the address's number in the machine's order of bytes."""
    number = int.from_bytes(bytes(map(int, host.split("."))), sys.byteorder)
    return f"{number:08X}:{port:04X}"


def _sockets(pid: int) -> set[str]:
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            found.add(str(file.readlink()))
    return found
