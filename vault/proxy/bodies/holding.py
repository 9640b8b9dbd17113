"""Pieces on their way out, held back behind a slot that is not settled yet."""

from collections import deque

from vault.proxy.bodies.follow import Slot
from vault.proxy.bodies.pieces import Piece


class TooMuchHeld(Exception):
    """More than the limit of a record waits."""


class Holding:
    """Keeps the order; `out` is what may leave."""

    __slots__ = ("_held", "_limit", "_size", "out")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: deque[Slot | bytes] = deque()
        self._size = 0
        self.out: list[Piece] = []

    @property
    def empty(self) -> bool:
        """What comes now may leave at once."""
        return not self._held

    def add(self, what: Slot | bytes) -> None:
        """Raises TooMuchHeld."""
        if not self._held:
            piece = what if isinstance(what, bytes) else what.resolve()
            if piece is not None:
                if piece:
                    self.out.append(piece)
                return
        self._held.append(what)
        self._size += len(what if isinstance(what, bytes) else what.raw)
        if self._size > self._limit:
            raise TooMuchHeld

    def drain(self) -> None:
        """Let go what has been settled."""
        held = self._held
        while held:
            first = held[0]
            piece = first if isinstance(first, bytes) else first.resolve()
            if piece is None:
                return
            held.popleft()
            self._size -= len(first if isinstance(first, bytes) else first.raw)
            self.out.append(piece)

    def taken(self) -> list[Piece]:
        out, self.out = self.out, []
        return out
