"""`jeton audit verify` ended in a traceback, or took all memory, over a checkpoint that no
service writes but that was signed with the right key: whoever had stolen it could keep what they
had done to the record from being told."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.records import NOW, SEED, checkpoint_lines, fill, sign
from vault.audit.checkpoint import FILE
from vault.audit.verify import verify
from vault.audit.writer import RecordWriter

KEY = Ed25519PrivateKey.from_private_bytes(SEED)
TAIL = [1, "0" * 64]
STRANGE = {
    "a digest that is none": {"writers": {"w0": [1, "x"]}},
    "a short digest": {"writers": {"w0": [1, "00"]}},
    "a sequence beyond a word": {"writers": {"w0": [2**64, "0" * 64]}},
    "a sequence below zero": {"retired": {"w0": [-1, "0" * 64]}},
    "a number beyond all": {"number": 2**62, "writers": {"w0": TAIL}},
    "a number below one": {"number": 0, "writers": {"w0": TAIL}},
    "a time that is none": {"time": "yesterday"},
    "a year that is none": {"time": "0001-01-01T00:00:00"},
}


def signed(before: bytes, changed: dict[str, object]) -> bytes:
    body = msgspec.json.encode(msgspec.json.decode(before)["checkpoint"] | changed)
    return b'{"checkpoint":%b,"signature":"%b"}\n' % (body, KEY.sign(body).hex().encode())


@pytest.mark.parametrize("what", STRANGE)
def test_is_told_as_one_that_was_not_signed(tmp_path: Path, what: str) -> None:
    with_line(tmp_path, STRANGE[what])
    codes = [finding.code for finding in verify(tmp_path, KEY.public_key()).findings]
    assert "bad_signature" in codes


def test_a_number_far_ahead_is_a_gap_and_costs_nothing(tmp_path: Path) -> None:
    line = with_line(tmp_path, {"number": 10**17})
    report = verify(tmp_path, KEY.public_key(), checkpoints_elsewhere=[line])
    assert {finding.code for finding in report.findings} == {"checkpoint_gap"}
    before = checkpoint_lines(tmp_path)[0]
    elsewhere = [signed(before, {"number": 10**16})]
    report = verify(tmp_path, KEY.public_key(), checkpoints_elsewhere=elsewhere)
    assert [finding.code for finding in report.findings].count("checkpoint_gap") == 2


def with_line(folder: Path, changed: dict[str, object]) -> bytes:
    """A sound record, and a second checkpoint that is so changed."""
    writer = RecordWriter.claim(folder)
    fill(writer, groups=2)
    sign(folder, writer, now=NOW)
    writer.close()
    line = signed(checkpoint_lines(folder)[0], changed)
    with (folder / FILE).open("ab") as file:
        file.write(line)
    return line
