"""Copies a record to where it outlives its machine: only ever more of it, never less.

Every file of a record only grows, so a copy is extended by what came since, as long as what was
copied before is how the file still begins. Where it is not, the copy is left alone: somebody has
changed the record, and the copy is the evidence. Segments that retention drops stay in the copy.
Stopped anywhere, it goes on from there: a copy that was cut short is the beginning of its file.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from vault.audit.checkpoint import FILE, PUBLIC_KEY, whole_bytes
from vault.audit.findings import Finding
from vault.audit.locking import locked
from vault.audit.segment import chains, scan, segments, sync_folder

BLOCK = 1_048_576
_GROWING = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


@dataclass(slots=True)
class Collected:
    bytes: int = 0
    """How many were added to the copy."""
    findings: list[Finding] = field(default_factory=list)
    """Files that are not how they were when they were copied before."""


def collect(record: Path, copy: Path, beside: tuple[str, ...] = ()) -> Collected:
    """Bring a copy up to date: `beside` names other files of lines that go with the checkpoints.

    What the chains are held to is copied first, for a live record grows meanwhile. Of a segment
    that is being written the sealed groups are copied. Raises OSError.
    """
    done = Collected()
    copy.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(copy / "collect.lock"):
        for name in (PUBLIC_KEY, FILE, *beside):
            path = record / name
            if path.exists():
                end = path.stat().st_size if name == PUBLIC_KEY else whole_bytes(path)
                _extend(path, copy / name, end, name, done)
        for chain in chains(record):
            _chain(chain, copy / chain.name, done)
    return done


def _chain(chain: Path, copy: Path, done: Collected) -> None:
    copy.mkdir(mode=0o700, exist_ok=True)
    paths = segments(chain)
    for path in paths:
        name, target = f"{chain.name}/{path.name}", copy / path.name
        try:
            size = path.stat().st_size
            _extend(path, target, scan(path).end if path is paths[-1] else size, name, done)
        except FileNotFoundError:
            continue  # retention took it away meanwhile


def _extend(path: Path, target: Path, end: int, name: str, done: Collected) -> None:
    """Add what the copy lacks of the first `end` bytes."""
    fresh = not target.exists()
    with path.open("rb") as source, os.fdopen(os.open(target, _GROWING, 0o600), "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if size > end or not _begins(source, file, size):
            writer = name.partition("/")[0] if "/" in name else None
            words = "the record is not here any more what was collected of it before"
            done.findings.append(Finding("rewritten", words, writer, name))
            return
        left = end - size
        while left and (block := source.read(min(BLOCK, left))):
            file.write(block)
            left -= len(block)
        done.bytes += end - size - left
        file.flush()
        os.fsync(file.fileno())
    if fresh:
        sync_folder(target.parent)


def _begins(source: IO[bytes], file: IO[bytes], size: int) -> bool:
    """Whether the source begins with all that the copy has; both are then read up to there."""
    left = size
    while left:
        block = file.read(min(BLOCK, left))
        if not block or source.read(len(block)) != block:
            return False
        left -= len(block)
    return True
