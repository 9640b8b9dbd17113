"""What there is to be looked at: files, folders, archives in archives, SQLite databases.

Everything comes in pieces, so that memory stays small whatever the size; what cannot be read is
named with its reason, and never passed over in silence.
"""

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

from vault.errors import JetonError

PIECE: Final = 4 << 20
DEPTH: Final = 5
"""Archives within archives."""
EXPANSION: Final = 1_000
"""How many times its size an archive may unfold to before it is taken for a bomb."""
FREE: Final = 1 << 30
_SQLITE: Final = b"SQLite format 3\x00"
_PG_CUSTOM: Final = b"PGDMP"
_ENCRYPTED: Final = 0x1


class Skipped(JetonError):
    """Something that could not be looked at, and why."""


class Stream(NamedTuple):
    """`name` is a path, with ``!`` before each name within an archive."""

    name: str
    file: IO[bytes]
    size: int


class Text(NamedTuple):
    """Bytes in order, with the offset of the first in their source."""

    data: bytes
    offset: int
    shared: int
    """Bytes at its beginning that the piece before it had as well."""
    last: bool


def files(paths: list[Path], excluded: list[str]) -> Iterator[Path]:
    """All files of `paths`, folders walked; links are not followed."""
    for path in paths:
        if path.is_dir():
            for inner in sorted(path.rglob("*")):
                if inner.is_file() and not inner.is_symlink() and not _is_out(inner, excluded):
                    yield inner
        elif not _is_out(path, excluded):
            yield path


def _is_out(path: Path, excluded: list[str]) -> bool:
    return any(fnmatch(str(path), glob) or fnmatch(path.name, glob) for glob in excluded)


def streams(stream: Stream, depth: int = 0) -> Iterator[Stream | Skipped]:
    """The stream itself, or what is in it where it is an archive or a database."""
    head = stream.file.read(512)
    stream.file.seek(0)
    try:
        yield from _opened(stream, head, depth)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile,
            sqlite3.Error, RuntimeError, NotImplementedError) as error:  # fmt: skip
        yield Skipped(f"{stream.name}: cannot be read whole ({type(error).__name__})")


def _opened(stream: Stream, head: bytes, depth: int) -> Iterator[Stream | Skipped]:
    is_archive = head.startswith((b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")) or (
        head[257:262] == b"ustar"
    )
    if is_archive and depth >= DEPTH:
        yield Skipped(f"{stream.name}: archives in archives, deeper than {DEPTH}")
    elif head.startswith(b"PK\x03\x04"):
        yield from _zip(stream, depth)
    elif head[257:262] == b"ustar":
        yield from _tar(stream, depth)
    elif is_archive:
        yield from _compressed(stream, head, depth)
    elif head.startswith(_SQLITE) and not depth:
        yield from _sqlite(stream)
    elif head.startswith(_PG_CUSTOM):
        yield Skipped(f"{stream.name}: a compressed dump: pg_restore -f writes what can be read")
    elif head.startswith((b"%PDF", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"PAR1")):
        yield Skipped(f"{stream.name}: a format that is not looked into")
    else:
        yield stream


def _zip(stream: Stream, depth: int) -> Iterator[Stream | Skipped]:
    with zipfile.ZipFile(stream.file) as archive:
        for one in archive.infolist():
            name = f"{stream.name}!{one.filename}"
            if one.is_dir():
                continue
            if one.flag_bits & _ENCRYPTED:
                yield Skipped(f"{name}: encrypted")
                continue
            with archive.open(one) as member:
                yield from _member(name, member, stream.size, depth)


def _tar(stream: Stream, depth: int) -> Iterator[Stream | Skipped]:
    with tarfile.open(fileobj=stream.file) as archive:
        for one in archive:
            member = archive.extractfile(one) if one.isfile() else None
            if member is not None:
                yield from _member(f"{stream.name}!{one.name}", member, stream.size, depth)


def _compressed(stream: Stream, head: bytes, depth: int) -> Iterator[Stream | Skipped]:
    openers: dict[bytes, Callable[[IO[bytes]], Any]] = {
        b"\x1f": lambda file: gzip.GzipFile(fileobj=file),
        b"B": bz2.BZ2File,
        b"\xfd": lzma.LZMAFile,
    }
    with openers[head[:1]](stream.file) as opened:
        name = f"{stream.name}!{Path(stream.name).stem}"
        yield from _member(name, opened, stream.size, depth)


def _member(name: str, file: IO[bytes], size: int, depth: int) -> Iterator[Stream | Skipped]:
    bounded = cast("IO[bytes]", _Bounded(file, size))
    yield from streams(Stream(name, bounded, size), depth + 1)


class _Bounded(io.RawIOBase):
    """A member of an archive, which stops where it unfolds to more than it may."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._most = max(FREE, size * EXPANSION)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if self._file.tell() > self._most:
            raise OSError("a bomb")
        return data


def _sqlite(stream: Stream) -> Iterator[Stream | Skipped]:
    """Every column of every table as text, numbers too; one stream a column."""
    with closing(sqlite3.connect(f"file:{stream.name}?mode=ro&immutable=1", uri=True)) as base:
        base.text_factory = bytes
        tables = base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            quoted = table.decode().replace('"', '""')
            rows = base.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608 - a name of its own
            named = [column[0] for column in rows.description]
            texts: list[list[bytes]] = [[] for _ in named]
            for row in rows:
                for column, value in zip(texts, row, strict=True):
                    column.append(value if isinstance(value, bytes) else str(value or "").encode())
            for name, column in zip(named, texts, strict=True):
                data = b"\n".join(column)
                where = f"{stream.name}!{table.decode()}.{name}"
                yield Stream(where, io.BytesIO(data), len(data))


def pieces(stream: Stream, overlap: int) -> Iterator[Text]:
    """What a stream holds, each piece but the first beginning with the `overlap` last bytes of the
    one before it. UTF-16 is read as what it says."""
    data = stream.file.read(max(PIECE, 2))
    decode = _utf16(data)
    before, offset = b"", 0
    while data:
        more = stream.file.read(max(PIECE, 2))
        text = before + (decode(data) if decode else data)
        yield Text(text, offset, len(before), last=not more)
        before = text[-overlap:] if len(text) > overlap else text
        offset += len(text) - len(before)
        data = more


def _utf16(head: bytes) -> Callable[[bytes], bytes] | None:
    sample = head[:4096]
    if sample.startswith(b"\xff\xfe") or (sample[1::2].count(0) > len(sample) * 0.4):
        return lambda data: data.decode("utf-16-le", "replace").encode()
    if sample.startswith(b"\xfe\xff") or (sample[::2].count(0) > len(sample) * 0.4):
        return lambda data: data.decode("utf-16-be", "replace").encode()
    return None
