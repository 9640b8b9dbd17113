"""A server on loopback that answers as a test tells it, or does worse; and both of the SDK's
clients behind one face.

    with serving(send({"token": "9"})) as stub, client_of(kind, stub.url, CREDENTIAL) as client:
        client.tokenise("fr-nir", NIR)
    stub.requests  # [("/v1/tokenise/fr-nir", headers, body), ...]
"""

import asyncio
import http.client
import inspect
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jeton

Respond = Callable[[BaseHTTPRequestHandler], None]
KINDS = ["threads", "asyncio"]


@dataclass
class Stub:
    """Where the server is, and what it was sent."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)


def send(
    content: object,
    status: int = 200,
    media_type: str = "application/json",
    cut: int = 0,
    **headers: str,
) -> Respond:
    """Answer with JSON; the last `cut` bytes of it are promised and do not come."""
    raw = json.dumps(content).encode()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", media_type)
        handler.send_header("Content-Length", str(len(raw)))
        told = {"Jeton_Request_Id": handler.headers["Jeton-Request-Id"], **headers}
        for name, value in told.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(raw[: len(raw) - cut])
        handler.close_connection = cut > 0

    return respond


def refuse(status: int, code: str, **headers: str) -> Respond:
    """A problem of the contract."""
    content = {"code": code, "detail": "why", "status": status}
    return send(content, status, "application/problem+json", **headers)


def echo_batches(handler: BaseHTTPRequestHandler) -> None:
    """Tokens that tell what they stand for, single or in a batch."""
    sent = handler.sent  # type: ignore[attr-defined]
    if "values" in sent:
        contexts = sent.get("contexts") or [sent.get("context", "")] * len(sent["values"])
        tokens = [
            f"{value}/{context}" for value, context in zip(sent["values"], contexts, strict=True)
        ]
        send({"tokens": tokens, "errors": []})(handler)
    else:
        send({"token": f"{sent['value']}/{sent.get('context', '')}"})(handler)


def in_turn(*responds: Respond) -> Respond:
    """One after the other; the last one from then on."""
    left = list(responds)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return respond


def behind(port: int, *meddling: Respond | None) -> Respond:
    """Ask the service on that port, and pass its answer on; or, in turn, do that instead."""
    left = list(meddling)

    def respond(handler: BaseHTTPRequestHandler) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        raw = handler.raw  # type: ignore[attr-defined]
        connection.request(handler.command, handler.path, raw, dict(handler.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if left and (instead := left.pop(0)) is not None:
            instead(handler)
            return
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return respond


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A byte every 20 ms: never silent for long, and never done."""
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX: ")
        for _ in range(500):
            handler.wfile.write(b"x")
            time.sleep(0.02)
    handler.close_connection = True


def drip_body(handler: BaseHTTPRequestHandler) -> None:
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        handler.wfile.write(b"Content-Length: 1000000\r\n\r\n")
        for _ in range(500):
            handler.wfile.write(b" ")
            time.sleep(0.02)
    handler.close_connection = True


@contextmanager
def serving(respond: Respond) -> Iterator[Stub]:
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # heads and bodies are written apart
        raw = b""
        sent: Any = None

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            self.raw = self.rfile.read(size)
            self.sent = json.loads(self.raw) if size else None
            stub.requests.append((self.path, dict(self.headers), self.sent))
            stub.connections.add(self.client_address)
            respond(self)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Quiet: clients that give up are what is tested."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def dead_url() -> str:
    """An address where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


class Ran:
    """An `AsyncClient` with the face of a `Client`: every call runs to its end."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._runner = asyncio.Runner()
        self.client = jeton.AsyncClient(*given, **named)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        def asked(*given: Any, **named: Any) -> Any:
            result = method(*given, **named)
            if inspect.isawaitable(result):
                return self._runner.run(_awaited(result))
            return self._each(result)

        return asked

    def _each(self, results: Any) -> Iterator[Any]:
        while True:
            try:
                yield self._runner.run(_awaited(anext(results)))
            except StopAsyncIteration:
                return

    def close(self) -> None:
        self._runner.run(self.client.close())
        self._runner.close()


async def _awaited(result: Any) -> Any:
    return await result


@contextmanager
def client_of(kind: str, *given: Any, **named: Any) -> Iterator[Any]:
    """A client of one of `KINDS`, closed at the end."""
    client: Any = Ran(*given, **named) if kind == "asyncio" else jeton.Client(*given, **named)
    try:
        yield client
    finally:
        client.close()
