"""One request over a connection of aiohttp's pool, and the head of its answer.

`aiohttp.ClientSession` makes ready for every request what a browser would need (cookies,
redirects, proxies, payloads): most of what it takes to pass a small message on. Its pool, its
parser and its streams are used here without it, and the head goes out as the bytes that it is.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage, StreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from vault.web.headers import Header

Body = bytes | AsyncIterator[bytes] | None

LINE: Final = 64 * 1024
"""Bytes that a line of an answer's head may have."""
_REPEATABLE: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
"""RFC 9110, section 9.2.2, of those that are passed on."""
_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))


class Unsent(Exception):
    """No connection could be had: nothing of the request has left."""


class _Protocol(ResponseHandler):
    """A body that its connection's end ends is not whole where an error was that end (RFC 9112,
    section 8): aiohttp makes no difference."""

    def connection_lost(self, exc: BaseException | None) -> None:
        if exc is not None and self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError("the answer broke off"))
            self._parser = None
        super().connection_lost(exc)


class Pool(aiohttp.TCPConnector):
    """Connections that wait for another request, and the bounds on how many there are."""

    def __init__(self, **settings: Any) -> None:
        """Raises RuntimeError without a loop."""
        super().__init__(**settings)
        handler: type[ResponseHandler] = _Protocol
        self._factory = partial(handler, loop=self._loop)


class Response:
    """The head of an answer, whose body is still to be read from `content`."""

    __slots__ = ("_writing", "connection", "content", "method", "raw_headers", "status", "version")

    def __init__(
        self,
        method: str,
        connection: Connection,
        head: RawResponseMessage,
        content: aiohttp.StreamReader,
        writing: "asyncio.Task[None] | None",
    ) -> None:
        self.method = method
        self.status = head.code
        self.version = head.version
        self.raw_headers = head.raw_headers
        self.content = content
        self.connection = connection
        self._writing = writing
        if writing is not None:
            writing.add_done_callback(self._sent)

    def release_at_end(self) -> None:
        """Let others have the connection as soon as all of the answer is here, whoever still
        reads it."""
        if self.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self.content.on_eof(self.release)

    def release(self) -> None:
        """The connection may take another request, if this one has left and been answered."""
        if self._writing is None or self._writing.done():
            self.connection.release()
        else:
            self.close()

    def close(self) -> None:
        """The connection cannot be used again."""
        if self._writing is not None:
            self._writing.cancel()
        self.connection.close()

    def _sent(self, _: "asyncio.Task[None]") -> None:
        """The answer to a request that broke off here is not whole, whatever ends it. Where the
        upstream has hung up instead, it is the upstream that says whether its answer is."""
        protocol = self.connection.protocol
        if protocol is None or not protocol.is_connected() or self.content.is_eof():
            return
        if (error := protocol.exception()) is not None:
            self.content.set_exception(error)
            self.close()


class Address:
    """Where requests go, through a pool that others may go through too."""

    def __init__(self, url: str, pool: Pool, timeout: aiohttp.ClientTimeout) -> None:
        """`url` has no path; of `timeout` those for a connection and for each read are heeded.
        Raises RuntimeError without a loop."""
        parsed = URL(url, encoded=True)
        self._host = (parsed.host_port_subcomponent or "").encode("ascii")
        self._whereto = aiohttp.ClientRequest("GET", parsed, loop=asyncio.get_running_loop())
        self._pool = pool
        self._timeout = timeout

    async def ask(
        self, method: str, target: bytes, headers: Sequence[Header], body: Body
    ) -> Response:
        """The head of the answer. Raises Unsent, aiohttp.ClientError, and TimeoutError."""
        repeatable = method in _REPEATABLE and (body is None or isinstance(body, bytes))
        try:
            return await self._ask(method, target, headers, body)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            # The pool's connection may have been closed before the request came (RFC 9112, 9.3.1).
            if not repeatable:
                raise
        return await self._ask(method, target, headers, body)

    async def _ask(
        self, method: str, target: bytes, headers: Sequence[Header], body: Body
    ) -> Response:
        connection = await self._connect()
        writing: asyncio.Task[None] | None = None
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None or transport.is_closing():
                raise aiohttp.ServerDisconnectedError
            self._await_answer(protocol, method)
            head = self._head(method, target, headers, body)
            chunked = all(name != b"content-length" for name, _ in headers)
            writing = _begin(protocol, transport, head, body, chunked=chunked)
            answer, content = await _read(protocol, writing)
        except BaseException:
            if writing is not None:
                writing.cancel()
            connection.close()
            raise
        return Response(method, connection, answer, content, writing)

    async def _connect(self) -> Connection:
        """One on which nothing has come that nobody had asked for: it would be taken for the
        answer."""
        while True:
            try:
                connection = await self._pool.connect(self._whereto, [], self._timeout)
            except (aiohttp.ClientConnectorError, TimeoutError) as error:
                raise Unsent from error
            protocol = connection.protocol
            if protocol is None or not protocol.is_connected():
                return connection
            if not len(protocol) and protocol.exception() is None:
                return connection
            connection.close()

    def _await_answer(self, protocol: ResponseHandler, method: str) -> None:
        protocol.set_response_params(
            skip_payload=method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self._timeout.sock_read,
            max_line_size=LINE,
            max_field_size=LINE,
        )

    def _head(self, method: str, target: bytes, headers: Sequence[Header], body: Body) -> bytes:
        lines = [b"%b %b HTTP/1.1\r\n" % (method.encode("ascii"), target)]
        lines += [b"%b: %b\r\n" % header for header in headers]
        names = {name for name, _ in headers}
        if b"host" not in names:
            lines.append(b"host: %b\r\n" % self._host)
        if b"content-length" not in names:
            if isinstance(body, bytes) or (body is None and method in _WITH_BODY):
                lines.append(b"content-length: %d\r\n" % len(body or b""))
            elif body is not None:
                lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        if not head.count(b"\n") == head.count(b"\r") == len(lines):
            raise ValueError("a value would be read as another header")
        return head


def _begin(
    protocol: ResponseHandler,
    transport: asyncio.Transport,
    head: bytes,
    body: Body,
    *,
    chunked: bool,
) -> "asyncio.Task[None] | None":
    """Send a request. None where all of it has been taken at once: the answer's time begins."""
    if body is not None and not isinstance(body, bytes):
        transport.write(head)
        return asyncio.create_task(_write(protocol, body, chunked=chunked))
    transport.write(head + body if body else head)
    if protocol.writing_paused:
        return asyncio.create_task(_write(protocol, None, chunked=False))
    protocol.start_timeout()
    return None


async def _read(
    protocol: ResponseHandler, writing: "asyncio.Task[None] | None"
) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """The answer's head, behind those that only say that it will come."""
    while True:
        try:
            head, content = await protocol.read()
        except HttpProcessingError as error:
            raise aiohttp.ClientPayloadError("no answer of HTTP") from error
        if head.code >= HTTPStatus.OK or head.code == HTTPStatus.SWITCHING_PROTOCOLS:
            return head, content
        if writing is None or writing.done():
            protocol.start_timeout()


async def _write(
    protocol: ResponseHandler, body: AsyncIterator[bytes] | None, *, chunked: bool
) -> None:
    """Send a body as it comes, or None: see out what is on its way. Where it breaks off so does
    the connection: what came of it must not look as if it were all."""
    writer = StreamWriter(protocol, asyncio.get_running_loop())
    if chunked:
        writer.enable_chunking()
    try:
        if body is not None:
            async for piece in body:
                await writer.write(piece)
            await writer.write_eof()
        await writer.drain()
        protocol.start_timeout()
    except Exception as error:  # noqa: BLE001 - told to whom waits for the answer
        if not isinstance(error, aiohttp.ClientError):
            number = error.errno if isinstance(error, OSError) else None
            error = aiohttp.ClientOSError(number, "the request broke off")
        protocol.set_exception(error)
