"""Takes a request in, as its route's rules want it passed on."""

from collections.abc import AsyncIterator
from typing import Final

from vault.errors import JetonError, Refusal
from vault.proxy.bodies.pieces import Parser
from vault.proxy.bodies.rewrite import Blocked
from vault.proxy.client import Body
from vault.proxy.encodings import accepted
from vault.proxy.guard import Leak
from vault.proxy.head import FORWARDED, Head, passed_on
from vault.proxy.message import Coding, Message, Streaming, Untouched
from vault.proxy.refusing import Stopped, of_request
from vault.proxy.routes import Route
from vault.web.headers import Header
from vault.web.intake import Disconnected, Receive
from vault.web.problem import HTTPRefusal

INTEGRITY: Final = frozenset((b"content-md5", b"digest", b"content-digest", b"repr-digest"))
"""What is said of a body's bytes, and is wrong of other ones."""
_PARTIAL: Final = frozenset(
    (b"range", b"if-range", b"if-none-match", b"if-modified-since", b"accept-encoding")
)
"""Asks for a part of an answer, or for none: of what was rewritten there is only the whole."""
_LENGTH: Final = frozenset((b"content-length",))


class TooSlow(Exception):
    """Nothing of a body has come for too long."""


class Incoming:
    """The body of a request, piece by piece."""

    def __init__(self, receive: Receive, head: Head) -> None:
        self._receive = receive
        length = head.fields.get(b"content-length", b"")
        self.more = b"transfer-encoding" in head.fields or bool(length.strip(b"0"))
        """Whether anything is still to come."""

    async def piece(self) -> bytes:
        """The next one, empty at the end. Raises Disconnected, and Refusal ``timeout``."""
        while self.more:
            try:
                message = await self._receive()
            except TooSlow:
                close = [(b"connection", b"close")]
                raise HTTPRefusal("timeout", "the body came too slowly", headers=close) from None
            if message["type"] != "http.request":
                raise Disconnected
            self.more = bool(message.get("more_body"))
            if piece := message.get("body"):
                return bytes(piece)
        return b""

    async def up_to(self, size: int) -> list[bytes]:
        """Pieces until there are more bytes than `size`, or no more pieces."""
        pieces, held = [], 0
        while self.more and held <= size:
            pieces.append(await self.piece())
            held += len(pieces[-1])
        return pieces


class Request:
    """A request under its route's rules, on its way to the upstream."""

    def __init__(
        self,
        route: Route,
        head: Head,
        message: Message | None,
        incoming: Incoming,
        whole: int,
        expansion: int,
    ) -> None:
        """`message` is None where no rule is about requests."""
        self._route = route
        self._head = head
        self._message = message
        self._incoming = incoming
        self._whole = whole
        self._expansion = expansion
        self._rewritten = False
        self.failure: BaseException | None = None
        """Why the body came to an end before its time."""

    async def body(self) -> Body:
        """The body as it goes on, the head rewritten. Raises Refusal."""
        try:
            if self._message is None:
                return await self._untouched()
            parser = self._parser() if self._incoming.more else None
            if parser is None:
                await self._message.head_alone()
                return await self._untouched()
            return await self._parsed(self._message, parser)
        except Stopped as error:
            raise of_request(error) from None

    def headers(self, more: list[Header]) -> list[Header]:
        """Those that go on with it, and `more`."""
        without = FORWARDED
        if self._rewritten:
            without = without | INTEGRITY | _LENGTH
        guard = self._route.configured.guard_responses
        answers_change = self._route.response.parsers.any or guard != "off"
        if answers_change:
            offered = self._head.fields.get(b"accept-encoding", b"").decode("latin-1")
            without = without | _PARTIAL
            more = [*more, (b"accept-encoding", accepted(offered).encode("latin-1"))]
        return passed_on(self._head, without, self._route.meant) + more

    def _parser(self) -> Parser | None:
        parsers = self._route.request.parsers
        said = self._head.fields.get(b"content-type", b"").decode("latin-1")
        parser = parsers.of(said)
        if parser is None and parsers.any and self._route.configured.others == "block":
            raise Refusal("unsupported_media_type", "this route takes no bodies of this kind")
        parser = parser or self._guarded()
        if parser is not None and b"content-range" in self._head.fields:
            raise HTTPRefusal("malformed_request", "a part of a body cannot be rewritten")
        return parser

    def _guarded(self) -> Parser | None:
        """For a body that only the guard looks at. Raises Unparsable for one that it cannot."""
        guard = self._message.guard if self._message is not None else None
        return Untouched() if guard is not None and guard.can_read(self._head.fields) else None

    async def _untouched(self, before: list[bytes] | None = None) -> Body:
        """The body as it comes; in one piece where it is all there."""
        pieces = before if before is not None else [await self._incoming.piece()]
        if not self._incoming.more:
            return b"".join(pieces) or None
        return self._passing(pieces)

    async def _passing(self, pieces: list[bytes]) -> AsyncIterator[bytes]:
        try:
            for piece in pieces:
                yield piece
            while piece := await self._incoming.piece():
                yield piece
        except (Refusal, Disconnected) as error:
            self.failure = error
            raise

    async def _parsed(self, message: Message, parser: Parser) -> Body:
        coding = Coding.of(self._head, self._expansion)
        pieces = await self._incoming.up_to(self._whole)
        if self._incoming.more:
            return await self._begun(message.streaming(parser, coding), message, pieces)
        try:
            unfolded = pieces if coding is None else coding.whole(pieces, self._whole)
            if unfolded is None:  # small as it came, and large
                streaming = message.streaming(parser, Coding.of(self._head, self._expansion))
                return await self._begun(streaming, message, pieces)
            out = await message.whole(parser, unfolded)
        except Stopped as error:
            if self._route.configured.unparsable != "pass" or isinstance(error, (Blocked, Leak)):
                raise
            await message.head_alone()
            return b"".join(pieces)
        self._rewritten = True
        return out if coding is None else coding.fold(out, last=True)

    async def _begun(self, streaming: Streaming, message: Message, pieces: list[bytes]) -> Body:
        await message.head_alone()
        self._rewritten = True
        return self._streamed(streaming, pieces)

    async def _streamed(self, streaming: Streaming, pieces: list[bytes]) -> AsyncIterator[bytes]:
        try:
            while pieces:
                if out := await streaming.feed(pieces.pop(0)):
                    yield out
            while piece := await self._incoming.piece():
                if out := await streaming.feed(piece):
                    yield out
            if out := await streaming.close():
                yield out
        except Stopped as error:
            self.failure = of_request(error)
            raise
        except (JetonError, Disconnected) as error:
            self.failure = error
            raise
