"""The files of one chain: segments named by their first sequence, 20 digits wide.

A segment begins with a header that binds it to the writer and to the segment before. Only
the last one of a chain is ever written to, and only by whoever holds the chain's lock.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from vault.audit.entry import CLOSED, Event, decode, seconds
from vault.audit.group import (
    SEAL_START,
    Tail,
    header_line,
    read_header,
    read_seal,
    start_hash,
)
from vault.audit.names import in_order, is_writer

SUFFIX = ".jsonl"
DIGITS = 20
HEADER_BYTES = 4_096
"""A header is far shorter; more than this without a line's end is none."""

_SEAL = b"\n" + SEAL_START
_ENTRY = b'\n{"kind":'


def segment_path(chain: Path, first: int) -> Path:
    return chain / f"{first:0{DIGITS}d}{SUFFIX}"


def first_sequence(path: Path) -> int:
    return int(path.stem)


def segments(chain: Path) -> list[Path]:
    """The segments of a chain in order; files of another name are no part of it."""
    names = (path for path in chain.iterdir() if path.suffix == SUFFIX)
    return sorted(path for path in names if len(path.stem) == DIGITS and path.stem.isdecimal())


def chains(folder: Path) -> list[Path]:
    """The folders of all writers, `w0` first."""
    found = [path for path in folder.iterdir() if is_writer(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: in_order(path.name))


def before_segment(path: Path) -> Tail | None:
    """What the segment's header says it goes on from; None where it has no whole header."""
    with path.open("rb") as file:
        header = read_header(file.readline(HEADER_BYTES))
    return None if header is None else Tail(header.first - 1, header.previous)


def sync_folder(folder: Path) -> None:
    """Make created and removed names durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Scan:
    """What stands in a segment: whole groups up to byte `end`, then `rest` bytes.

    `damaged` says that the rest is more than a crash leaves: a crash tears the last group
    only, so two seals behind a broken place are somebody's work.
    """

    tail: Tail | None
    """None: not even the header is whole."""
    end: int
    rest: int
    damaged: bool = False


def scan(path: Path) -> Scan:
    """Follow the seals of a segment and check every hash. Raises OSError."""
    with _mapped(path) as data:
        size = len(data)
        at = data.find(b"\n", 0, HEADER_BYTES) + 1
        header = read_header(data[:at]) if at else None
        if header is None:
            return Scan(None, 0, size, data.find(_SEAL) >= 0)
        tail = Tail(header.first - 1, header.previous)
        while True:
            sealed = data.find(_SEAL, at) + 1
            end = data.find(b"\n", sealed) + 1 if sealed else 0
            if not end:
                return Scan(tail, at, size - at)
            after = _follow(data, at, sealed, end, tail)
            if after is None:
                return Scan(tail, at, size - at, data.find(_SEAL, end - 1) >= 0)
            tail, at = after, end


def _follow(data: "mmap.mmap | bytes", at: int, sealed: int, end: int, tail: Tail) -> Tail | None:
    """The tail after the group at `at`; None where its seal does not hold."""
    seal = read_seal(data[sealed:end])
    if seal is None or seal.previous != tail.digest or seal.first != tail.sequence + 1:
        return None
    hashed = start_hash(tail.digest)
    with memoryview(data) as view, view[at:sealed] as group:
        hashed.update(group)
    return Tail(seal.last, seal.hash) if hashed.hexdigest() == seal.hash else None


def is_closed(chain: Path) -> bool:
    """Whether an operator has ended a chain: its last entry says so. Raises OSError."""
    for path in reversed(segments(chain)):
        with _mapped(path) as data:
            at = data.rfind(_ENTRY) + 1
            line = data[at : data.find(b"\n", at)] if at else b""
        if line:
            return _is_end(line)
    return False


def _is_end(line: bytes) -> bool:
    try:
        entry = decode(line)
    except msgspec.DecodeError:
        return False
    return isinstance(entry, Event) and entry.name == CLOSED


def last_time(path: Path) -> float | None:
    """When the last entry of a segment was made; None where it has no readable entry."""
    return _time_of(path, last=True)


def first_time(path: Path) -> float | None:
    """When the first entry of a segment was made; None where it has no readable entry."""
    return _time_of(path, last=False)


def _time_of(path: Path, *, last: bool) -> float | None:
    with _mapped(path) as data:
        at = (data.rfind(_ENTRY) if last else data.find(_ENTRY)) + 1
        end = data.find(b"\n", at) if at else -1
        if end < 0:
            return None
        line = data[at:end]
    try:
        return seconds(decode(line).time)
    except (msgspec.DecodeError, ValueError):
        return None


@contextmanager
def _mapped(path: Path) -> "Iterator[mmap.mmap | bytes]":
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


class OpenSegment:
    """The segment that is being written: every method raises OSError."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.size = size
        """Where the next group goes: everything before is durable and sealed."""
        self._descriptor = descriptor

    @classmethod
    def create(cls, chain: Path, writer: str, before: Tail) -> Self:
        """Begin the segment after `before`; a header that was left half written is replaced."""
        path = segment_path(chain, before.sequence + 1)
        header = header_line(writer, before)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size > len(header):
                raise FileExistsError("a segment of this name holds more than a header")
            os.ftruncate(descriptor, 0)
            segment = cls(path, descriptor, 0)
            segment.append(header)
            sync_folder(chain)
        except BaseException:
            os.close(descriptor)
            raise
        return segment

    @classmethod
    def reopen(cls, path: Path, size: int) -> Self:
        """Go on after byte `size`: what stands behind is cut off, and all before made durable
        (a killed process may have left it in memory only)."""
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
            sync_folder(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, size)

    def append(self, data: bytes) -> None:
        """Write and make durable. After an error some of it may stand there: `cut` it."""
        at, left = self.size, memoryview(data)
        while left:
            written = os.pwrite(self._descriptor, left, at)
            at, left = at + written, left[written:]
        os.fdatasync(self._descriptor)
        self.size = at

    def cut(self) -> None:
        """Take away whatever stands behind the last durable group."""
        os.ftruncate(self._descriptor, self.size)

    def status(self) -> os.stat_result:
        return os.fstat(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
