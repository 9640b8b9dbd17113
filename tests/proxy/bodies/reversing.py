"""An engine for tests: its token of a text is the text backwards, or fails where it has an x."""

import itertools
from collections.abc import Iterable, Sequence

from vault.errors import InvalidValue, ItemError
from vault.proxy.bodies.pieces import Field, Operation, Parser, Piece, Rule, one_by_one
from vault.proxy.bodies.rewrite import Rewriter


class Reversing:
    """Keeps what it was asked; with `identity` it gives every text back as it is."""

    def __init__(self, *, identity: bool = False) -> None:
        self.asked: list[tuple[Operation, str, list[str], list[str | None]]] = []
        self.identity = identity

    async def __call__(
        self,
        operation: Operation,
        transformation: str,
        texts: Sequence[str],
        contexts: Sequence[str | None],
    ) -> Sequence[str | ItemError]:
        self.asked.append((operation, transformation, list(texts), list(contexts)))
        if self.identity:
            return list(texts)
        return [InvalidValue("no value") if "x" in text else text[::-1] for text in texts]


def rule(selector: str, operation: Operation = "tokenise", **more: str) -> Rule:
    return Rule(selector, "t", operation, **more)  # type: ignore[arg-type]


def cut(body: bytes, at: Iterable[int]) -> list[bytes]:
    """The body in chunks, cut at these places."""
    places = [0, *sorted(min(place, len(body)) for place in at), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(places)]


def parsed(parser: Parser, chunks: Iterable[bytes]) -> list[Piece]:
    pieces: list[Piece] = []
    for chunk in chunks:
        pieces += parser.feed(chunk)
    return list(one_by_one([*pieces, *parser.close()]))


def shape(pieces: Iterable[Piece]) -> list[object]:
    """Pieces, comparable: neighbouring bytes joined, fields as what they say."""
    shown: list[object] = []
    for piece in pieces:
        if isinstance(piece, Field):
            context = piece.context
            shown.append(
                (piece.text, piece.raw, piece.rule.selector)
                + ((context.text,) if isinstance(context, Field) else (context,))
            )
        elif shown and isinstance(shown[-1], bytes):
            shown[-1] += piece
        elif piece:
            shown.append(piece)
    return shown


def texts(pieces: Iterable[Piece]) -> list[str]:
    return [piece.text for piece in pieces if isinstance(piece, Field)]


async def rewritten(parser: Parser, chunks: Iterable[bytes], ask: Reversing | None = None) -> bytes:
    rewriter = Rewriter(parser, ask or Reversing(), max_fields=7)
    out = [await rewriter.feed(chunk) for chunk in chunks]
    return b"".join([*out, await rewriter.close()])
