"""Bytes on their way: with a name, read once, and never more of them than a file may unfold to."""

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any, Final, NamedTuple, Protocol

from vault.errors import JetonError
from vault.scan.finder import MARGIN
from vault.scan.readings import BEFORE

PIECE: Final = 4 << 20
EXPANSION: Final = 1_000
"""How many times its size a file may unfold to before it is taken for a bomb."""
FREE: Final = 1 << 30
_HEAD: Final = 4096
"""Bytes that tell what a stream is."""


class Skipped(JetonError):
    """Something that could not be looked at: why, in a few words."""


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Budget:
    """What all that is folded into one file may come to."""

    def __init__(self, size: int) -> None:
        self._left = max(FREE, size * EXPANSION)

    def spend(self, size: int) -> None:
        """Raises Skipped."""
        self._left -= size
        if self._left < 0:
            raise Skipped("unfolds to more than its size allows: a bomb")


class Stream(io.RawIOBase):
    """Bytes that are read once, from the first on. `name` is a path, with ``!`` before each name
    within an archive."""

    def __init__(self, name: str, source: Readable, budget: Budget | None = None) -> None:
        """`budget` is spent by what is read, where it is given."""
        super().__init__()
        self.name = name
        self._source = source
        self._budget = budget
        self._pushed = b""
        self.head = self._pushed = self.read(_HEAD)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._pushed:
            taken, self._pushed = self._pushed[:size], self._pushed[size:]
            return taken
        data = self._source.read(size)
        if self._budget is not None:
            self._budget.spend(len(data))
        return data

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override] # what tarfile gives
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


Look = Callable[[Stream], None]
"""What is done with each stream that is no archive."""


class Text(NamedTuple):
    """Bytes of a source from `offset` on. Numbers that begin from `first` on, but before `beyond`,
    are counted here; the rest is there to be looked at beside them."""

    data: bytes
    offset: int
    first: int
    beyond: int


def pieces(file: Readable, first: int = 0, until: int | None = None) -> Iterator[Text]:
    """What there is in `file`; or, of one that was sought to `BEFORE` bytes before `first` (to 0,
    if that is less), what is before `until`."""
    data, offset, ended = b"", max(0, first - BEFORE), False
    while not ended:
        more = file.read(PIECE)
        ended = not more
        data += more
        beyond = offset + len(data) - (0 if ended else MARGIN - BEFORE)
        if until is not None and beyond >= until:
            beyond, ended = until, True
        if beyond > first:
            yield Text(data, offset, first, beyond)
            done = max(0, beyond - BEFORE - offset)
            data, offset, first = data[done:], offset + done, beyond


def spooled(stream: Stream, file: IO[bytes]) -> IO[bytes]:
    """`file` with all of the stream, for what has to be read from anywhere."""
    while data := stream.read(PIECE):
        file.write(data)
    file.seek(0)
    return file


def zstandard() -> Any:
    """The module. Raises Skipped where there is none."""
    with suppress(ImportError):
        from compression import zstd as builtin  # noqa: PLC0415 - from Python 3.14 on

        return builtin
    try:
        from backports import zstd as backport  # noqa: PLC0415 - an extra
    except ImportError:
        raise Skipped("zstd is read with jeton[proxy]") from None
    return backport
