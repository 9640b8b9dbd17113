"""One pass over a message: its fields are asked for together and put back, a body that is too
large for that in batches as it passes."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from vault.proxy.bodies.json import JsonParser
from vault.proxy.bodies.pieces import Parser, Piece
from vault.proxy.bodies.rewrite import Ask, Asked, Rewriter, answer, asked, put_back
from vault.proxy.encodings import Decoder, Encoder, encoder
from vault.proxy.guard import Guard
from vault.proxy.head import Head
from vault.proxy.rules import Rules


class Message:
    """The head and the body of a request or an answer, under the rules of its direction."""

    def __init__(self, head: Head, rules: Rules, ask: Ask, guard: Guard | None = None) -> None:
        """`guard` looks at what leaves. Raises Unparsable for a query that is none."""
        self.guard = guard
        self._rules = rules
        self._head = head
        self._ask = ask
        self._fields = head.find(rules.head) if rules.head else []
        for field in self._fields:
            self._lend(field)

    def _lend(self, field: Asked) -> None:
        """Give a field the context that stands in the head."""
        place = self._rules.borrowed.get(field.rule)
        if place is not None:
            field.context = self._head.context(place)

    async def head_alone(self) -> None:
        """Rewrite the head. Raises Blocked, Leak, and Refusal."""
        if self._fields:
            await answer(self._fields, self._ask)
            self._head.rewrite()
        if self.guard is not None:
            self._head.guard(self.guard)

    async def whole(self, parser: Parser, body: Iterable[bytes]) -> bytes:
        """Rewrite the head, and a body that is all there, in one batch. Raises Unparsable,
        Blocked, and Refusal; nothing was asked for a body that cannot be parsed."""
        pieces = _pieces(parser, body)
        fields = asked(pieces)
        for field in fields:
            self._lend(field)
        await answer([*self._fields, *fields], self._ask)
        self._head.rewrite()
        out = b"".join([p if isinstance(p, bytes) else put_back(p) for p in pieces])
        if self.guard is None:
            return out
        self._head.guard(self.guard)
        return self.guard.check(out)

    def streaming(self, parser: Parser, coding: "Coding | None") -> "Streaming":
        """The way of a body that is still coming; the head is rewritten before."""
        lending = _Lending(parser, self._lend) if self._rules.borrowed else parser
        return Streaming(Rewriter(lending, self._ask), coding, self.guard)


def _pieces(parser: Parser, body: Iterable[bytes]) -> list[Piece]:
    if isinstance(parser, JsonParser):
        return [*parser.whole(b"".join(body))]
    pieces: list[Piece] = []
    for chunk in body:
        pieces += parser.feed(chunk)
    return [*pieces, *parser.close()]


class Untouched:
    """The parser of a body that no rule is about."""

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        return [chunk]

    def close(self) -> Sequence[Piece]:
        return []


class _Lending:
    """A parser whose fields get contexts of the head."""

    def __init__(self, parser: Parser, lend: Callable[[Asked], None]) -> None:
        self._parser = parser
        self._lend = lend

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        return self._lent(self._parser.feed(chunk))

    def close(self) -> Sequence[Piece]:
        return self._lent(self._parser.close())

    def _lent(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        for field in asked(pieces):
            self._lend(field)
        return pieces


class Coding:
    """A content coding, undone before a body is rewritten and done again after."""

    def __init__(self, name: str, expansion: int) -> None:
        """Raises UnknownEncoding."""
        self._decoder = Decoder(name, expansion)
        self._encoder: Encoder = encoder(name)

    @classmethod
    def of(cls, head: Head, expansion: int) -> "Coding | None":
        """The one that a head names, None where the body is as it is. Raises UnknownEncoding."""
        name = head.fields.get(b"content-encoding", b"").decode("latin-1").lower()
        return None if name in {"", "identity"} else cls(name, expansion)

    def unfold(self, chunk: bytes) -> Iterator[bytes]:
        return self._decoder.feed(chunk)

    def whole(self, pieces: Iterable[bytes], size: int) -> list[bytes] | None:
        """All of a body that is there; None where it unfolds to more than `size` bytes, which
        this coding has then been spent on. Raises BadEncoding, Bomb."""
        unfolded, held = list[bytes](), 0
        for piece in pieces:
            for part in self._decoder.feed(piece):
                held += len(part)
                if held <= size:
                    unfolded.append(part)
        self._decoder.close()
        return unfolded if held <= size else None

    def unfolded(self) -> None:
        """Raises BadEncoding where something is missing."""
        self._decoder.close()

    def fold(self, data: bytes, *, last: bool = False) -> bytes:
        out = self._encoder.compress(data) if data else b""
        return out + self._encoder.flush() if last else out


class Streaming:
    """Chunks in, what may leave of them out."""

    def __init__(self, rewriter: Rewriter, coding: Coding | None, guard: Guard | None) -> None:
        self._rewriter = rewriter
        self._coding = coding
        self._guard = guard

    async def feed(self, chunk: bytes) -> bytes:
        """Raises whatever stops a message."""
        if self._coding is None:
            return self._guarded(await self._rewriter.feed(chunk))
        out = []
        for piece in self._coding.unfold(chunk):
            out.append(self._guarded(await self._rewriter.feed(piece)))
            await asyncio.sleep(0)  # a chunk may unfold to much, and others have their turn
        return self._coding.fold(b"".join(out))

    async def close(self) -> bytes:
        """The rest. Raises as `feed` does."""
        if self._coding is not None:
            self._coding.unfolded()
        out = self._guarded(await self._rewriter.close())
        if self._guard is not None:
            out += self._guard.close()
        return out if self._coding is None else self._coding.fold(out, last=True)

    def _guarded(self, data: bytes) -> bytes:
        return data if self._guard is None else self._guard.feed(data)
