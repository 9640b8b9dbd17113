"""A small sound record, to put arbitrary bytes into, and all that reads one."""

import io
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.fuzz import scratch
from tests.support.records import NOW, SEED, fill, sign
from vault.audit import reading, segment
from vault.audit.checkpoint import FILE, Checkpoints
from vault.audit.entry import Receipt
from vault.audit.findings import Report
from vault.audit.retention import expired
from vault.audit.verify import verify
from vault.audit.writer import DamagedError, RecordWriter
from vault.errors import SetUpError

KEY = Ed25519PrivateKey.from_private_bytes(SEED).public_key()


class Sound(NamedTuple):
    """A record of one writer and two checkpoints; `receipts` are of every entry."""

    folder: Path
    segment: bytes
    checkpoints: bytes
    receipts: list[Receipt]

    @property
    def path(self) -> Path:
        return segment.segment_path(self.folder / "w0", 1)

    def lay(self, *, segment: bytes | None = None, checkpoints: bytes | None = None) -> None:
        """Put the record there anew, with these files in place of its own."""
        shutil.rmtree(self.folder)
        self.path.parent.mkdir(parents=True)
        self.path.write_bytes(self.segment if segment is None else segment)
        (self.folder / FILE).write_bytes(self.checkpoints if checkpoints is None else checkpoints)

    def report(self, receipts: tuple[Receipt, ...] = ()) -> Report:
        report = verify(self.folder, KEY, receipts=receipts)
        assert all(str(finding) for finding in report.findings)
        return report

    def read(self) -> None:
        """Whatever else reads a record: each says what is wrong in its own words only."""
        with suppress(OSError, msgspec.DecodeError):
            reading.write_jsonl(io.BytesIO(), reading.entries(self.folder))
        with suppress(OSError, msgspec.DecodeError):
            reading.write_csv(io.StringIO(), reading.entries(self.folder))
        for sequence in (0, 1, 4, 10**18):
            reading.tail_at(self.path.parent, sequence)
        segment.last_time(self.path)
        expired(self.folder, NOW)
        with suppress(SetUpError, OSError):
            Checkpoints(self.folder, SEED).last()
        _claim(self.folder)


def _claim(folder: Path) -> None:
    """A new process goes on behind what is there, or leaves it alone, and what it writes is
    sound."""
    with suppress(DamagedError):
        writer = RecordWriter.take(folder / "w0")
        assert writer is not None
        try:
            fill(writer, groups=1)
        finally:
            writer.close()


@cache
def sound() -> Sound:
    folder = scratch.folder() / "record"
    writer = RecordWriter.claim(folder)
    receipts = fill(writer, groups=1)
    sign(folder, writer, now=NOW)
    receipts += fill(writer, groups=2, now=NOW + 1)
    sign(folder, writer, now=NOW + 2)
    writer.close()
    path = segment.segment_path(folder / "w0", 1)
    return Sound(folder, path.read_bytes(), (folder / FILE).read_bytes(), receipts)
