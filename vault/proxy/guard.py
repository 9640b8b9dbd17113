"""The leak guard: looks at everything that passes for real numbers, whatever the rules say.

Rules know where identifiers stand; the guard is for the places that nobody thought of. It finds
what `jeton scan` finds: a NIR with its right key, in any printed form, outside the band.
"""

from collections.abc import Callable
from typing import Final

from vault.errors import JetonError
from vault.scan.finder import LONGEST, Kind, find

_HELD: Final = LONGEST + 2
"""Bytes that wait for what comes after them: a number and what stands beside it."""
_STAR: Final = b"*"

Told = Callable[[int], None]


class Leak(JetonError):
    """A real number would have passed; says how many, never which."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} real numbers stand where none should be")


class Guard:
    """Looks at one body. `mode` is what happens to a number: ``report`` lets it pass, ``mask``
    puts stars in its place, ``block`` raises before any byte of it leaves. `tell` hears how many
    there were, whatever happens to them."""

    def __init__(self, mode: str, tell: Told) -> None:
        self._mode = mode
        self._tell = tell
        self._held = b""
        self._before = 0
        """Bytes of `_held` that are out, kept to be looked back at."""

    def feed(self, data: bytes) -> bytes:
        """What may leave now. Raises Leak."""
        return self._pass(self._held + data, last=False)

    def close(self) -> bytes:
        """The rest. Raises Leak."""
        return self._pass(self._held, last=True)

    def strict(self) -> "Guard":
        """The same for a place that nothing can be masked in."""
        return Guard("block" if self._mode == "mask" else self._mode, self._tell)

    def check(self, text: bytes) -> bytes:
        """A text that is all there. Raises Leak."""
        once = Guard(self._mode, self._tell)
        return once.feed(text) + once.close()

    def _pass(self, data: bytes, *, last: bool) -> bytes:
        until = len(data) if last else max(self._before, len(data) - _HELD)
        out: list[bytes] = []
        at, count = self._before, 0
        for found in find(data):
            end = found.offset + found.length
            if found.kind is not Kind.REAL or found.offset < at or found.offset >= until:
                continue
            count += 1
            if self._mode == "mask":
                out += (data[at : found.offset], _STAR * found.length)
                at = end
            until = max(until, end)
        if count:
            self._tell(count)
            if self._mode == "block":
                raise Leak(count)
        out.append(data[at:until])
        kept = max(until - 1, 0)
        self._held, self._before = data[kept:], until - kept
        return b"".join(out)
