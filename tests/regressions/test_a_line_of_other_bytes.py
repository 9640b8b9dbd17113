"""`jeton audit verify` ended in a traceback over a line of the record that was no UTF-8, instead of
finding it: msgspec raises UnicodeDecodeError, which is none of its own errors."""

from pathlib import Path

from tests.support.records import fill, sign
from vault.audit.segment import segments
from vault.audit.verify import verify
from vault.audit.writer import RecordWriter


def test_it_is_a_finding(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    writer = RecordWriter.claim(folder)
    fill(writer, 2)
    checkpoints = sign(folder, writer)
    writer.close()
    [segment] = segments(folder / writer.name)
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b"reimbursement", b"reimbursemen\xff", 1))
    report = verify(folder, checkpoints.public_key)
    assert not report.clean
    segment.write_bytes(whole)
    assert verify(folder, checkpoints.public_key).clean
