"""What becomes of connections to an upstream: who may have them next, and what ends with them."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from vault.config import Upstream as Configured
from vault.errors import Refusal
from vault.proxy.client import Address, Pool
from vault.proxy.tunnel import tunnel
from vault.proxy.upstream import Upstream

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
LARGE = bytes(16 << 20)
"""More than two machines hold between them while nobody reads."""
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]

pytestmark = pytest.mark.filterwarnings("error")


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    ended: list[asyncio.Future[object]] = []

    async def bounded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.get_running_loop().create_future())
        end = ended[-1]
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await asyncio.wait_for(serve(reader, writer), 10)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        end.set_result(None)

    server = await asyncio.start_server(bounded, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*ended)


@asynccontextmanager
async def asked(serve: Serve, silence: float = 10) -> AsyncIterator[Address]:
    async with serving(serve) as url, Pool() as pool:
        yield Address(url, pool, aiohttp.ClientTimeout(sock_read=silence))


@asynccontextmanager
async def opened(serve: Serve, **settings: Any) -> AsyncIterator[Upstream]:
    async with serving(serve) as url:
        upstream = Upstream("main", Configured((url,), **settings))
        await upstream.open()
        yield upstream
        await upstream.close()


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def test_heads_that_come_before_the_body_is_whole_do_not_bound_its_time() -> None:
    hinted = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        hinted.set()
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(OK)

    async def body() -> AsyncIterator[bytes]:
        yield b"four"
        await hinted.wait()
        await asyncio.sleep(0.3)  # longer than the upstream may be silent
        yield b"!"

    async with asked(serve, silence=0.1) as address:
        answer = await address.ask("POST", b"/", [], body())
        assert await answer.content.read() == b"hi"
        answer.release()


async def test_the_answer_is_waited_for_once_a_body_has_been_taken() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await asyncio.sleep(0.3)
        await reader.readexactly(len(LARGE))
        writer.write(OK)

    async with asked(serve, silence=0.1) as address:
        answer = await address.ask("POST", b"/", [], LARGE)
        assert await answer.content.read() == b"hi"
        answer.release()


async def test_the_answer_to_a_request_that_breaks_off_does_not_end_well() -> None:
    answered = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhi")
        await reader.read()

    async def body() -> AsyncIterator[bytes]:
        yield b"four"
        await answered.wait()
        raise KeyError("of ours")

    async with asked(serve) as address:
        answer = await address.ask("POST", b"/", [], body())
        assert await answer.content.readany() == b"hi"
        answered.set()
        with pytest.raises(aiohttp.ClientError):
            await answer.content.read()
        answer.close()


async def test_an_answer_that_a_reset_ends_does_not_end_well() -> None:
    answered = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhi")
        await answered.wait()
        bare: socket.socket = writer.get_extra_info("socket")
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with asked(serve) as address:
        answer = await address.ask("GET", b"/", [], None)
        assert await answer.content.readany() == b"hi"
        answered.set()
        with pytest.raises(aiohttp.ClientError):
            await answer.content.read()
        answer.close()


async def test_what_nobody_asked_for_is_no_answer_to_the_next_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released, arrived, connections = asyncio.Event(), asyncio.Event(), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await head(reader)
        writer.write(OK)
        await released.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nothers")
        await reader.read()

    async with asked(serve) as address:
        answer = await address.ask("GET", b"/", [], None)
        protocol = answer.connection.protocol
        assert protocol is not None
        assert await answer.content.read() == b"hi"
        answer.release()

        def fed(*what: Any) -> None:
            ResponseHandler.feed_data(protocol, *what)
            arrived.set()

        monkeypatch.setattr(protocol, "feed_data", fed)
        released.set()
        await asyncio.wait_for(arrived.wait(), 10)
        answer = await address.ask("POST", b"/", [], b"x")
        assert await answer.content.readany() == b"hi"
        answer.close()
        assert len(connections) == 2


async def test_a_connection_is_free_once_the_answer_is_here() -> None:
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while await head(reader):
            writer.write(OK)

    async with opened(serve, max_connections=1, connect_timeout=5) as upstream:
        first = await upstream.ask("GET", b"/", [], None)
        second = await upstream.ask("GET", b"/", [], None)
        for answer in (second, first):
            assert await answer.content.read() == b"hi"
            answer.release()
        assert len(connections) == 1


async def test_a_connection_that_still_has_a_body_to_take_is_not_used_again() -> None:
    ended, taken = asyncio.Event(), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(OK)
        await ended.wait()
        taken.append(await reader.read())

    async with opened(serve, max_connections=1) as upstream:
        first = await upstream.ask("POST", b"/", [], LARGE)
        assert await first.content.read() == b"hi"
        ended.set()
        second = await upstream.ask("POST", b"/second", [], b"x")
        assert await second.content.read() == b"hi"
        second.close()
    assert all(b"/second" not in one for one in taken)


async def test_a_protocol_that_could_not_be_changed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        )
        await reader.read()

    def switch(_: object) -> asyncio.Transport:
        raise Refusal("malformed_request", "something came before")

    async with opened(serve) as upstream:
        response = await upstream.ask("GET", b"/", [], None, switching=True)
        with pytest.raises(Refusal, match="something came before"):
            await tunnel(switch, response, 10)
        response.release()
        assert response.connection.closed
