"""The unit of the record: a few entry lines and the seal that chains them to all before.

::

    {"kind":"disclosure","seq":41,...}
    {"kind":"disclosure","seq":42,...}
    {"seal":{"first":41,"last":42,"previous":"...","hash":"..."}}

``hash = SHA-256(previous || bytes of the entry lines)``, one hash for the whole group. What
has no seal has never been answered: a crash left it there. Seals and headers have one
spelling only, so that no byte of a file can be changed without notice.
"""

import hashlib
from dataclasses import dataclass

import msgspec

FORMAT = 1
SEAL_START = b'{"seal":'


@dataclass(frozen=True, slots=True)
class Tail:
    """How far a chain has come: its last sequence and the hash there, in hex."""

    sequence: int
    digest: str


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    first: int
    last: int
    previous: str
    hash: str


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of a segment."""

    format: int
    writer: str
    first: int
    previous: str


class _SealLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seal: Seal


class _HeaderLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    segment: Header


_encoder = msgspec.json.Encoder()
_seals = msgspec.json.Decoder(_SealLine)
_headers = msgspec.json.Decoder(_HeaderLine)


def genesis(writer: str) -> Tail:
    """Where a chain begins. The writer's name is in it: no chain passes for another's."""
    return Tail(0, hashlib.sha256(f"jeton record {FORMAT}\n{writer}".encode()).hexdigest())


def start_hash(previous: str) -> "hashlib._Hash":
    """A SHA-256 to feed the entry lines of the group that follows `previous`."""
    return hashlib.sha256(bytes.fromhex(previous))


def seal_line(seal: Seal) -> bytes:
    return _encoder.encode(_SealLine(seal)) + b"\n"


def read_seal(line: bytes) -> Seal | None:
    """None where the line is no seal in its one spelling."""
    try:
        seal = _seals.decode(line).seal
        bytes.fromhex(seal.hash)
    except (msgspec.DecodeError, ValueError):
        return None
    return seal if seal_line(seal) == line else None


def header_line(writer: str, before: Tail) -> bytes:
    """The first line of the segment that goes on after `before`."""
    header = Header(FORMAT, writer, before.sequence + 1, before.digest)
    return _encoder.encode(_HeaderLine(header)) + b"\n"


def read_header(line: bytes) -> Header | None:
    """None where the line is no header in its one spelling."""
    try:
        header = _headers.decode(line).segment
        bytes.fromhex(header.previous)
    except (msgspec.DecodeError, ValueError):
        return None
    spelt = header_line(header.writer, Tail(header.first - 1, header.previous))
    return header if spelt == line else None


@dataclass(frozen=True, slots=True)
class Group:
    """A group ready to be written: `data` is its lines and its seal."""

    data: bytes
    first: int
    tail: Tail
    at: float
    """When it was sealed, in seconds since 1970."""

    @property
    def count(self) -> int:
        return self.tail.sequence - self.first + 1


def seal_group(entry_lines: bytes, count: int, after: Tail, at: float) -> Group:
    """Seal `count` entry lines that follow `after`."""
    hashed = start_hash(after.digest)
    hashed.update(entry_lines)
    tail = Tail(after.sequence + count, hashed.hexdigest())
    seal = Seal(after.sequence + 1, tail.sequence, after.digest, tail.digest)
    return Group(entry_lines + seal_line(seal), seal.first, tail, at)
