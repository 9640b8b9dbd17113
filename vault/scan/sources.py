"""What there is to be looked at: files, folders, archives in archives, databases.

Everything comes in pieces, so that memory stays small whatever the size; what cannot be read is
named with its reason, and never passed over in silence.
"""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final, cast

from vault.scan import columns, postgresql, sqlite
from vault.scan.streams import Budget, Look, Readable, Skipped, Stream, spooled, zstandard

DEPTH: Final = 5
"""Archives within archives."""
_IN_MEMORY: Final = 8 << 20
"""Bytes of an archive within another that are held in memory; more go to a temporary file."""
_ENCRYPTED: Final = 0x1

Skip = Callable[[str, str], None]
"""Hears of what is not looked at: its name and why."""


def files(paths: Iterable[Path], excluded: Iterable[str]) -> Iterator[Path]:
    """All files of `paths`, folders walked; links are not followed."""
    globs = list(excluded)
    for path in paths:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inside:
            is_wanted = file is path or (file.is_file() and not file.is_symlink())
            if is_wanted and not _is_out(file, globs):
                yield file


def _is_out(path: Path, globs: list[str]) -> bool:
    return any(fnmatch(str(path), glob) or fnmatch(path.name, glob) for glob in globs)


class Walk:
    """One file, or what is in it: `look` gets each stream, `skip` hears of the rest."""

    def __init__(self, look: Look, skip: Skip) -> None:
        self._look = look
        self._skip = skip
        self._depth = 0
        self._budget = Budget(0)

    def file(self, path: Path) -> None:
        """Never raises for what cannot be read."""
        try:
            with path.open("rb") as file:
                self._budget = Budget(path.stat().st_size)
                self._stream(Stream(str(path), file), file)
        except OSError as error:
            self._skip(str(path), error.strerror or "cannot be read")

    def _stream(self, stream: Stream, whole: IO[bytes] | None = None) -> None:
        """`whole` is the file that can be read from anywhere, where there is one."""
        try:
            opener, reason = _what(stream.head)
            if reason is not None:
                raise Skipped(reason)
            if opener is None:
                self._look(stream)
            elif self._depth >= DEPTH:
                raise Skipped(f"archives in archives, deeper than {DEPTH}")
            else:
                self._open(opener, stream, whole)
        except Skipped as error:
            self._skip(stream.name, str(error))
        except _BROKEN as error:
            self._skip(stream.name, f"cannot be read whole ({type(error).__name__})")

    def _open(self, opener: "Opener", stream: Stream, whole: IO[bytes] | None) -> None:
        self._depth += 1
        try:
            if opener not in _ANYWHERE:
                opener(self, stream, cast("IO[bytes]", stream))
            elif whole is not None:
                whole.seek(0)
                opener(self, stream, whole)
            else:
                with SpooledTemporaryFile(_IN_MEMORY) as file:
                    opener(self, stream, spooled(stream, cast("IO[bytes]", file)))
        finally:
            self._depth -= 1

    def member(self, stream: Stream, name: str, file: Readable) -> None:
        """Something that is folded into `stream`."""
        full = f"{stream.name}!{name}"
        try:
            inner = Stream(full, file, self._budget)
        except Skipped as error:
            self._skip(full, str(error))
        except _BROKEN as error:
            self._skip(full, f"cannot be read whole ({type(error).__name__})")
        else:
            self._stream(inner)

    def zip(self, stream: Stream, file: IO[bytes]) -> None:
        with zipfile.ZipFile(file) as archive:
            for one in archive.infolist():
                if one.is_dir():
                    continue
                if one.flag_bits & _ENCRYPTED:
                    self._skip(f"{stream.name}!{one.filename}", "encrypted")
                    continue
                try:
                    with archive.open(one) as member:
                        self.member(stream, one.filename, member)
                except (*_BROKEN, NotImplementedError):
                    self._skip(f"{stream.name}!{one.filename}", "folded in an unknown way")

    def tar(self, stream: Stream, file: IO[bytes]) -> None:
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for one in archive:
                member = archive.extractfile(one) if one.isfile() else None
                if member is not None:
                    self.member(stream, one.name, member)

    def gzip(self, stream: Stream, file: IO[bytes]) -> None:
        self._folded(stream, gzip.GzipFile(fileobj=file))

    def bzip2(self, stream: Stream, file: IO[bytes]) -> None:
        self._folded(stream, bz2.BZ2File(file))

    def xz(self, stream: Stream, file: IO[bytes]) -> None:
        self._folded(stream, lzma.LZMAFile(file))  # noqa: SIM115 - of a file that is open

    def zstd(self, stream: Stream, file: IO[bytes]) -> None:
        self._folded(stream, zstandard().ZstdFile(file))

    def _folded(self, stream: Stream, file: Readable) -> None:
        self.member(stream, Path(stream.name.rpartition("!")[2]).stem, file)

    def sqlite(self, stream: Stream, file: IO[bytes]) -> None:
        for name, text in sqlite.columns(file):
            self.member(stream, name, text)

    def postgresql(self, stream: Stream, file: IO[bytes]) -> None:
        for name, text in postgresql.tables(file):
            self.member(stream, name, text)

    def columns(self, stream: Stream, file: IO[bytes]) -> None:
        for name, text in columns.columns(file, stream.head):
            self.member(stream, name, text)


Opener = Callable[[Walk, Stream, IO[bytes]], None]
_OPENERS: Final[dict[bytes, Opener]] = {
    b"PK\x03\x04": Walk.zip,
    b"PK\x05\x06": Walk.zip,
    b"\x1f\x8b": Walk.gzip,
    b"BZh": Walk.bzip2,
    b"\xfd7zXZ\x00": Walk.xz,
    b"\x28\xb5\x2f\xfd": Walk.zstd,
    b"SQLite format 3\x00": Walk.sqlite,
    b"PAR1": Walk.columns,
    b"ARROW1\x00\x00": Walk.columns,
    b"\xff\xff\xff\xff": Walk.columns,
}
_ANYWHERE: Final = frozenset({Walk.zip, Walk.sqlite, Walk.columns})
"""What cannot be read from its first byte to its last."""
_CLOSED: Final = {
    b"%PDF": "PDF is not looked into",
    b"7z\xbc\xaf\x27\x1c": "7z is not looked into",
    b"Rar!": "RAR is not looked into",
    b"\x1f\x9d": "compress (.Z) is not looked into",
    b"\x04\x22\x4d\x18": "lz4 is not looked into",
    b"ORC": "ORC is not looked into",
}
_BROKEN: Final = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    sqlite.Error,
)


def _what(head: bytes) -> tuple[Opener | None, str | None]:
    """How to open what begins so, if it is an archive; and why it cannot be."""
    for magic, reason in _CLOSED.items():
        if head.startswith(magic):
            return None, reason
    for magic, opener in _OPENERS.items():
        if head.startswith(magic):
            return opener, None
    if postgresql.is_custom(head):
        return Walk.postgresql, None
    return (Walk.tar if head[257:262] == b"ustar" else None), None


def is_plain(head: bytes) -> bool:
    """Whether a file that begins so is looked at as it stands."""
    return _what(head) == (None, None)
