"""After a rotation that failed, entries went on into the old segment while the new one stood there
already: two segments followed the same entry, and the record was damaged at the next start."""

import errno
from pathlib import Path

import pytest

from tests.support.records import fill
from vault.audit.reading import read_chain
from vault.audit.writer import AuditUnavailable, RecordWriter


def test_nothing_is_added_to_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "audit"
    writer = RecordWriter.claim(folder, segment_bytes=4_000)
    fill(writer, 1, size=6)
    with monkeypatch.context() as patched:

        def fails(_: Path) -> None:
            raise OSError(errno.EIO, "Input/output error")

        patched.setattr("vault.audit.segment.sync_folder", fails)
        with pytest.raises(AuditUnavailable):
            fill(writer, 1, size=6)
    fill(writer, 1, size=1)  # it would fit into the old segment
    writer.close()
    again = RecordWriter.claim(folder)
    again.close()
    assert again.tail == writer.tail
    assert [entry.seq for entry in read_chain(folder / "w0")] == list(range(1, 8))
