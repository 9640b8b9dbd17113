"""Reads the record for people and programs: sealed entries, in order, with filters.

Nothing is verified here (that is `vault.audit.verify`), and nothing without a seal is shown.
"""

import csv
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from vault.audit.entry import Disclosure, Entry, decode, timestamp
from vault.audit.group import SEAL_START, Tail, read_seal
from vault.audit.segment import (
    before_segment,
    chains,
    first_sequence,
    first_time,
    segments,
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries to read: from `since` on and before `until` (seconds since 1970)."""

    since: float | None = None
    until: float | None = None
    principal: str | None = None

    def takes(self, entry: Entry) -> bool:
        if self.since is not None and entry.time < timestamp(self.since):
            return False
        if self.until is not None and entry.time >= timestamp(self.until):
            return False
        return self.principal is None or getattr(entry, "principal", None) == self.principal


ALL = Selection()


def entries(folder: Path, selection: Selection = ALL) -> Iterator[tuple[str, Entry]]:
    """The entries of all writers as (writer, entry), merged by time. Raises OSError,
    msgspec.DecodeError where a sealed line is no entry."""

    def of(chain: Path) -> Iterator[tuple[str, Entry]]:
        return ((chain.name, entry) for entry in read_chain(chain, since=selection.since))

    merged = heapq.merge(*map(of, chains(folder)), key=lambda located: located[1].time)
    return (located for located in merged if selection.takes(located[1]))


def read_chain(
    chain: Path, after: int = 0, since: float | None = None, only: bytes = b""
) -> Iterator[Entry]:
    """The sealed entries of a chain with a sequence above `after`, in order; `only` those
    whose lines begin like this.

    Segments that were over before `since` are skipped whole; later ones are not filtered.
    """
    paths = segments(chain)
    for index, path in enumerate(paths):
        following = paths[index + 1] if index + 1 < len(paths) else None
        if following is not None:
            if first_sequence(following) <= after + 1:
                continue
            began = first_time(following) if since is not None else None
            if began is not None and since is not None and began < since:
                continue
        yield from (entry for entry in _sealed(path, after, only) if entry.seq > after)


def _sealed(path: Path, after: int, only: bytes) -> Iterator[Entry]:
    """Only groups that reach beyond `after` are decoded."""
    group: list[bytes] = []
    with path.open("rb") as file:
        next(file, b"")
        for line in file:
            if not line.startswith(SEAL_START):
                if line.startswith(only):
                    group.append(line)
                continue
            seal = read_seal(line)
            if seal is not None and seal.last > after:
                yield from map(decode, group)
            group.clear()


def tail_at(chain: Path, sequence: int) -> Tail | None:
    """The end and hash of the group that holds `sequence`; None where the chain has none."""
    paths = [path for path in segments(chain) if first_sequence(path) <= sequence + 1]
    if not paths:
        return None
    before = before_segment(paths[-1])
    if before is not None and before.sequence == sequence:
        return before
    with paths[-1].open("rb") as file:
        for line in file:
            if line.startswith(SEAL_START):
                seal = read_seal(line)
                if seal is not None and seal.first <= sequence <= seal.last:
                    return Tail(seal.last, seal.hash)
    return None


def write_jsonl(out: IO[bytes], found: Iterator[tuple[str, Entry]]) -> int:
    """One JSON object a line, the writer first; returns how many were written."""
    count = 0
    for writer, entry in found:
        out.write(msgspec.json.encode({"writer": writer, **msgspec.to_builtins(entry)}) + b"\n")
        count += 1
    return count


COLUMNS = ("writer", "kind", *Disclosure.__struct_fields__, "code", "count", "name", "detail")


def write_csv(out: IO[str], found: Iterator[tuple[str, Entry]]) -> int:
    """All kinds under one header; lists and details as JSON. Returns how many were written."""
    table = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    count = 0
    for writer, entry in found:
        row = {"writer": writer, **msgspec.to_builtins(entry)}
        table.writerow({name: _cell(value) for name, value in row.items()})
        count += 1
    return count


def _cell(value: object) -> object:
    if isinstance(value, dict | list | tuple):
        return msgspec.json.encode(value).decode()
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return f"'{value}"  # a spreadsheet would run it as a formula
    return value
