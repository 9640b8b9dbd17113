"""One file looked at, and many of them on all cores."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from vault.scan.finder import LONGEST, Found, Kind, find
from vault.scan.sources import Skipped, Stream, Text, pieces, streams

_OVERLAP: Final = LONGEST + 2
"""Bytes that a piece shares with the one before it: a number and what stands beside it."""
SHOWN: Final = 100
"""Places of one source that are named; all of them are counted."""


@dataclass(frozen=True)
class Place:
    """Where a number stands: a line and a column of bytes, both from 1."""

    kind: str
    line: int
    column: int
    offset: int
    length: int


@dataclass
class Scanned:
    """What was found in one source: a file, or a member of it."""

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)


@dataclass
class Report:
    sources: list[Scanned] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0

    def count(self, *kinds: Kind) -> int:
        return sum(one.counts.get(kind.value, 0) for one in self.sources for kind in kinds)

    def add(self, other: "Report") -> None:
        self.sources += other.sources
        self.skipped += other.skipped
        self.files += other.files
        self.bytes += other.bytes


def scan_file(path: Path) -> Report:
    """Never raises for what cannot be read: that stands in the report."""
    report = Report(files=1)
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            report.bytes = size
            for stream in streams(Stream(str(path), file, size)):
                if isinstance(stream, Skipped):
                    report.skipped.append(str(stream))
                elif (scanned := _scan(stream)).counts:
                    report.sources.append(scanned)
    except OSError as error:
        report.skipped.append(f"{path}: {error.strerror or 'cannot be read'}")
    return report


class _Lines:
    """Which line an offset is in; offsets only grow."""

    def __init__(self) -> None:
        self.line = 1
        self.start = 0
        self._counted = 0

    def go(self, text: Text, until: int) -> None:
        """Count up to an offset of the source, which `text` reaches to."""
        first, last = self._counted - text.offset, until - text.offset
        if last <= first:
            return
        if count := text.data.count(b"\n", first, last):
            self.line += count
            self.start = text.offset + text.data.rindex(b"\n", first, last) + 1
        self._counted = until


def _scan(stream: Stream) -> Scanned:
    scanned, lines = Scanned(stream.name), _Lines()
    for text in pieces(stream, _OVERLAP):
        for found in find(text.data):
            if _is_of_another(found, text):
                continue
            offset, kind = text.offset + found.offset, found.kind.value
            scanned.counts[kind] = scanned.counts.get(kind, 0) + 1
            if found.kind is not Kind.TOKEN and len(scanned.places) < SHOWN:
                lines.go(text, offset)
                column = offset - lines.start + 1
                scanned.places.append(Place(kind, lines.line, column, offset, found.length))
        lines.go(text, text.offset + len(text.data) - _OVERLAP)
    return scanned


def _is_of_another(found: Found, text: Text) -> bool:
    """Two pieces share bytes: a number is that of the first which also has a byte after it."""
    end = found.offset + found.length
    if end < text.shared:
        return True
    return not text.last and end == len(text.data)


def scan(paths: Iterable[Path], jobs: int = 0) -> Iterator[Report]:
    """A report a file, as they come; on all cores where `jobs` is 0."""
    jobs = jobs or len(os.sched_getaffinity(0))
    if jobs == 1:
        yield from map(scan_file, paths)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: set[Future[Report]] = set()
        for path in paths:
            waiting.add(pool.submit(scan_file, path))
            if len(waiting) >= jobs * 8:  # a tree of any size, in bounded memory
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        for one in waiting:
            yield one.result()
