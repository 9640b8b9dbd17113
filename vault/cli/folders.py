"""The records of several machines that share a store: which of what is known belongs to which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from vault.audit.checkpoint import FILE, line_hash, lines_after, number_of
from vault.audit.entry import Receipt
from vault.audit.group import Tail
from vault.audit.names import host_of, ours
from vault.audit.segment import chains


@dataclass(slots=True)
class Known:
    """What one folder's chains are held against."""

    folder: Path
    marks: dict[str, Tail] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    checkpoints: list[bytes] = field(default_factory=list)


class _Checkpoint(msgspec.Struct):
    writers: dict[str, object] = {}


class _Line(msgspec.Struct):
    checkpoint: _Checkpoint


def of_one(
    folder: Path,
    host: str,
    marks: Mapping[str, Tail],
    receipts: Sequence[Receipt],
    checkpoints: Sequence[bytes],
) -> Known:
    """Other machines' marks are theirs."""
    names = {chain.name for chain in chains(folder)}
    own = {writer: marks[writer] for writer in ours(marks, host, names)}
    return Known(folder, own, list(receipts), list(checkpoints))


def of_each(
    folders: Sequence[Path],
    marks: Mapping[str, Tail],
    receipts: Sequence[Receipt],
    checkpoints: Sequence[bytes],
) -> list[Known]:
    """What belongs to none of them is held against the first, and found to be missing there."""
    found = [Known(folder) for folder in folders]
    writers = {chain.name: one for one in found for chain in chains(one.folder)}
    hosts = {host_of(writer): one for writer, one in writers.items()}
    for writer, mark in marks.items():
        writers.get(writer, found[0]).marks[writer] = mark
    for receipt in receipts:
        writers.get(receipt.writer, found[0]).receipts.append(receipt)
    for line in checkpoints:
        host = next(iter(_hosts(line)), None)
        # A record's first one is signed before there is an entry, and names no chain.
        one = hosts.get(host) if host is not None else _keeper(line, found)
        (one or found[0]).checkpoints.append(line)
    return found


def _keeper(line: bytes, found: Sequence[Known]) -> Known | None:
    """Who has this very checkpoint."""
    for one in found:
        here = lines_after(one.folder / FILE, number_of(line) - 1, 1)
        if here and line_hash(here[0]) == line_hash(line):
            return one
    return None


def _hosts(line: bytes) -> list[str]:
    try:
        return sorted(map(host_of, msgspec.json.decode(line, type=_Line).checkpoint.writers))
    except (msgspec.DecodeError, RecursionError):
        return []
