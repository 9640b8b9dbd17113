"""PostgreSQL's custom dumps (``pg_dump -Fc``): the statements, and the rows of every table.

Written after `pg_backup_archiver.c` and `pg_backup_custom.c`, for the archives of version 1.12 and
later (PostgreSQL 9 and on). Directory dumps are gzip or zstd files of their own.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final

from vault.scan.streams import Readable, Skipped, zstandard

_MAGIC: Final = b"PGDMP"
_FORMAT: Final = 10
_OLDEST: Final = (1, 12)
_NONE, _GZIP, _LZ4, _ZSTD = range(4)
_CUSTOM: Final = 1
_DATA, _BLOBS = 1, 3
_PIECE: Final = 1 << 16


def is_custom(head: bytes) -> bool:
    """Whether rows follow; the lists of contents of other dumps are plain."""
    return head.startswith(_MAGIC) and head[_FORMAT : _FORMAT + 1] in {b"", bytes([_CUSTOM])}


class _Archive:
    """The numbers and strings that an archive is made of."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.exactly(len(_MAGIC))
        self.version = (self.byte(), self.byte())
        self.byte()
        self._integer, self._offset = self.byte(), self.byte()
        self.byte()
        if self.version < _OLDEST or self._integer > 8:
            raise Skipped("a dump of an unknown version: pg_restore -f writes what can be read")
        if self.version >= (1, 15):
            self.coding = self.byte()
        else:
            self.coding = _GZIP if self.integer() else _NONE

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._file.read(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def byte(self) -> int:
        return self.exactly(1)[0]

    def block(self) -> int | None:
        """The kind of the next block, None at the end."""
        kind = self._file.read(1)
        return kind[0] if kind else None

    def integer(self) -> int:
        negative, size = self.byte(), int.from_bytes(self.exactly(self._integer), "little")
        return -size if negative else size

    def string(self) -> bytes | None:
        size = self.integer()
        return self.exactly(size) if size >= 0 else None

    def skip_offset(self) -> None:
        self.exactly(1 + self._offset)

    def chunks(self) -> Iterator[bytes]:
        while size := self.integer():
            yield self.exactly(size)


def tables(file: IO[bytes]) -> Iterator[tuple[str, Readable]]:
    """By ``schema.table``, after ``(statements)``; each has to be read before the next. Raises
    Skipped for what cannot be read."""
    archive = _Archive(file)
    for _ in range(7):
        archive.integer()  # when it was made
    for _ in range(3):
        archive.string()  # of what, and by what
    names: dict[int, str] = {}
    statements: list[bytes] = []
    for _ in range(archive.integer()):
        _entry(archive, names, statements)
    yield "(statements)", _Chunks(iter([text + b"\n" for text in statements]))
    while (kind := archive.block()) is not None:
        number = archive.integer()
        if kind == _DATA:
            yield from _whole(names.get(number, str(number)), archive)
        elif kind == _BLOBS:
            while large := archive.integer():
                yield from _whole(f"large object {large}", archive)
        else:
            raise Skipped("a block of an unknown kind: pg_restore -f writes what can be read")


def _entry(archive: _Archive, names: dict[int, str], statements: list[bytes]) -> None:
    number = archive.integer()
    archive.integer()
    archive.string(), archive.string()
    tag = archive.string() or b""
    archive.string()
    archive.integer()
    statements += [text for text in (archive.string(), archive.string()) if text]
    archive.string()
    schema = archive.string() or b""
    archive.string()
    if archive.version >= (1, 14):
        archive.string()
    if archive.version >= (1, 16):
        archive.integer()
    archive.string(), archive.string()
    while archive.string() is not None:
        pass
    archive.skip_offset()
    names[number] = f"{schema.decode('utf-8', 'replace')}.{tag.decode('utf-8', 'replace')}"


def _whole(name: str, archive: _Archive) -> Iterator[tuple[str, Readable]]:
    """One table; what was left of it unread is read."""
    chunks = archive.chunks()
    yield name, _Chunks(_unfolded(archive.coding, chunks))
    for _ in chunks:
        pass


class _Chunks:
    """Chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def read(self, size: int = -1, /) -> bytes:
        taken, held = [self._left], len(self._left)
        while not 0 <= size <= held:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            taken.append(chunk)
            held += len(chunk)
        data = b"".join(taken)
        size = len(data) if size < 0 else size
        self._left = data[size:]
        return data[:size]


def _unfolded(coding: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if coding == _NONE:
        yield from chunks
        return
    if coding == _LZ4:
        raise Skipped("a dump in lz4: pg_restore -f writes what can be read")
    step: Callable[[bytes], Iterator[bytes]] = _inflating() if coding == _GZIP else _of_zstd()
    for chunk in chunks:
        yield from step(chunk)


def _inflating() -> Callable[[bytes], Iterator[bytes]]:
    inflate = zlib.decompressobj()

    def step(data: bytes) -> Iterator[bytes]:
        piece = b"."
        while data or len(piece) == _PIECE:
            piece = inflate.decompress(data, _PIECE)
            yield piece
            data = inflate.unconsumed_tail

    return step


def _of_zstd() -> Callable[[bytes], Iterator[bytes]]:
    inflate = zstandard().ZstdDecompressor()

    def step(data: bytes) -> Iterator[bytes]:
        yield inflate.decompress(data, _PIECE)
        while not inflate.needs_input and not inflate.eof:
            yield inflate.decompress(b"", _PIECE)

    return step
