"""One chain: durable or refused, whatever becomes of its files, and repaired after a crash."""

import contextlib
import errno
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.records import NOW, disclosure, fill, mount, small_disk
from vault.audit.entry import Event
from vault.audit.group import genesis
from vault.audit.reading import read_chain
from vault.audit.segment import segments
from vault.audit.writer import AuditUnavailable, DamagedError, RecordWriter
from vault.errors import Refusal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def writer(folder: Path) -> Iterator[RecordWriter]:
    writer = RecordWriter.claim(folder)
    yield writer
    writer.close()


def only_segment(folder: Path) -> Path:
    (path,) = segments(folder / "w0")
    return path


def reclaimed(folder: Path) -> RecordWriter:
    return RecordWriter.claim(folder)


def refused(writer: RecordWriter) -> None:
    before = writer.tail
    with pytest.raises(AuditUnavailable) as caught:
        fill(writer, 1)
    assert (caught.value.code, caught.value.retry_after) == ("audit_unavailable", 1)
    assert writer.tail == before
    assert writer.trouble


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 1_024)


def accepted(writer: RecordWriter, folder: Path) -> None:
    """The next group goes on where the last durable one ended."""
    after = writer.tail.sequence
    fill(writer, 1)
    assert writer.trouble is None
    sequences = [entry.seq for entry in read_chain(folder / writer.name)]
    assert sequences == list(range(1, after + 4))


def test_sequences_go_on_over_groups_and_owners(folder: Path) -> None:
    first = RecordWriter.claim(folder)
    receipts = fill(first, 2)
    assert [receipt.sequence for receipt in receipts] == [1, 2, 3, 4, 5, 6]
    assert receipts[0].digest == receipts[2].digest != receipts[3].digest
    first.close()
    second = RecordWriter.claim(folder)
    assert (second.name, second.tail, second.repaired) == ("w0", first.tail, None)
    accepted(second, folder)
    second.close()


def test_each_owner_has_a_chain_and_a_free_one_is_taken_again(folder: Path) -> None:
    writers = [RecordWriter.claim(folder) for _ in range(3)]
    assert [writer.name for writer in writers] == ["w0", "w1", "w2"]
    writers[1].close()
    again = RecordWriter.claim(folder)
    assert again.name == "w1"
    for writer in (writers[0], again, writers[2]):
        writer.close()


def test_only_the_owner_may_read_the_record(writer: RecordWriter, folder: Path) -> None:
    fill(writer, 1)
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert (folder / "w0").stat().st_mode & 0o777 == 0o700


def test_two_chains_do_not_begin_alike() -> None:
    assert genesis("w0") != genesis("w1")


def test_segments_are_closed_by_size_and_by_age(folder: Path) -> None:
    writer = RecordWriter.claim(folder, segment_bytes=3_000)
    fill(writer, 5)
    assert len(segments(folder / "w0")) > 1
    assert max(path.stat().st_size for path in segments(folder / "w0")) <= 3_000
    writer.close()
    by_age = RecordWriter.claim(folder, segment_seconds=60)
    files = len(segments(folder / "w0"))
    fill(by_age, 2, now=NOW + 59)
    assert len(segments(folder / "w0")) == files
    fill(by_age, 2, now=NOW + 61)
    assert len(segments(folder / "w0")) == files + 1
    by_age.close()


@pytest.mark.parametrize("cut", [1, 2, 100, 300])
def test_a_torn_group_is_cut_off_and_told(folder: Path, cut: int) -> None:
    writer = RecordWriter.claim(folder)
    fill(writer, 2)
    kept, size = writer.tail, only_segment(folder).stat().st_size
    fill(writer, 1)
    writer.close()
    path = only_segment(folder)
    os.truncate(path, path.stat().st_size - cut)
    torn = path.stat().st_size - size
    again = reclaimed(folder)
    assert (again.tail, again.repaired) == (kept, {"bytes": torn})
    assert path.stat().st_size == size
    accepted(again, folder)
    again.close()


def test_a_group_whose_pages_did_not_all_arrive_is_torn_too(folder: Path) -> None:
    writer = RecordWriter.claim(folder)
    fill(writer, 2)
    kept, size = writer.tail, only_segment(folder).stat().st_size
    fill(writer, 1)
    writer.close()
    with only_segment(folder).open("r+b") as file:
        file.seek(size)
        file.write(b"\0" * 64)
    again = reclaimed(folder)
    assert again.tail == kept
    again.close()


@pytest.mark.parametrize("left", [0, 5])
def test_a_segment_that_was_just_begun_holds_nothing(folder: Path, left: int) -> None:
    writer = RecordWriter.claim(folder)
    fill(writer, 1)
    writer.rotate()
    kept = writer.tail
    writer.close()
    os.truncate(segments(folder / "w0")[-1], left)
    again = reclaimed(folder)
    assert again.tail == kept
    accepted(again, folder)
    again.close()


def test_a_damaged_chain_is_left_as_it_is(folder: Path) -> None:
    writer = RecordWriter.claim(folder)
    fill(writer, 4)
    writer.close()
    path = only_segment(folder)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"items":1', b'"items":9', 1))
    damaged = path.read_bytes()
    with pytest.raises(DamagedError):
        RecordWriter.take(folder / "w0")
    other = reclaimed(folder)
    assert other.name == "w1"
    assert path.read_bytes() == damaged
    other.close()


def test_a_full_disk_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        writer = RecordWriter.claim(disk / "audit")
        fill(writer, 1)
        ballast = disk / "ballast"
        fill_up(ballast)
        with pytest.raises(AuditUnavailable):
            fill(writer, 200, size=40)
        refused(writer)
        ballast.unlink()
        accepted_size = writer.tail.sequence
        fill(writer, 1)
        assert writer.tail.sequence == accepted_size + 3
        assert len(list(read_chain(disk / "audit/w0"))) == writer.tail.sequence
        writer.close()


def test_a_file_that_may_not_grow_refuses_and_recovers(folder: Path, writer: RecordWriter) -> None:
    """The same as a full disk, where nothing can be mounted: a group is written in part."""
    fill(writer, 1)
    size = only_segment(folder).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
    try:
        refused(writer)
        refused(writer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert only_segment(folder).stat().st_size == size
    accepted(writer, folder)


def test_a_read_only_file_system_refuses_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        writer = RecordWriter.claim(disk / "audit")
        fill(writer, 1)
        # A file system with a file open for writing cannot be made read-only: this view can.
        mount("--bind", str(disk), str(disk))
        try:
            mount("-o", "remount,bind,ro", str(disk))
            refused(writer)
        finally:
            os.system(f"umount -l {disk}")
        accepted(writer, disk / "audit")
        writer.close()


def test_after_a_rotation_that_failed_nothing_is_added_to_the_old_segment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one stands there already: both would go on after the same entry."""
    writer = RecordWriter.claim(folder, segment_bytes=4_000)
    fill(writer, 1, size=6)
    with monkeypatch.context() as patched:

        def fails(_: Path) -> None:
            raise OSError(errno.EIO, "Input/output error")

        patched.setattr("vault.audit.segment.sync_folder", fails)
        with pytest.raises(AuditUnavailable):
            fill(writer, 1, size=6)
    fill(writer, 1, size=1)  # this one would fit into the old segment
    writer.close()
    again = RecordWriter.claim(folder)
    again.close()
    assert again.tail == writer.tail
    assert [path.stem.lstrip("0") for path in segments(folder / "w0")] == ["1", "7"]
    assert [entry.seq for entry in read_chain(folder / "w0")] == list(range(1, 8))


def test_a_folder_moved_away_refuses_until_it_is_back(folder: Path, writer: RecordWriter) -> None:
    fill(writer, 1)
    folder.rename(folder.with_name("elsewhere"))
    refused(writer)
    folder.with_name("elsewhere").rename(folder)
    accepted(writer, folder)


def test_a_folder_restored_as_a_copy_goes_on(folder: Path, writer: RecordWriter) -> None:
    fill(writer, 2)
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    refused(writer)
    folder.with_name("copy").rename(folder)
    accepted(writer, folder)
    assert RecordWriter.take(folder / "w0") is None  # the lock was taken again


def test_a_folder_that_comes_back_empty_or_older_stays_refused(
    folder: Path, writer: RecordWriter
) -> None:
    fill(writer, 1)
    shutil.copytree(folder, folder.with_name("older"))
    fill(writer, 1)
    folder.rename(folder.with_name("right"))
    folder.mkdir()
    refused(writer)
    folder.rmdir()
    folder.with_name("older").rename(folder)
    refused(writer)
    assert writer.trouble == "the record came back without its last entries"
    shutil.rmtree(folder)
    folder.with_name("right").rename(folder)
    accepted(writer, folder)


def test_what_somebody_else_appends_is_never_written_over(
    folder: Path, writer: RecordWriter
) -> None:
    fill(writer, 1)
    with only_segment(folder).open("ab") as file:
        file.write(b"not ours\n")
    refused(writer)
    assert only_segment(folder).read_bytes().endswith(b"not ours\n")


def test_a_lost_lock_file_is_made_anew(folder: Path, writer: RecordWriter) -> None:
    fill(writer, 1)
    (folder / "w0/lock").unlink()
    accepted(writer, folder)
    assert RecordWriter.take(folder / "w0") is None


def test_a_stolen_lock_refuses(folder: Path, writer: RecordWriter) -> None:
    fill(writer, 1)
    (folder / "w0/lock").unlink()
    thief = RecordWriter.take(folder / "w0")
    assert thief is not None
    refused(writer)
    thief.close()
    accepted(writer, folder)


def test_what_is_refused_is_a_refusal_like_any_other(writer: RecordWriter) -> None:
    assert isinstance(AuditUnavailable(), Refusal)
    assert writer.append([Event(name="start")], NOW)[0].sequence == 1
    assert disclosure().persons
