"""Follows the record as it is written: each sealed entry once, from a place in each chain on.

A place is a seal, not a number: a record that was lost and begins anew has the same numbers with
other hashes. After a power cut only a chain's last group may be gone; so the last few places are
kept, and it goes on from the latest that still stands.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from vault.audit.entry import Entry, decode
from vault.audit.group import SEAL_START, Tail, read_seal
from vault.audit.reading import tail_at
from vault.audit.segment import chains, first_sequence, segments

Located = tuple[str, Entry]
"""The writer, and its entry."""
Ends = Mapping[str, Sequence[Tail]]
"""The last groups of each writer that were read, in order."""
KEPT: Final = 8


class Follower:
    """All chains of a folder, also those that begin later. Nothing is verified here."""

    def __init__(self, folder: Path, after: Ends) -> None:
        """`after`: what is not wanted any more."""
        self._folder = folder
        self._after = after
        self._chains: dict[str, _Chain] = {}

    @property
    def ends(self) -> Ends:
        """How far it came."""
        return {**self._after, **{name: list(one.ends) for name, one in self._chains.items()}}

    def read(self, most: int) -> list[Located]:
        """What came since, at most about `most` entries; a group is never divided. Raises OSError,
        msgspec.DecodeError where a sealed line is no entry."""
        found: list[Located] = []
        for path in chains(self._folder):
            chain = self._chains.get(path.name)
            if chain is None:
                chain = self._chains[path.name] = _Chain(path, self._after.get(path.name, ()))
            for group in chain.groups():
                found += ((path.name, entry) for entry in group)
                if len(found) >= most:
                    return found
        return found

    def close(self) -> None:
        for chain in self._chains.values():
            chain.close()


class _Chain:
    def __init__(self, path: Path, ends: Sequence[Tail]) -> None:
        self.ends = deque(ends, KEPT)
        self._path = path
        self._is_placed = False
        self._after = 0
        self._file: BinaryIO | None = None
        self._segment: Path | None = None
        self._stood = (0, b"")
        """The last header or seal that was read in the file, and where."""

    def groups(self) -> Iterator[list[Entry]]:
        """Of each that is sealed by now; the next time it goes on behind them."""
        if not self._is_placed or self._is_another():
            self._place()
        yield from self._sealed()
        if self._is_another():
            self._place()
            yield from self._sealed()

    def _sealed(self) -> Iterator[list[Entry]]:
        following = self._following()
        while self._file is not None or (following is not None and self._open(following)):
            following = self._following()  # a segment that has another behind it is whole
            yield from self._rest()
            if following is None:
                return
            self.close()

    def _is_another(self) -> bool:
        """Whether what was followed is gone, and a chain goes on or begins anew in its place with
        numbers that were seen before."""
        if self._segment is None:
            return False
        if self._file is None:
            return self._following() is None
        try:
            there = self._segment.stat()
        except FileNotFoundError:
            return self._following() is None  # else retention has dropped it
        at, line = self._stood
        is_same = os.path.samestat(there, os.fstat(self._file.fileno()))
        return not is_same or os.pread(self._file.fileno(), len(line), at) != line

    def _place(self) -> None:
        """Behind the last of the ends that stands, or before all."""
        self.close()
        self._segment = None
        paths = segments(self._path)
        if not paths:
            return  # and there is nothing to look for the ends in yet
        while self.ends and not self._stands(self.ends[-1], first_sequence(paths[0])):
            self.ends.pop()
        self._after, self._is_placed = self.ends[-1].sequence if self.ends else 0, True

    def _stands(self, end: Tail, first: int) -> bool:
        """What retention has dropped cannot be looked at; all that is there comes after it."""
        return first > end.sequence + 1 or tail_at(self._path, end.sequence) == end

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rest(self) -> Iterator[list[Entry]]:
        assert self._file is not None
        lines: list[bytes] = []
        begins = self._file.tell()
        # What was read ahead is forgotten: it may have been half a group, cut off since.
        self._file.seek(0, os.SEEK_END)
        self._file.seek(begins)
        while (line := self._file.readline()).endswith(b"\n"):
            if not line.startswith(SEAL_START):
                lines.append(line)
                continue
            begins = self._file.tell()
            self._stood = begins - len(line), line
            seal = read_seal(line)
            if seal is not None and seal.last > self._after:
                entries = [entry for entry in map(decode, lines) if entry.seq > self._after]
                self._after = seal.last
                self.ends.append(Tail(seal.last, seal.hash))
                yield entries
            lines = []
        self._file.seek(begins)

    def _following(self) -> Path | None:
        """The segment behind the one that was opened last; at first, the one that `after` lies
        in."""
        paths = segments(self._path)
        if self._segment is not None:
            return next((path for path in paths if path > self._segment), None)
        fitting = [path for path in paths if first_sequence(path) <= self._after + 1]
        return next(iter(fitting[-1:] or paths[:1]), None)

    def _open(self, segment: Path) -> bool:
        """False where its header is not whole yet, or retention has dropped it meanwhile."""
        try:
            file = segment.open("rb")
        except FileNotFoundError:
            return False
        header = file.readline()
        if not header.endswith(b"\n"):
            file.close()
            return False
        self._segment, self._file, self._stood = segment, file, (0, header)
        return True
