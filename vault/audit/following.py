"""Follows the record as it is written: each sealed entry once, from a place in each chain on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vault.audit.entry import Entry, decode
from vault.audit.group import SEAL_START, read_seal
from vault.audit.segment import chains, first_sequence, segments

Located = tuple[str, Entry]
"""The writer, and its entry."""


class Follower:
    """All chains of a folder, also those that begin later. Nothing is verified here."""

    def __init__(self, folder: Path, after: dict[str, int]) -> None:
        """`after`: the last sequence of each writer that is not wanted any more."""
        self._folder = folder
        self._after = after
        self._chains: dict[str, _Chain] = {}

    def read(self, most: int) -> list[Located]:
        """What came since, at most about `most` entries; a group is never divided. Raises OSError,
        msgspec.DecodeError where a sealed line is no entry."""
        found: list[Located] = []
        for path in chains(self._folder):
            chain = self._chains.get(path.name)
            if chain is None:
                chain = self._chains[path.name] = _Chain(path, self._after.get(path.name, 0))
            for group in chain.groups():
                found += ((path.name, entry) for entry in group)
                if len(found) >= most:
                    return found
        return found

    def close(self) -> None:
        for chain in self._chains.values():
            chain.close()


class _Chain:
    def __init__(self, path: Path, after: int) -> None:
        self._path = path
        self._after = after
        self._end = 0
        """The last sequence that was seen here."""
        self._file: BinaryIO | None = None
        self._segment: Path | None = None

    def groups(self) -> Iterator[list[Entry]]:
        """Of each that is sealed by now; the next time it goes on behind them."""
        if self._is_another():
            self._begin_anew()
        yield from self._sealed()
        if self._is_another():
            self._begin_anew()
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
        """Whether the chain that was followed is gone, and one that begins anew in its place: its
        entries have numbers that were seen before."""
        if self._file is None or self._segment is None:
            return False
        is_last = self._following() is None
        try:
            there = self._segment.stat()
        except FileNotFoundError:
            return is_last  # else retention has dropped it
        is_same = os.path.samestat(there, os.fstat(self._file.fileno()))
        return not is_same or (is_last and self._end < self._after)

    def _begin_anew(self) -> None:
        self.close()
        self._segment, self._after = None, 0

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
            seal = read_seal(line)
            begins = self._file.tell()
            if seal is not None:
                self._end = seal.last
            if seal is not None and seal.last > self._after:
                entries = [entry for entry in map(decode, lines) if entry.seq > self._after]
                self._after = seal.last
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
        if not file.readline().endswith(b"\n"):
            file.close()
            return False
        self._segment, self._file = segment, file
        self._end = first_sequence(segment) - 1
        return True
