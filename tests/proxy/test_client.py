"""One request over a connection of the pool: what goes over the wire, and what comes of answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from vault.proxy.client import Address, Pool, Unsent
from vault.proxy.upstream import read_strictly

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Upstream:
    """Answers as it is told, and keeps what it was sent, a list of heads for each connection."""

    def __init__(self, *answers: bytes | None) -> None:
        """None: hang up."""
        self._answers = list(answers)
        self.heads: list[list[bytes]] = []
        self.rest = b""
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append([])
        try:
            while True:
                self.heads[-1].append(await reader.readuntil(b"\r\n\r\n"))
                answer = self._answers.pop(0)
                if answer is None:
                    break
                writer.write(answer)
                if not self._answers:
                    self.rest = await reader.read()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
            self.ended.set()


@asynccontextmanager
async def asked(upstream: Upstream) -> AsyncIterator[Address]:
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Pool() as pool:
        yield Address(f"http://127.0.0.1:{port}", pool, aiohttp.ClientTimeout(sock_read=10))


async def pieces(*some: bytes | Exception) -> AsyncIterator[bytes]:
    for piece in some:
        if isinstance(piece, Exception):
            raise piece
        yield piece


async def test_a_head_goes_out_as_the_bytes_that_it_is() -> None:
    upstream = Upstream(OK)
    async with asked(upstream) as address:
        headers = [
            (b"host", b"a:1"),
            (b"x-name", b"Andr\xe9"),
            (b"x-two", b"1"),
            (b"x-two", b"2"),
        ]
        answer = await address.ask("GET", b"/a?b=%41", headers, None)
        assert (answer.status, await answer.content.read()) == (200, b"hi")
        answer.release()
        assert upstream.heads == [
            [
                b"GET /a?b=%%41 HTTP/1.1\r\n%b\r\n"
                % b"".join([b"%b: %b\r\n" % one for one in headers])
            ]
        ]


@pytest.mark.parametrize(
    ("method", "body", "told"),
    [
        ("POST", b"four", b"content-length: 4\r\n"),
        ("POST", None, b"content-length: 0\r\n"),
        ("DELETE", None, b""),
        ("GET", None, b""),
    ],
)
async def test_an_end_is_told_where_there_is_a_body(
    method: str, body: bytes | None, told: bytes
) -> None:
    upstream = Upstream(OK)
    async with asked(upstream) as address:
        answer = await address.ask(method, b"/", [(b"host", b"a")], body)
        await answer.content.read()
        answer.release()
        assert upstream.heads == [[b"%b / HTTP/1.1\r\nhost: a\r\n%b\r\n" % (method.encode(), told)]]


async def test_a_body_that_comes_goes_in_chunks_and_its_connection_is_used_again() -> None:
    sent = b"4\r\nfour\r\n1\r\n!\r\n0\r\n\r\n"
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            assert await reader.readexactly(len(sent)) == sent
            writer.write(OK)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Pool() as pool:
        address = Address(url, pool, aiohttp.ClientTimeout(sock_read=10))
        for _ in range(2):
            answer = await address.ask("POST", b"/", [], pieces(b"four", b"!"))
            assert await answer.content.read() == b"hi"
            answer.release()
    host = url.removeprefix("http://").encode()
    assert (
        heads == [b"POST / HTTP/1.1\r\nhost: %b\r\ntransfer-encoding: chunked\r\n\r\n" % host] * 2
    )


@pytest.mark.parametrize("error", [KeyError("of ours"), OSError("of ours")], ids=repr)
async def test_a_body_that_breaks_off_does_not_end_well(error: Exception) -> None:
    upstream = Upstream(b"")
    async with asked(upstream) as address:
        broken = pieces(b"four", error)
        with pytest.raises(aiohttp.ClientError):
            await address.ask("POST", b"/", [], broken)
        await asyncio.wait_for(upstream.ended.wait(), 10)
        assert upstream.rest == b"4\r\nfour\r\n"


async def test_an_answer_that_comes_before_the_body_is_whole() -> None:
    upstream = Upstream(OK)
    never = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"four"
        await never.wait()

    async with asked(upstream) as address:
        answer = await address.ask("POST", b"/", [], body())
        assert await answer.content.read() == b"hi"
        answer.release()
        await asyncio.wait_for(upstream.ended.wait(), 10)  # it can carry no other request


async def test_heads_that_only_say_that_an_answer_will_come() -> None:
    upstream = Upstream(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK)
    async with asked(upstream) as address:
        answer = await address.ask("POST", b"/", [], b"x")
        assert (answer.status, await answer.content.read()) == (200, b"hi")
        answer.release()


async def test_what_may_be_sent_twice_is_where_the_upstream_hung_up() -> None:
    upstream = Upstream(None, OK)
    async with asked(upstream) as address:
        answer = await address.ask("PUT", b"/", [], b"x")
        assert answer.status == 200
        answer.close()
        assert [len(heads) for heads in upstream.heads] == [1, 1]
    for method, body in (("POST", b"x"), ("POST", None), ("PUT", pieces(b"x", b"y"))):
        upstream = Upstream(None, OK)
        async with asked(upstream) as address:
            with pytest.raises(aiohttp.ClientError):
                await address.ask(method, b"/", [], body)
            assert [len(heads) for heads in upstream.heads] == [1]


async def test_no_value_becomes_a_header_of_its_own() -> None:
    for value in (b"a\r\nx-other: b", b"a\nb", b"a\rb"):
        upstream = Upstream(OK)
        async with asked(upstream) as address:
            with pytest.raises(ValueError, match="another header"):
                await address.ask("GET", b"/", [(b"x-name", value)], None)
        assert sum(map(len, upstream.heads)) == 0


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with asked(Upstream()) as address:
        pass
    async with Pool() as pool:
        url = f"http://{address._host.decode()}"
        with pytest.raises(Unsent):
            await Address(url, pool, aiohttp.ClientTimeout()).ask("GET", b"/", [], None)


async def test_a_head_that_is_none() -> None:
    read_strictly()
    for head in (
        b"HTTP/1.1 200 OK\nx: y\n\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200\r\n x\r\n\r\n",
    ):
        async with asked(Upstream(head, None)) as address:
            with pytest.raises(aiohttp.ClientError):
                await address.ask("POST", b"/", [], b"x")
