"""Copies of records that only grow, whatever happens to the record or to the copying."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import NOW, SEED, fill, sign
from vault.audit.checkpoint import FILE, Checkpoints
from vault.audit.collecting import collect
from vault.audit.findings import Report
from vault.audit.retention import drop, expired
from vault.audit.segment import is_closed, segments
from vault.audit.verify import verify
from vault.audit.writer import RecordWriter


def verified(folder: Path) -> Report:
    return verify(folder, Checkpoints(folder, SEED).public_key)


def rotating(folder: Path) -> RecordWriter:
    return RecordWriter.claim(folder, segment_bytes=2_000)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and "lock" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=5))
def test_a_copy_of_a_live_record_is_a_record(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]
) -> None:
    at = tmp_path_factory.mktemp("collect")
    record, copy = at / "record", at / "copy"
    writer = rotating(record)
    sign(record, writer)
    for groups, collected in steps:
        fill(writer, groups)
        if groups:
            sign(record, writer)
        if collected:
            assert not collect(record, copy).findings
            assert verified(copy).clean
    assert not collect(record, copy).findings
    writer.close()
    assert contents(copy) == contents(record)
    assert collect(record, copy).bytes == 0


def test_what_has_no_seal_yet_is_not_copied(tmp_path: Path) -> None:
    record, copy = tmp_path / "record", tmp_path / "copy"
    writer = rotating(record)
    fill(writer, 1)
    sign(record, writer)
    path = segments(record / "w0")[-1]
    sealed = path.read_bytes()
    with path.open("ab") as file:
        file.write(b'{"kind":"disclosure"')
    collect(record, copy)
    assert (copy / "w0" / path.name).read_bytes() == sealed


@given(cut=st.integers(0, 10**6))
def test_a_copying_that_was_stopped_anywhere_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    at = tmp_path_factory.mktemp("stopped")
    record, copy = at / "record", at / "copy"
    writer = rotating(record)
    fill(writer, 4)
    sign(record, writer)
    collect(record, copy)
    files = sorted(path for path in copy.rglob("*.jsonl"))
    torn = files[cut % len(files)]
    torn.write_bytes(torn.read_bytes()[: cut % (torn.stat().st_size + 1)])
    assert not collect(record, copy).findings
    assert contents(copy) == contents(record)


def test_what_was_changed_after_it_was_copied_is_found_and_the_copy_stays(tmp_path: Path) -> None:
    record, copy = tmp_path / "record", tmp_path / "copy"
    writer = rotating(record)
    fill(writer, 3)
    sign(record, writer)
    collect(record, copy)
    before = contents(copy)
    path = segments(record / "w0")[-1]
    for change in (
        lambda whole: whole[:-200],
        lambda whole: whole.replace(b'"items":1,', b'"items":9,') + whole[-200:],
    ):
        original = path.read_bytes()
        path.write_bytes(change(original))
        (finding,) = collect(record, copy).findings
        assert (finding.code, finding.writer) == ("rewritten", "w0")
        path.write_bytes(original)
    (record / FILE).write_bytes(b"")
    assert [one.file for one in collect(record, copy).findings] == [FILE]
    assert contents(copy) == before
    assert verified(copy).clean


def test_a_closed_segment_that_was_changed_is_found_though_it_is_as_long(tmp_path: Path) -> None:
    record, copy = tmp_path / "record", tmp_path / "copy"
    writer = rotating(record)
    fill(writer, 9)
    sign(record, writer)
    collect(record, copy)
    before = contents(copy)
    closed, *_, open_one = segments(record / "w0")
    assert closed != open_one
    closed.write_bytes(closed.read_bytes().replace(b'"items":1,', b'"items":9,'))
    (finding,) = collect(record, copy).findings
    assert (finding.code, finding.file) == ("rewritten", f"w0/{closed.name}")
    assert contents(copy) == before


def test_what_retention_drops_stays_in_the_copy(tmp_path: Path) -> None:
    record, copy = tmp_path / "record", tmp_path / "copy"
    writer = rotating(record)
    fill(writer, 6)
    sign(record, writer)
    collect(record, copy)
    (gone,) = expired(record, NOW + 1)
    Checkpoints(record, SEED).write(
        {"w0": writer.tail}, NOW, epoch="e", generation=1, retired={"w0": gone.through}
    )
    drop(gone)
    fill(writer, 2)
    sign(record, writer)
    assert not collect(record, copy).findings
    assert len(segments(copy / "w0")) > len(segments(record / "w0"))
    assert verified(record).clean
    assert verified(copy).clean


def test_a_closed_chain_is_not_claimed_and_what_stands_behind_its_end_is_found(
    tmp_path: Path,
) -> None:
    record = tmp_path / "record"
    writer = rotating(record)
    fill(writer, 1)
    assert not is_closed(record / "w0")
    writer.append_event("closed", {"reason": "scaled down"}, NOW)
    writer.rotate()
    sign(record, writer)
    writer.close()
    assert is_closed(record / "w0")
    assert verified(record).clean
    other = rotating(record)
    assert other.name == "w1"
    other.close()
    shutil.rmtree(record / "w1")
    again = RecordWriter.take(record / "w0")
    assert again is not None
    fill(again, 1)
    again.close()
    assert {one.code for one in verified(record).findings} == {"after_end"}
