"""Requests over threads: plain HTTP/1.1 on kept connections, each read by the deadline.

The answer is parsed by the standard library's `http.client`; what is written here is what it
lacks: a deadline over everything, connections kept for reuse, Unix sockets. No proxy is used,
whatever the environment says, no redirect is followed, nothing is logged.
"""

import io
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from typing import Any

from jeton.attempts import Send
from jeton.endpoints import Endpoint
from jeton.errors import NoAnswer, Unreachable
from jeton.protocol import Answer, Call

CONNECTIONS = 32
"""Kept open for reuse at an address; more threads than that open more, and close them again."""
CONNECT_SECONDS = 3.0
LARGEST_ANSWER = 256 * 1024 * 1024
SLACK_SECONDS = 0.005
"""A call may end so much, or twice as much, after its deadline."""
CHUNK = 8 * 1024


class Transport:
    """Connections to all addresses. Thread-safe: taking and giving back need no lock."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._idle: dict[Endpoint, deque[_Connection]] = {}
        self._closed = False

    def exchange(
        self, call: Call[Any], send: Send, headers: Mapping[str, str]
    ) -> Answer | Unreachable | NoAnswer:
        """The answer, or what came instead; nothing else is raised by the network."""
        deadline = time.monotonic() + send.seconds
        request = _request(call, send.endpoint, headers)
        connection = self._take(send.endpoint)
        reused = connection is not None
        try:
            connection = connection or _Connection(send.endpoint, self._tls, deadline)
        except (OSError, ValueError) as error:  # ValueError: a name that no certificate can have
            return Unreachable(_why(send.endpoint, error), request_id=call.request_id)
        try:
            answer = connection.exchange(call.method, request, deadline)
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            if not (reused and isinstance(error, ConnectionError)):
                return NoAnswer(_why(send.endpoint, error), request_id=call.request_id)
        except BaseException:
            connection.close()
            raise
        else:
            self._give_back(send.endpoint, connection)
            return answer
        # It was closed while it lay idle; the id is the same, so once more costs nothing.
        left = Send(send.endpoint, max(deadline - time.monotonic(), 0.001))
        self._drop(send.endpoint)
        return self.exchange(call, left, headers)

    def close(self) -> None:
        """Close what is idle; what is in use is closed when its call ends."""
        self._closed = True
        for endpoint in list(self._idle):
            self._drop(endpoint)

    def _take(self, endpoint: Endpoint) -> "_Connection | None":
        idle = self._connections(endpoint)
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread took it
                break
            if connection.usable():
                return connection
            connection.close()
        return None

    def _give_back(self, endpoint: Endpoint, connection: "_Connection") -> None:
        idle = self._connections(endpoint)
        if self._closed or connection.ended or len(idle) >= CONNECTIONS:
            connection.close()
        else:
            idle.append(connection)

    def _drop(self, endpoint: Endpoint) -> None:
        idle = self._connections(endpoint)
        while idle:
            try:
                idle.pop().close()
            except IndexError:
                break

    def _connections(self, endpoint: Endpoint) -> "deque[_Connection]":
        return self._idle.setdefault(endpoint, deque())


class _Connection:
    """One connection: a request goes out, an answer comes in, each until the deadline."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None, deadline: float) -> None:
        self.ended = False
        self._patience = 0.0
        self._deadline = min(deadline, time.monotonic() + CONNECT_SECONDS)
        self._socket = _dial(endpoint, self._left)
        if endpoint.scheme == "https":
            assert tls is not None
            try:
                self._socket.settimeout(self._left())
                self._socket = tls.wrap_socket(self._socket, server_hostname=endpoint.host)
            except BaseException:
                self._socket.close()
                raise
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def exchange(self, method: str, request: bytes, deadline: float) -> Answer:
        self._deadline = deadline
        with suppress(ConnectionError):  # who refuses may have answered before it was all sent
            self._send(request)
        # HTTPResponse asks its socket for nothing but the file to read from.
        response = HTTPResponse(self, method=method)  # type: ignore[arg-type]
        try:
            response.begin()
            body = _body(response)
            self.ended = response.will_close
            seen = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, seen, body)
        finally:
            response.close()

    def makefile(self, _: str) -> io.BufferedReader:
        raw = self._socket.makefile("rb", buffering=0)
        return io.BufferedReader(_Timed(raw, self._wait_no_longer), CHUNK)

    def usable(self) -> bool:
        """Whether it is still open and silent: an answer nobody asked for is not to be read."""
        return not self._poll.poll(0)

    def close(self) -> None:
        self._socket.close()

    def _send(self, request: bytes) -> None:
        view = memoryview(request)
        while view:
            self._wait_no_longer()
            view = view[self._socket.send(view) :]

    def _wait_no_longer(self) -> None:
        """Setting a timeout is a system call: one that is about right stays."""
        left = self._left()
        if not left <= self._patience <= left + 2 * SLACK_SECONDS:
            self._patience = left + SLACK_SECONDS
            self._socket.settimeout(self._patience)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Timed(io.RawIOBase):
    """A socket's file that looks at the deadline before each read."""

    def __init__(self, raw: io.RawIOBase, wait_no_longer: Callable[[], None]) -> None:
        self._raw = raw
        self._wait_no_longer = wait_no_longer

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._wait_no_longer()
        got: int | None = self._raw.readinto(buffer)
        return got

    def close(self) -> None:
        self._raw.close()
        super().close()


def _dial(endpoint: Endpoint, left: Callable[[], float]) -> socket.socket:
    """A connection to the first address of the name that takes one, within what is left."""
    if endpoint.socket:
        return _connected(socket.AF_UNIX, endpoint.socket, left())
    last: OSError = OSError("the name has no address")
    for family, _, _, _, address in socket.getaddrinfo(
        endpoint.host, endpoint.port, type=socket.SOCK_STREAM
    ):
        try:
            dialled = _connected(family, address, left())
        except OSError as error:
            last = error
        else:
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return dialled
    raise last


def _connected(family: int, address: Any, seconds: float) -> socket.socket:
    dialled = socket.socket(family, socket.SOCK_STREAM)
    try:
        dialled.settimeout(seconds)
        dialled.connect(address)
    except BaseException:
        dialled.close()
        raise
    return dialled


def _request(call: Call[Any], endpoint: Endpoint, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"{call.method} {endpoint.prefix}{call.path} HTTP/1.1",
        f"Host: {endpoint.authority}",
        "Accept-Encoding: identity",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if call.body is not None:
        lines.append(f"Content-Length: {len(call.body)}")
    head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
    return head + (call.body or b"")


def _body(response: HTTPResponse) -> bytes:
    """The whole body. One that is cut short, or has no end, raises HTTPException."""
    if (response.length or 0) > LARGEST_ANSWER:
        raise HTTPException
    if response.length is not None:
        return response.read()
    body = response.read(LARGEST_ANSWER)
    if response.read(1):
        raise HTTPException
    return body


def _why(endpoint: Endpoint, error: Exception) -> str:
    """The kind alone: the words of an error may quote what was sent or what came."""
    return f"{endpoint}: {type(error).__name__}"
