"""What follows the record had read half a group ahead; it was cut off and written anew, and the
two halves were taken for one line."""

from pathlib import Path

from tests.support.records import NOW, disclosure
from vault.audit.following import Follower
from vault.audit.segment import segments
from vault.audit.writer import RecordWriter


def test_it_is_read_anew(tmp_path: Path) -> None:
    writer = RecordWriter.claim(tmp_path)
    for _ in range(2):
        writer.append([disclosure()], NOW)
    half = writer.prepare([disclosure("a" * 30), disclosure("b")], NOW).data
    segment = segments(tmp_path / "w0")[-1]
    with segment.open("ab") as file:
        file.write(half[: len(half) * 2 // 3])
    follower = Follower(tmp_path, {})
    seen = [entry.seq for _, entry in follower.read(1)]
    writer.close()
    writer = RecordWriter.claim(tmp_path)
    writer.append([disclosure("c") for _ in range(3)], NOW)
    while found := follower.read(1):
        seen += [entry.seq for _, entry in found]
    follower.close()
    writer.close()
    assert seen == list(range(1, 6))


def test_a_segment_that_retention_drops_as_it_is_opened(tmp_path: Path) -> None:
    writer = RecordWriter.claim(tmp_path, segment_bytes=1)
    for _ in range(3):
        writer.append([disclosure()], NOW)
    writer.close()
    paths = segments(tmp_path / "w0")
    follower = Follower(tmp_path, {})
    follower.read(1)
    assert follower._chains["w0"]._open(paths[1])
    follower._chains["w0"].close()
    paths[1].unlink()
    assert not follower._chains["w0"]._open(paths[1])
    assert [entry.seq for _, entry in follower.read(10)][-1] == 3
    follower.close()
