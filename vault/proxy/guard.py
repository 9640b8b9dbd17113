"""The leak guard: looks at everything that passes for real numbers, whatever the rules say.

Rules know where identifiers stand; the guard is for the places that nobody thought of. It finds
what `jeton scan` finds: a NIR with its right key, in any printed form, outside the band.
"""

from collections.abc import Callable, Mapping
from typing import Final

from vault.errors import JetonError
from vault.proxy.bodies.pieces import Unparsable
from vault.proxy.encodings import is_known
from vault.proxy.kinds import holds_ascii
from vault.scan.finder import MARGIN, Kind, find
from vault.scan.readings import BEFORE

_WAITING: Final = MARGIN - BEFORE
"""Bytes that wait for what comes after them: a number and what stands beside it."""
_STAR: Final = b"*"
_NINE: Final = b"9"
_OPENERS: Final = frozenset(b":[, \t\r\n")
_CLOSERS: Final = frozenset(b",]} \t\r\n")
"""What stands beside a number of JSON that is no string."""

_WIDE: Final = frozenset(("utf-16", "utf-16le", "utf-16be"))
"""Charsets that are read beside those that hold ASCII."""

Told = Callable[[int], None]
"""Hears how many numbers there were; 0: there is a body that nobody can look at."""


class Leak(JetonError):
    """A real number would have passed; says how many, never which."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} real numbers stand where none should be")


class Guard:
    """Looks at one body. `mode` is what happens to a number: ``report`` lets it pass, ``mask``
    puts stars in its place (nines in a number of JSON, which has to stay one), ``block`` raises
    before any byte of it leaves. `tell` hears how many there were, whatever happens to them.
    """

    def __init__(self, mode: str, tell: Told) -> None:
        self._mode = mode
        self._tell = tell
        self._held = b""
        self._before = 0
        """Bytes of `_held` that are out, kept to be looked back at."""
        self._masks: list[tuple[int, int, bytes]] = []
        """Where in `_held` masks go on, and what they are made of."""
        self._is_json: bool | None = None
        """None until there is something to tell it by."""

    def can_read(self, head: Mapping[bytes, bytes]) -> bool:
        """Whether numbers would be seen in the body behind a head. One with digits of its own
        (UTF-32, UTF-7, EBCDIC), or in an unknown coding, is told of where nothing more was asked
        for. Raises Unparsable."""
        in_ascii = holds_ascii(head.get(b"content-type", b"").decode("latin-1"), _WIDE)
        if self._mode != "report":
            if not in_ascii:
                raise Unparsable("the charset does not hold ASCII", 0)
            return True
        if in_ascii and is_known(head.get(b"content-encoding", b"").decode("latin-1")):
            return True
        self._tell(0)
        return False

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
        return Guard(self._mode, self._tell)._pass(text, last=True)  # noqa: SLF001 - its own kind

    def _pass(self, data: bytes, *, last: bool) -> bytes:
        before = self._before
        if self._is_json is None and (opening := data.lstrip()[:1]):
            self._is_json = opening in {b"{", b"["}
        until = len(data) if last else max(before, len(data) - _WAITING)
        found = find(data)
        mine = found.kinds == Kind.REAL
        mine &= (found.offsets >= before) & (found.offsets < until)
        if mine.any():
            self._meet(data, found.offsets[mine].tolist(), found.lengths[mine].tolist())
        out = self._masked(data)[before:until] if self._masks else data[before:until]
        kept = max(until - BEFORE, 0)
        self._held, self._before = data[kept:], until - kept
        self._masks = [
            (start - kept, end - kept, of) for start, end, of in self._masks if end > until
        ]
        return out

    def _meet(self, data: bytes, offsets: list[int], lengths: list[int]) -> None:
        self._tell(len(offsets))
        if self._mode == "block":
            raise Leak(len(offsets))
        if self._mode == "mask":
            for start, length in zip(offsets, lengths, strict=True):
                of = _NINE if self._is_number(data, start, start + length) else _STAR
                self._masks.append((start, start + length, of))

    def _masked(self, data: bytes) -> bytes:
        out = bytearray(data)
        for start, end, of in self._masks:
            out[max(start, 0) : end] = of * (end - max(start, 0))
        return bytes(out)

    def _is_number(self, data: bytes, start: int, end: int) -> bool:
        """Whether it stands in JSON as a number."""
        if not self._is_json:
            return False
        beside = data[start - 1] in _OPENERS if start else True
        return data[start:end].isdigit() and beside and (end == len(data) or data[end] in _CLOSERS)
