"""Writes one chain of the record: a group is on disk before anybody hears of it.

A writer never trusts that its files are still where they were. Before each group it looks
whether the folder, the segment and its lock are the ones it knows; if not, if the disk is
full or the file system read-only, nothing is acknowledged (`AuditUnavailable`), and the next
group tries again by itself. What a failed write left behind is cut off first.

`prepare` is cheap and belongs to the event loop; `write` blocks and belongs to a thread. One
group at a time: prepare, write, prepare, ...
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from vault.audit.entry import Detail, Entry, Event, Receipt, lines, timestamp
from vault.audit.group import Group, Tail, genesis, seal_group
from vault.audit.locking import FileLock, same_file
from vault.audit.names import prefix_of
from vault.audit.segment import (
    OpenSegment,
    Scan,
    before_segment,
    first_time,
    is_closed,
    scan,
    segments,
)
from vault.audit.trouble import RecordError, words_of
from vault.errors import Refusal

SEGMENT_BYTES = 256 * 1024 * 1024
SEGMENT_SECONDS = 86_400
"""A segment is closed after a day, so that retention can drop whole segments."""

SPARE_BYTES = 8_192
"""Room on top of a failed group before it is worth trying again on a full disk."""


class AuditUnavailable(Refusal):
    """The record cannot be written, so nothing may be disclosed."""

    def __init__(self, detail: str = "the record cannot be written") -> None:
        super().__init__("audit_unavailable", detail, retry_after=1)


class DamagedError(Exception):
    """A chain that a crash alone does not explain: nothing is added to it."""


class RecordWriter:
    """The owner of one chain (see `vault.audit.names`); made by `claim`."""

    def __init__(
        self,
        chain: Path,
        lock: FileLock,
        segment: OpenSegment,
        tail: Tail,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
    ) -> None:
        self.name = chain.name
        self.tail = tail
        """The last sequence on disk and the hash there."""
        self.trouble: str | None = None
        """Why the last group could not be written; None while all is well."""
        self.repaired: Detail | None = None
        """What a crash had left at the end of this chain and was cut off at the claim."""
        self._chain = chain
        self._lock = lock
        self._segment = segment
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._opened = first_time(segment.path)
        self._dirty = False
        self._wanted = 0
        self._due = False
        """A rotation has failed. Its segment may stand there already, so nothing may be added
        to this one any more."""

    @classmethod
    def claim(
        cls,
        folder: Path,
        *,
        host: str = "",
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
    ) -> Self:
        """Take the first chain of the host that nobody owns, repaired where a crash tore its end.

        Chains that are damaged are left alone, as evidence, and so are those that an operator has
        closed. Raises OSError.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = 0
        while True:
            chain = folder / f"{prefix_of(host)}w{number}"
            chain.mkdir(mode=0o700, exist_ok=True)
            try:
                writer = cls.take(
                    chain, segment_bytes=segment_bytes, segment_seconds=segment_seconds
                )
            except DamagedError:
                writer = None
            if writer is not None and not is_closed(chain):
                return writer
            if writer is not None:
                writer.close()
            number += 1

    @classmethod
    def take(
        cls,
        chain: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
    ) -> Self | None:
        """Own this chain; None where another does. Raises DamagedError, OSError."""
        lock = FileLock.take(chain / "lock")
        if lock is None:
            return None
        try:
            segment, tail, repaired = _open_last(chain)
            writer = cls(
                chain,
                lock,
                segment,
                tail,
                segment_bytes=segment_bytes,
                segment_seconds=segment_seconds,
            )
        except BaseException:
            lock.release()
            raise
        writer.repaired = repaired
        return writer

    def prepare(self, entries: Sequence[Entry], now: float) -> Group:
        """Number, spell and seal the entries as the group that follows the last one."""
        first = self.tail.sequence + 1
        return seal_group(lines(entries, first, timestamp(now)), len(entries), self.tail, now)

    def write(self, group: Group) -> list[Receipt]:
        """Write the group and make it durable; one receipt an entry.

        Raises AuditUnavailable with nothing written; its numbers are then used again.
        """
        try:
            self._look(len(group.data))
            self._rotate_if_due(group)
            self._segment.append(group.data)
        except OSError as error:
            self._fail(error, len(group.data))
            raise AuditUnavailable from error
        self.tail = group.tail
        self.trouble = None
        self._wanted = 0
        name, digest = self.name, group.tail.digest
        return [Receipt(name, seq, digest) for seq in range(group.first, group.tail.sequence + 1)]

    def append(self, entries: Sequence[Entry], now: float) -> list[Receipt]:
        """`prepare` and `write` in one, for whoever may block."""
        return self.write(self.prepare(entries, now))

    def append_event(self, name: str, detail: Detail, now: float) -> Receipt:
        return self.append([Event(name=name, detail=detail)], now)[-1]

    def rotate(self) -> None:
        """Close the segment and begin the next, unless it is empty. Raises AuditUnavailable."""
        try:
            self._look(0)
            self._rotate()
        except OSError as error:
            self._fail(error, 0)
            raise AuditUnavailable from error

    def close(self) -> None:
        """Give the chain back. What was acknowledged is on disk already."""
        self._segment.close()
        self._lock.release()

    def _look(self, size: int) -> None:
        """Raise OSError unless the files are ours, writable and end where we left them."""
        path = self._segment.path
        if not (_is(path, self._segment) and self._lock.in_place()):
            self._adopt(path)
        if not os.access(path, os.W_OK):
            raise RecordError("the segment cannot be written")
        if self._dirty:
            self._segment.cut()
            self._dirty = False
        if self._segment.status().st_size != self._segment.size:
            raise ForeignChangeError("the segment does not end where this writer left it")
        if self._wanted:
            room = os.statvfs(path)
            if room.f_bavail * room.f_frsize < max(self._wanted, size) + SPARE_BYTES:
                raise RecordError("there is not room enough yet")

    def _adopt(self, path: Path) -> None:
        """The files were replaced: go on with them only if they hold the very same chain."""
        if path.stat().st_size < self._segment.size:
            raise ForeignChangeError("the record came back without its last entries")
        path = segments(self._chain)[-1]
        found = scan(path)
        if found.tail != self.tail or found.damaged:
            raise ForeignChangeError("the record came back without its last entries")
        lock = FileLock.take(self._chain / "lock")
        if lock is None:
            raise ForeignChangeError("the record came back and another process owns its chain")
        try:
            segment = OpenSegment.reopen(path, found.end)
        except BaseException:
            lock.release()
            raise
        self.close()
        self._lock, self._segment, self._dirty, self._due = lock, segment, False, False

    def _rotate_if_due(self, group: Group) -> None:
        full = self._segment.size + len(group.data) > self._segment_bytes
        if self._opened is None:
            self._opened = group.at
        elif self._due or full or group.at - self._opened >= self._segment_seconds:
            self._rotate()
            self._opened = group.at

    def _rotate(self) -> None:
        before = before_segment(self._segment.path)
        if before is not None and before.sequence == self.tail.sequence:
            return
        self._due = True
        fresh = OpenSegment.create(self._chain, self.name, self.tail)
        self._segment.close()
        self._segment = fresh
        self._opened = None
        self._due = False

    def _fail(self, error: OSError, size: int) -> None:
        self.trouble = words_of(error)
        self._wanted = size
        self._dirty = not isinstance(error, ForeignChangeError)
        if self._dirty:
            try:
                self._segment.cut()
                self._dirty = False
            except OSError:  # as read-only as the write was: cut at the next try
                pass


class ForeignChangeError(RecordError):
    """Somebody else changed the files: nothing is cut, for it may be evidence."""


def _is(path: Path, segment: OpenSegment) -> bool:
    return same_file(path.stat(), segment.status())


def _open_last(chain: Path) -> tuple[OpenSegment, Tail, Detail | None]:
    """The chain's last segment, cut to its last seal. Raises DamagedError, OSError."""
    cut = 0
    found = segments(chain)
    while found:
        path = found[-1]
        state: Scan = scan(path)
        if state.damaged:
            raise DamagedError(f"{chain.name} is damaged behind byte {state.end} of {path.name}")
        cut += state.rest
        if state.tail is not None:
            segment = OpenSegment.reopen(path, state.end)
            return segment, state.tail, {"bytes": cut} if cut else None
        # A crash while a segment was begun: its header is not whole, so it holds nothing.
        path.unlink()
        found.pop()
    start = genesis(chain.name)
    return OpenSegment.create(chain, chain.name, start), start, {"bytes": cut} if cut else None
