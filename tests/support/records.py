"""Records to look at and to damage: entries, small chains, and file systems that fill up."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.components import missing, need_program
from vault.audit.checkpoint import FILE, Checkpoints
from vault.audit.entry import Disclosure, Receipt
from vault.audit.writer import RecordWriter

NOW = 1_800_000_000.0
SEED = bytes(range(32))


def disclosure(principal: str = "reimbursement", **changed: Any) -> Disclosure:
    """A reveal of one value about one person."""
    facts: dict[str, Any] = {
        "principal": principal,
        "credential": "0a1b2c3d",
        "source": "192.0.2.7",
        "operation": "detokenise",
        "transformation": "fr-nir",
        "purpose": "reimbursement",
        "request_id": "6f0e8a52-0000-4000-8000-000000000001",
        "items": 1,
        "persons": ["00112233445566778899aabbccddeeff"],
    }
    return Disclosure(**facts | changed)


def fill(writer: RecordWriter, groups: int, size: int = 3, now: float = NOW) -> list[Receipt]:
    """Append groups of disclosures; every receipt of them."""
    receipts: list[Receipt] = []
    for _ in range(groups):
        receipts += writer.append([disclosure(items=n + 1) for n in range(size)], now)
    return receipts


def checkpoint_lines(folder: Path) -> list[bytes]:
    """What somebody who keeps checkpoints elsewhere has."""
    return (folder / FILE).read_bytes().splitlines(keepends=True)


def sign(folder: Path, *writers: RecordWriter, now: float = NOW) -> Checkpoints:
    """Write a checkpoint over the writers' tails."""
    checkpoints = Checkpoints(folder, SEED)
    tails = {writer.name: writer.tail for writer in writers}
    checkpoints.write(tails, now, epoch="an epoch", generation=1)
    return checkpoints


@contextmanager
def small_disk(at: Path, size: str = "64k") -> Iterator[Path]:
    """A file system of that size at a folder; skips by name where mounting is not permitted."""
    at.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at))
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=False, capture_output=True)


def mount(*arguments: str) -> None:
    """`mount ARGUMENTS`; where it is not permitted a skip that says so, or a failure where
    nothing may be skipped."""
    command = [need_program("mount"), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        missing(f"mounting is not permitted here: {done.stderr.strip()}")
