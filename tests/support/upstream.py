"""A system behind the proxy, for tests: it keeps what it was sent, and answers as it is told.

    with upstream() as behind:
        behind.answers = lambda seen: Reply(200, {"content-type": "text/csv"}, b"...")
        ...
        assert behind.seen[-1].body == b"..."

`raw_upstream` is one that answers bytes, for answers that are none. `Process` is one that can be
killed, with all its connections.
"""

import http.client
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Seen(NamedTuple):
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]


class Reply(NamedTuple):
    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""
    chunked: bool = False
    """In two chunks, or as one body with its length."""


def echo(seen: Seen) -> Reply:
    kind = seen.header("content-type")
    return Reply(200, {"content-type": kind[0]} if kind else {}, seen.body)


@dataclass
class Upstream:
    port: int
    answers: Callable[[Seen], Reply] = echo
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Seen:
        return self.seen[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        upstream: Upstream = self.server.upstream
        seen = Seen(self.command, self.path, list(self.headers.items()), self._body())
        upstream.seen.append(seen)
        reply = upstream.answers(seen)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status in {204, 304}:
            self.end_headers()
        elif reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            half = len(reply.body) // 2
            for piece in (reply.body[:half], reply.body[half:]):
                if piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _answer

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = []
        while size := int(self.rfile.readline(), 16):
            body.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(body)

    def log_message(self, *_: object) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    upstream: Upstream

    def handle_error(self, *_: object) -> None:
        """The proxy hung up, as it should where a message is stopped in the middle."""


@contextmanager
def upstream(tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Upstream]:
    """`tls` is what it serves with, where it speaks it."""
    server = _Server(("127.0.0.1", port), _Handler)
    if tls is not None:  # hands are shaken where the connection is first read
        wrapped = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.socket = wrapped
    server.upstream = Upstream(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.upstream
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def raw_upstream(answer: Callable[[], bytes]) -> Iterator[int]:
    """The port of one that reads a head, sends bytes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        ending = threading.Event()

        def serve() -> None:
            while not ending.is_set():
                with suppress(TimeoutError):
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        connection.settimeout(5)
                        head = b""
                        while b"\r\n\r\n" not in head and (more := connection.recv(65_536)):
                            head += more
                        connection.sendall(answer())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ending.set()
            thread.join()


class Process:
    """One that answers each request with its name, in a process of its own."""

    def __init__(self, name: str, port: int) -> None:
        self.port = port
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.upstream", name, str(port)],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline()  # it serves

    def pause(self) -> None:
        """It takes connections, and is silent on them."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _main() -> None:
    name, port = sys.argv[1].encode(), int(sys.argv[2])
    with upstream(port=port) as behind:
        behind.answers = lambda _: Reply(http.client.OK, {}, name)
        sys.stdout.write("serves\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    _main()
