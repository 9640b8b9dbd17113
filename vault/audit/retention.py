"""Drops what is older than it may be kept: whole segments, oldest first, never silently.

The order matters: the event on the record, then the checkpoint that says where each chain
now begins, then the files. A crash between leaves more than was announced, never less.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from vault.audit.group import Tail
from vault.audit.segment import before_segment, chains, last_time, segments, sync_folder
from vault.audit.writer import DamagedError, RecordWriter


@dataclass(frozen=True, slots=True)
class Expired:
    """The segments of one chain that may go, and where the chain then begins."""

    writer: str
    paths: tuple[Path, ...]
    through: Tail


def expired(folder: Path, before: float) -> list[Expired]:
    """What ended before that time. A chain's last segment stays. Raises OSError."""
    found = [_expired(chain, before) for chain in chains(folder)]
    return [each for each in found if each is not None]


def _expired(chain: Path, before: float) -> Expired | None:
    paths, through = segments(chain), None
    gone: list[Path] = []
    for path, following in pairwise(paths):
        ended, boundary = last_time(path), before_segment(following)
        if boundary is None or (ended is not None and ended >= before):
            break
        gone.append(path)
        through = boundary
    return Expired(chain.name, tuple(gone), through) if through is not None else None


def close_stale(folder: Path, before: float) -> None:
    """Begin a new segment in chains that nobody writes any more and that ended before that
    time, so that their last segment can go too. Raises OSError, AuditUnavailable."""
    for chain in chains(folder):
        paths = segments(chain)
        ended = last_time(paths[-1]) if paths else None
        if ended is None or ended >= before:
            continue
        try:
            writer = RecordWriter.take(chain)
        except DamagedError:
            continue
        if writer is not None:
            try:
                writer.rotate()
            finally:
                writer.close()


def drop(segments_gone: Expired) -> None:
    """Remove the files, oldest first. Raises OSError."""
    for path in segments_gone.paths:
        path.unlink(missing_ok=True)
    if segments_gone.paths:
        sync_folder(segments_gone.paths[0].parent)
