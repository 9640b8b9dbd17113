"""Handshakes: each is known until it ends, however it ends."""

import asyncio
import http.client
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import uvloop

from tests.support.certificates import encrypted
from tests.support.raw_http import request
from tests.support.small_service import running
from vault.config import Server
from vault.web.handshakes import LATEST, Handshake
from vault.web.tls import Certificate

MOST = 32
QUICK = request(b'{"value":"123"}')
SLOW = request(b'{"value":"04000"}')


@pytest.mark.system
def test_the_latest_are_shaken_where_all_wait_for_an_answer(tmp_path: Path) -> None:
    """And end with what a connection would be told without encryption."""
    settings, tls = encrypted(tmp_path)
    with running(settings | {"max_connections": MOST}) as service, ExitStack() as stack:

        def connect() -> socket.socket:
            address = ("127.0.0.1", service.port)
            return stack.enter_context(socket.create_connection(address, 10))

        def shaken(plain: socket.socket) -> socket.socket:
            return stack.enter_context(tls.wrap_socket(plain, server_hostname="localhost"))

        def answer(connection: socket.socket) -> http.client.HTTPResponse:
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response

        busy = [shaken(connect()) for _ in range(MOST)]
        for connection in busy:  # a first answer: what comes after it is seen to have come
            connection.sendall(QUICK)
            assert answer(connection).read()
        for connection in busy:
            connection.sendall(SLOW)
        late = [connect() for _ in range(LATEST)]
        one_more = answer(shaken(late[0]))
        assert (one_more.status, json.loads(one_more.read())["code"]) == (503, "overloaded")
        for connection in late[1:]:
            connection.close()
        for connection in busy:
            assert answer(connection).status == 200


Way = Callable[[asyncio.StreamWriter, Handshake], object]


def _nonsense(writer: asyncio.StreamWriter, _: Handshake) -> None:
    writer.write(b"GET / HTTP/1.1\r\n\r\n")


def _farewell(writer: asyncio.StreamWriter, _: Handshake) -> None:
    writer.write_eof()


def _patience(_: asyncio.StreamWriter, __: Handshake) -> None:
    """Until it is given up."""


def _others_come(_: asyncio.StreamWriter, handshake: Handshake) -> None:
    handshake.leave()


@pytest.mark.parametrize("way", [_nonsense, _farewell, _patience, _others_come])
def test_one_that_ends_is_forgotten(tmp_path: Path, way: Way) -> None:
    timeout = 0.2 if way is _patience else 60.0

    async def drill(address: tuple[str, int], under_way: dict[Handshake, None]) -> None:
        reader, writer = await asyncio.open_connection(*address)
        while not under_way:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)
        (handshake,) = under_way
        assert handshake.is_in_handshake
        way(writer, handshake)
        with suppress(ConnectionError):
            while await reader.read(1_000):
                pass
        assert under_way == {}
        assert not handshake.is_in_handshake
        writer.close()

    assert _served(tmp_path, timeout, drill) == []


def test_one_that_is_done_hands_over(tmp_path: Path) -> None:
    async def drill(address: tuple[str, int], under_way: dict[Handshake, None]) -> None:
        trusting = ssl.create_default_context(cafile=tmp_path / "authority.pem")
        reader, writer = await asyncio.open_connection(*address, ssl=trusting)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
        assert under_way == {}
        writer.close()
        await writer.wait_closed()

    assert _served(tmp_path, 60.0, drill) == ["made", "lost"]


Drill = Callable[[tuple[str, int], dict[Handshake, None]], Awaitable[None]]


def _served(folder: Path, timeout: float, drill: Drill) -> list[str]:
    """What a protocol behind handshakes was told while there was this drill."""
    settings, _ = encrypted(folder)
    certificate = Certificate.of(Server(**{name: Path(path) for name, path in settings.items()}))
    assert certificate is not None
    told: list[str] = []
    under_way: dict[Handshake, None] = {}

    class Shouting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self.transport = transport
            told.append("made")

        def data_received(self, data: bytes) -> None:
            self.transport.write(data.upper())

        def connection_lost(self, _: Exception | None) -> None:
            told.append("lost")

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: Handshake(under_way, certificate.context, timeout, Shouting), "127.0.0.1", 0
        )
        async with server, asyncio.timeout(20):
            await drill(server.sockets[0].getsockname(), under_way)
            server.close()
            await server.wait_closed()

    uvloop.run(main())
    return told
