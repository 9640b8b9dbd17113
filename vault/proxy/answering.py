"""Gives an upstream's answer back, as its route's rules want it."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

import aiohttp

from vault.errors import Refusal
from vault.proxy.bodies.pieces import Parser
from vault.proxy.bodies.rewrite import Blocked
from vault.proxy.client import Response
from vault.proxy.guard import Leak
from vault.proxy.head import Head, passed_on
from vault.proxy.message import Coding, Message, Streaming, Untouched
from vault.proxy.refusing import Stopped, of_answer
from vault.proxy.requesting import INTEGRITY
from vault.proxy.routes import Route
from vault.web.dispatch import Send
from vault.web.headers import Header

_OF_BYTES: Final = INTEGRITY | {b"content-length", b"etag", b"last-modified", b"accept-ranges"}
_NO_STORE: Final = (b"cache-control", b"no-store")
_CACHE_CONTROL: Final = frozenset((b"cache-control",))
_CONTROL: Final = re.compile(rb"[\x00\r\n]")
_BODILESS: Final = frozenset((204, 304))


class Answer:
    """An answer under its route's rules; `begun` once a part of it has left."""

    def __init__(
        self,
        route: Route,
        response: Response,
        send: Send,
        gone: "asyncio.Task[object] | None",
        whole: int,
        expansion: int,
    ) -> None:
        """`gone` ends when the caller is. Raises Refusal ``upstream_invalid``."""
        self._route = route
        self._response = response
        self._send = send
        self._gone = gone
        self._whole = whole
        self._expansion = expansion
        self.begun = False
        self.head = Head([(name.lower(), value) for name, value in response.raw_headers])
        _check(self.head)

    async def give(self, message: Message | None) -> None:
        """All of it. Raises Refusal; where it has begun, the connection is to be broken."""
        try:
            if message is None:
                await self._pass(message, self._chunks())
            elif (parser := self._parser(message)) is None:
                await message.head_alone()
                await self._pass(message, self._chunks())
            else:
                await self._rewrite(message, parser)
        except Stopped as error:
            raise of_answer(error) from None
        except aiohttp.ClientError:
            raise Refusal("upstream_invalid", "the upstream's answer broke off") from None
        except TimeoutError:
            raise Refusal("upstream_timeout", "the upstream fell silent in its answer") from None

    @property
    def _has_body(self) -> bool:
        asked = self._response.method != "HEAD" and self._response.status not in _BODILESS
        return asked and self.head.fields.get(b"content-length") != b"0"

    def _parser(self, message: Message) -> Parser | None:
        parsers, guard = self._route.response.parsers, message.guard
        if not self._has_body or (not parsers.any and guard is None):
            return None
        fields = self.head.fields
        if self._response.status == 206 or b"content-range" in fields:
            raise Refusal("upstream_invalid", "a part of a body cannot be rewritten")
        said = fields.get(b"content-type", b"").decode("latin-1")
        parser = parsers.of(said)
        if parser is None and parsers.any and self._route.configured.others == "block":
            raise of_answer(Refusal("blocked", "no rule of this route is about such a body"))
        if parser is None and guard is not None and guard.can_read(fields):
            return Untouched()
        return parser

    async def _rewrite(self, message: Message, parser: Parser) -> None:
        coding = Coding.of(self.head, self._expansion)
        chunks, pieces, held = self._chunks(), list[bytes](), 0
        async for chunk in chunks:
            pieces.append(chunk)
            held += len(chunk)
            if held > self._whole:
                await message.head_alone()
                await self._stream(message.streaming(parser, coding), pieces, chunks)
                return
        try:
            unfolded = pieces if coding is None else coding.whole(pieces, self._whole)
            if unfolded is None:  # small as it came, and large
                await message.head_alone()
                await self._stream(
                    message.streaming(parser, Coding.of(self.head, self._expansion)), pieces, chunks
                )
                return
            out = await message.whole(parser, unfolded)
        except Stopped as error:
            if self._route.configured.unparsable != "pass" or isinstance(error, (Blocked, Leak)):
                raise
            await message.head_alone()
            await self._one(self._passed_on(), b"".join(pieces))
            return
        out = out if coding is None else coding.fold(out, last=True)
        await self._one([*self._rewritten(), (b"content-length", b"%d" % len(out))], out)

    async def _stream(
        self, streaming: Streaming, pieces: list[bytes], chunks: AsyncIterator[bytes]
    ) -> None:
        await self._start(self._rewritten())
        while pieces:
            await self._more(await streaming.feed(pieces.pop(0)))
        async for chunk in chunks:
            await self._more(await streaming.feed(chunk))
        await self._end(await streaming.close())

    async def _pass(self, message: Message | None, chunks: AsyncIterator[bytes]) -> None:
        if not self._has_body:
            changes = self._route.response.parsers.any or (message and message.guard)
            await self._one(self._rewritten() if changes else self._passed_on(), b"")
            return
        headers, content = self._passed_on(), self._response.content
        if content.is_eof():
            await self._one(headers, content.read_nowait())
            return
        first = await anext(chunks, b"")
        if content.at_eof():
            await self._one(headers, first)
            return
        await self._start(headers)
        await self._more(first)
        async for chunk in chunks:
            await self._more(chunk)
        await self._end(b"")

    async def _chunks(self) -> AsyncIterator[bytes]:
        content = self._response.content
        while chunk := await content.readany():
            yield chunk

    def _passed_on(self) -> list[Header]:
        """The upstream's bytes, and what is said of them; not for everybody, where the head was
        rewritten."""
        if not self._route.response.head:
            return passed_on(self.head)
        return [*passed_on(self.head, _CACHE_CONTROL), _NO_STORE]

    def _rewritten(self) -> list[Header]:
        """Other bytes than the upstream's, and not for everybody."""
        return [*passed_on(self.head, _OF_BYTES | _CACHE_CONTROL), _NO_STORE]

    async def _one(self, headers: list[Header], body: bytes) -> None:
        await self._start(headers)
        await self._end(body)

    async def _start(self, headers: list[Header]) -> None:
        self.begun = True
        status = self._response.status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _more(self, body: bytes) -> None:
        if self._gone is not None and self._gone.done():
            raise Refusal("upstream_invalid", "nobody is there any more")
        if body:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _end(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body})


def _check(head: Head) -> None:
    """What two readers could cut at two places. Raises Refusal ``upstream_invalid``."""
    chunked, length = b"transfer-encoding" in head.fields, b"content-length" in head.fields
    if (length and chunked) or (length and head.count(b"content-length") > 1):
        raise Refusal("upstream_invalid", "the upstream's answer has two lengths")
    if any(head.count(name) > 1 for name in (b"content-encoding", b"content-type")):
        raise Refusal("upstream_invalid", "the upstream's answer says twice what its body is")
    if _CONTROL.search(b"".join([value for _, value in head.headers])):
        raise Refusal("upstream_invalid", "a header of the upstream's holds a control character")
