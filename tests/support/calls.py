"""Calls over every kind of address, and callers that go on calling and count.

place = Place(port=8443, tls=authority.trusting())
connection = place.connect()          # an http.client.HTTPConnection
with calling(place, [keeping, renewing], call) as callers: ...
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

Call = Callable[[http.client.HTTPConnection], http.client.HTTPResponse]
"""Sends a request and returns its answer, not yet read."""


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Place:
    """Where a service is: a Unix socket, or a port of this machine, with TLS or without."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    path: Path | None = None

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        """Connects with the first request."""
        if self.path is not None:
            return UnixConnection(self.path, timeout)
        if self.tls is not None:
            return http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=timeout, context=self.tls
            )
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)


class Caller(threading.Thread):
    """Calls until it is stopped. It keeps its connection until it is told that an answer was
    the last on it, as clients do, or makes a new one for every call."""

    def __init__(self, place: Place, call: Call, *, keeps: bool) -> None:
        super().__init__(daemon=True)
        self.place = place
        self.call = call
        self.keeps = keeps
        self.answered = 0
        self.wrong: list[object] = []
        """Statuses other than 200, and exceptions."""
        self.stopped = threading.Event()

    def run(self) -> None:
        connection = self.place.connect()
        try:
            while not self.stopped.is_set():
                answer = self.call(connection)
                answer.read()
                if answer.status != 200:
                    self.wrong.append(answer.status)
                self.answered += 1
                if not self.keeps or answer.headers["Connection"] == "close":
                    connection.close()
        except Exception as error:  # noqa: BLE001 - what a test is about
            self.wrong.append(error)
        finally:
            connection.close()


@contextmanager
def calling(places: Sequence[Place], call: Call, each: int = 2) -> Iterator[list[Caller]]:
    """`each` callers of both kinds at every place; at the end they are stopped, and none of
    their calls may have failed."""
    callers = [
        Caller(place, call, keeps=keeps)
        for place in places
        for keeps in (True, False)
        for _ in range(each)
    ]
    for caller in callers:
        caller.start()
    try:
        yield callers
        deadline = time.monotonic() + 30
        while not all(caller.answered or caller.wrong for caller in callers):
            assert time.monotonic() < deadline, "callers that are never answered"
            time.sleep(0.02)
    finally:
        for caller in callers:
            caller.stopped.set()
        for caller in callers:
            caller.join(30)
    assert [caller.wrong for caller in callers if caller.wrong] == []
    assert all(caller.answered for caller in callers)
