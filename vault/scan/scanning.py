"""Streams looked at, and many files on all cores; a large file is looked at in parts."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np

from vault.scan.finder import SAFE, Kind, find
from vault.scan.readings import BEFORE
from vault.scan.sources import Walk, is_plain
from vault.scan.streams import Stream, Text, pieces

SHOWN: Final = 100
"""Places of one source that are named; all of them are counted."""
PART: Final = 64 << 20
"""Bytes of a large file that are looked at at a time."""


@dataclass(frozen=True)
class Place:
    """Where a number stands: a line and a column of bytes, both from 1, and bytes from 0. `nth`
    counts those of its kind in its source, from 1."""

    kind: str
    line: int
    column: int
    offset: int
    length: int
    nth: int


@dataclass
class Scanned:
    """What was found in one source: a file, or a member of it."""

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    lines: int = 0
    """Line ends before what comes next."""
    line_start: int = 0
    """The offset at which its last line begins."""
    first: int = 0
    """The offset at which a part begins."""

    def add(self, other: "Scanned") -> None:
        """What stands right behind it."""
        for place in other.places:
            if len(self.places) == SHOWN:
                break
            first = place.line == 1
            self.places.append(
                replace(
                    place,
                    line=place.line + self.lines,
                    column=place.offset - self.line_start + 1 if first else place.column,
                    nth=place.nth + self.counts.get(place.kind, 0),
                )
            )
        for kind, count in other.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        if other.lines:
            self.line_start = other.line_start
        self.lines += other.lines


@dataclass
class Report:
    sources: list[Scanned] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0

    def count(self, *kinds: Kind) -> int:
        return sum(one.counts.get(name(kind), 0) for one in self.sources for kind in kinds)

    def add(self, other: "Report") -> None:
        self.sources += other.sources
        self.skipped += other.skipped
        self.files += other.files
        self.bytes += other.bytes

    def join(self) -> None:
        """Make one source of the parts of each, and leave out those with nothing in them."""
        whole: dict[str, Scanned] = {}
        for one in sorted(self.sources, key=lambda one: (one.name, one.first)):
            if one.first and one.name in whole:
                whole[one.name].add(one)
            else:
                whole[one.name] = one
        self.sources = [one for one in whole.values() if one.counts]


def name(kind: Kind) -> str:
    """As reports have it."""
    return kind.name.lower()


def scan_file(path: Path, bands: Collection[str] = SAFE) -> Report:
    """Never raises for what cannot be read: that stands in the report."""
    report = Report(files=1, bytes=size_of(path))

    def look(stream: Stream) -> None:
        report.sources.append(scanned := Scanned(stream.name))
        _scan(scanned, pieces(stream), bands)

    def skip(where: str, reason: str) -> None:
        report.skipped.append(f"{where}: {reason}")

    Walk(look, skip).file(path)
    report.sources = [one for one in report.sources if one.counts]
    return report


def _scan(scanned: Scanned, texts: Iterable[Text], bands: Collection[str]) -> None:
    """Count what is in `texts`; what was counted stays, where they break off."""
    for text in texts:
        offsets, lengths, kinds = find(text.data, bands)
        mine = slice(
            *np.searchsorted(offsets, (text.first - text.offset, text.beyond - text.offset))
        )
        offsets, lengths, kinds = offsets[mine], lengths[mine], kinds[mine]
        at = text.first
        for row in np.flatnonzero(kinds != Kind.TOKEN)[: SHOWN - len(scanned.places)].tolist():
            kind, offset = name(Kind(kinds[row])), text.offset + int(offsets[row])
            at = _count_lines(scanned, text, at, offset)
            nth = scanned.counts.get(kind, 0) + int(
                np.count_nonzero(kinds[: row + 1] == kinds[row])
            )
            column = offset - scanned.line_start + 1
            scanned.places.append(
                Place(kind, scanned.lines + 1, column, offset, int(lengths[row]), nth)
            )
        for kind_value, count in zip(*np.unique(kinds, return_counts=True), strict=True):
            kind = name(Kind(kind_value))
            scanned.counts[kind] = scanned.counts.get(kind, 0) + int(count)
        _count_lines(scanned, text, at, text.beyond)


def _count_lines(scanned: Scanned, text: Text, at: int, until: int) -> int:
    """Those from the offset `at` until the offset `until`, which is given back."""
    first, last = at - text.offset, until - text.offset
    if count := text.data.count(b"\n", first, last):
        scanned.lines += count
        scanned.line_start = text.offset + text.data.rindex(b"\n", first, last) + 1
    return until


def _scan_part(path: Path, first: int, until: int, bands: Collection[str]) -> Report:
    """A part of a file that is no archive. What begins before its first line end is given the
    column that it would have if that part were the whole."""
    scanned = Scanned(str(path), line_start=first, first=first)
    report = Report(files=int(not first), bytes=until - first)
    try:
        with path.open("rb") as file:
            file.seek(max(0, first - BEFORE))
            _scan(scanned, pieces(file, first, until), bands)
    except OSError as error:
        report.skipped.append(f"{path}: {error.strerror or 'cannot be read'}")
    report.sources.append(scanned)
    return report


def size_of(path: Path) -> int:
    """0 for what cannot be looked at: that shows when it is opened."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


Job = Callable[[], Report]


def _jobs(paths: Iterable[Path], bands: Collection[str]) -> Iterator[Job]:
    for path in paths:
        size = size_of(path)
        if size <= PART or not _is_plain(path):
            yield partial(scan_file, path, bands)
            continue
        for first in range(0, size, PART):
            yield partial(_scan_part, path, first, min(first + PART, size), bands)


def _is_plain(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_plain(file.read(512))
    except OSError:
        return False


def scan(paths: Iterable[Path], jobs: int = 0, bands: Collection[str] = SAFE) -> Iterator[Report]:
    """Reports as they come, on all cores where `jobs` is 0. Add them up, and then `join`."""
    jobs = jobs or len(os.sched_getaffinity(0))
    todo = _jobs(paths, bands)
    if jobs == 1:
        for job in todo:
            yield job()
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: set[Future[Report]] = set()
        for job in todo:
            waiting.add(pool.submit(job))
            if len(waiting) >= jobs * 8:  # a tree of any size, in bounded memory
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        for one in waiting:
            yield one.result()
