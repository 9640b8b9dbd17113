"""WebSockets through a route that passes them untouched, and whatever is no such thing."""

import asyncio
import base64
import hashlib
import select
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from tests.support.certificates import encrypted
from tests.support.ports import free_port
from tests.support.proxied import Edge

pytestmark = pytest.mark.system

ROUTES = """
[proxy.upstreams.chat]
urls = ["{scheme}://localhost:{port}"]
answer_timeout = 2
{more}
[proxy.routes.chat]
listener = "{listener}"
upstream = "chat"
path = "/chat"
upgrade = ["websocket"]
[proxy.routes.plain]
listener = "{listener}"
upstream = "chat"
path = "/plain"
"""
PLAIN = {"scheme": "http", "more": "", "listener": "main"}
TLS = """tls_ca = "{folder}/authority.pem"
[proxy.listeners.tls]
port = {port}
tls_certificate = "{tls_certificate}"
tls_key = "{tls_key}"
"""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(
    hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
).decode()
ASKING = (
    "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
)
SWITCHED = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
)


async def chat(request: web.Request) -> web.WebSocketResponse:
    """What it is told, backwards."""
    ends = web.WebSocketResponse(protocols=["backwards"], max_msg_size=0)
    await ends.prepare(request)
    await ends.send_str("welcome")
    async for message in ends:
        if message.data == "farewell":
            await ends.close(code=4_000)
        elif message.type is WSMsgType.TEXT:
            await ends.send_str(message.data[::-1])
        elif message.type is WSMsgType.BINARY:
            await ends.send_bytes(message.data[::-1])
    return ends


@asynccontextmanager
async def chatting(tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    app = web.Application()
    app.add_routes([web.get("/chat", chat)])
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "localhost", port, ssl_context=tls).start()
    try:
        yield port
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "tls"])
async def test_a_websocket_passes_both_ways(is_encrypted: bool, tmp_path: Path) -> None:
    files, trust = encrypted(tmp_path)
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(files["tls_certificate"], files["tls_key"])
    port = free_port()
    how = PLAIN
    if is_encrypted:
        more = TLS.format(folder=tmp_path, port=port, **files)
        how = {"scheme": "https", "more": more, "listener": "tls"}
    async with chatting(served if is_encrypted else None) as behind:
        routes = ROUTES.format(port=behind, **how)
        edge = await asyncio.to_thread(Edge.create, tmp_path / "edge", behind, routes)
        await asyncio.to_thread(edge.start)
        try:
            url = f"https://localhost:{port}" if is_encrypted else f"http://127.0.0.1:{edge.port}"
            async with aiohttp.ClientSession() as session:
                ends = await session.ws_connect(
                    f"{url}/chat", protocols=["backwards"], ssl=trust, max_msg_size=0, compress=15
                )
                assert ends.protocol == "backwards"
                assert await ends.receive_str(timeout=10) == "welcome"
                for size in (0, 1, 125, 126, 70_000, 3_000_000):
                    text = "0123456789" * (size // 10) + "x" * (size % 10)
                    await ends.send_str(text)
                    assert await ends.receive_str(timeout=10) == text[::-1]
                    await ends.send_bytes(text.encode())
                    assert await ends.receive_bytes(timeout=10) == text[::-1].encode()
                await ends.send_str("farewell")
                assert (await ends.receive(timeout=10)).data == 4_000
                ends = await session.ws_connect(f"{url}/chat", ssl=trust)
                assert await ends.receive_str(timeout=10) == "welcome"
                began = time.monotonic()
                assert await asyncio.to_thread(edge.stop) == 0  # nobody waits for who is connected
                assert time.monotonic() - began < 8
                await ends.close()
        finally:
            await asyncio.to_thread(edge.stop)


@dataclass
class Behind:
    """One that answers `answer` to each head, and leaves the connection to the test."""

    listening: socket.socket
    answer: str = SWITCHED
    heads: list[bytes] = field(default_factory=list)
    taken: "list[socket.socket]" = field(default_factory=list)
    ready: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                head = b""
                while b"\r\n\r\n" not in head and (more := connection.recv(65_536)):
                    head += more
                self.heads.append(head)
                connection.sendall(self.answer.encode())
                self.taken.append(connection)
                self.ready.release()

    def connection(self) -> socket.socket:
        assert self.ready.acquire(timeout=10)
        self.taken[-1].settimeout(10)
        return self.taken[-1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Behind]]:
    with socket.create_server(("localhost", 0)) as listening:
        port = listening.getsockname()[1]
        behind = Behind(listening)
        thread = threading.Thread(target=behind.serve, daemon=True)
        thread.start()
        routes = ROUTES.format(port=port, **PLAIN)
        edge = Edge.create(tmp_path_factory.mktemp("edge"), port, routes)
        with edge.running():
            yield edge, behind
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
def edge(running: tuple[Edge, Behind]) -> Edge:
    return running[0]


@pytest.fixture
def behind(running: tuple[Edge, Behind]) -> Iterator[Behind]:
    one = running[1]
    one.answer = SWITCHED
    one.heads.clear()
    yield one
    for connection in one.taken:
        connection.close()
    one.taken.clear()
    while one.ready.acquire(blocking=False):
        pass


def asked(
    edge: Edge,
    head: str = ASKING,
    path: str = "/chat",
    more: bytes = b"",
    line: str = "GET {} HTTP/1.1",
) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", edge.port), timeout=10)
    connection.sendall(f"{line.format(path)}\r\n{head}\r\n".encode() + more)
    return connection


def all_of(connection: socket.socket) -> bytes:
    with closing(connection):
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def answer_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        assert more, head
        head += more
    return head


def test_bytes_that_come_with_the_answer(edge: Edge, behind: Behind) -> None:
    behind.answer = SWITCHED + "first"
    with asked(edge) as ours:
        head = answer_head(ours)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert f"sec-websocket-accept: {ACCEPT}".encode() in head
        assert ours.recv(5, socket.MSG_WAITALL) == b"first"
        theirs = behind.connection()
        ours.sendall(b"second")
        assert theirs.recv(6, socket.MSG_WAITALL) == b"second"
        sent = behind.heads[0].lower()
        for line in (b"upgrade: websocket", b"connection: upgrade", b"x-forwarded-for: 127.0.0.1"):
            assert sent.count(b"\r\n" + line + b"\r\n") == 1
        theirs.close()
        assert ours.recv(1) == b""


def test_who_hangs_up_ends_the_other(edge: Edge, behind: Behind) -> None:
    ours = asked(edge)
    answer_head(ours)
    ours.sendall(b"farewell")
    ours.close()
    assert behind.connection().recv(100, socket.MSG_WAITALL) == b"farewell"


@pytest.mark.parametrize("sender", ["ours", "theirs"])
def test_who_does_not_read_is_not_sent_to_without_end(
    sender: str, edge: Edge, behind: Behind
) -> None:
    with asked(edge) as ours:
        answer_head(ours)
        theirs = behind.connection()
        source, sink = (ours, theirs) if sender == "ours" else (theirs, ours)
        source.setblocking(False)
        block, sent = bytes(range(256)) * 256, 0
        while select.select([], [source], [], 0.5)[1]:
            sent += source.send(block)
            assert sent < 64 << 20  # the kernel's buffers and ours
        assert sent > 1 << 20
        got = 0
        while got < sent:
            more = sink.recv(1 << 20)
            assert more == (block * 18)[got % 256 :][: len(more)]
            got += len(more)
        source.setblocking(True)
        source.sendall(b"and on")
        assert sink.recv(6, socket.MSG_WAITALL) == b"and on"


def test_silence_ends_it_and_one_side_that_speaks_does_not(edge: Edge, behind: Behind) -> None:
    with asked(edge) as ours:
        answer_head(ours)
        theirs = behind.connection()
        began = time.monotonic()
        while time.monotonic() - began < 3:  # longer than `answer_timeout`
            theirs.sendall(b".")
            assert ours.recv(1) == b"."
            time.sleep(0.3)
        began = time.monotonic()
        assert ours.recv(1) == theirs.recv(1) == b""
        assert 1 < time.monotonic() - began < 8


OTHERS = {
    "not this route": ("/plain", ASKING, b"", 501),
    "another protocol": ("/chat", ASKING.replace(": websocket", ": tls/1.3"), b"", 501),
    "two protocols": ("/chat", ASKING.replace(": websocket", ": websocket, h2c"), b"", 501),
    "asked twice": ("/chat", ASKING + "Upgrade: websocket\r\n", b"", 501),
    "without the option": ("/chat", ASKING.replace(": Upgrade", ": keep-alive"), b"", 501),
    "without a key": ("/chat", ASKING.replace("Sec-WebSocket-Key", "X-Key"), b"", 501),
    "with a body": ("/chat", ASKING + "Content-Length: 2\r\n", b"ab", 501),
    "chunked": ("/chat", ASKING + "Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", 501),
    "no path": ("/elsewhere", ASKING, b"", 404),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_websocket_is_refused(name: str, edge: Edge, behind: Behind) -> None:
    path, head, body, status = OTHERS[name]
    with asked(edge, head, path, body) as ours:
        assert answer_head(ours).startswith(f"HTTP/1.1 {status} ".encode())
    assert not behind.heads


@pytest.mark.parametrize("line", ["GET {} HTTP/1.0", "POST {} HTTP/1.1"])
def test_only_get_of_http_1_1_may_ask(line: str, edge: Edge, behind: Behind) -> None:
    with asked(edge, line=line) as ours:
        assert answer_head(ours).startswith(b"HTTP/1.1 501 ")
    assert not behind.heads


def test_what_comes_before_the_answer_goes_nowhere(edge: Edge, behind: Behind) -> None:
    smuggled = b"GET /secret HTTP/1.1\r\nHost: a\r\n\r\n"
    got = all_of(asked(edge, more=smuggled))
    assert not got.startswith(b"HTTP/1.1 101")
    assert not any(b"secret" in head for head in behind.heads)
    if behind.heads:
        assert behind.connection().recv(1) == b""


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (SWITCHED.replace(ACCEPT, ACCEPT[::-1]), 502),
        (SWITCHED.replace("Upgrade: websocket", "Upgrade: h2c"), 502),
        (SWITCHED.replace("Connection: Upgrade\r\n", ""), 502),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403),
        ("HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", 426),
    ],
)
def test_an_answer_that_changes_nothing(
    answer: str, status: int, edge: Edge, behind: Behind
) -> None:
    behind.answer = answer
    got = all_of(asked(edge, more=b""))  # and the connection is not used for anything else
    assert got.startswith(f"HTTP/1.1 {status} ".encode())
    if status == 403:
        assert got.endswith(b"\r\n\r\nno")


def test_an_offer_of_h2c_is_not_passed_on(edge: Edge, behind: Behind) -> None:
    behind.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    head = (
        "Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    )
    assert all_of(asked(edge, head)).endswith(b"ok")
    assert b"h2c" not in behind.heads[0]
