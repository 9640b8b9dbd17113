"""Bodies of kinds that are small by nature: held whole, within the limit of a record."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from vault.proxy.bodies.pieces import Field, Limits, Piece, Unparsable


class WholeParser(ABC):
    """Says nothing before the body has ended."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limit = (limits or Limits()).record
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        self._size += len(chunk)
        if self._size > self._limit:
            raise Unparsable(f"a body longer than {self._limit} bytes", self._limit)
        self._chunks.append(chunk)
        return []

    def close(self) -> Sequence[Piece]:
        body = b"".join(self._chunks)
        return spliced(body, self.read(body))

    @abstractmethod
    def read(self, body: bytes) -> Sequence[tuple[int, Field]]:
        """The fields and where their raw bytes begin, in order. Raises Unparsable."""


def spliced(body: bytes, fields: Sequence[tuple[int, Field]]) -> list[Piece]:
    """The body with fields in their places."""
    out: list[Piece] = []
    done = 0
    for start, field in fields:
        out += (body[done:start], field)
        done = start + len(field.raw)
    out.append(body[done:])
    return [piece for piece in out if piece != b""]
