"""Reading for people and programs: sealed entries of all writers by time, filtered."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.records import NOW, disclosure, fill
from vault.audit.entry import DISCLOSURE, EVENT, Disclosure, Event
from vault.audit.reading import Selection, entries, read_chain, tail_at, write_csv, write_jsonl
from vault.audit.segment import segments
from vault.audit.writer import RecordWriter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two writers whose entries alternate in time, in segments of a day."""
    folder = tmp_path / "audit"
    one, two = RecordWriter.claim(folder), RecordWriter.claim(folder)
    for day in range(4):
        at = NOW + 86_400 * day
        one.append([disclosure("portal"), Event(name="start")], at)
        two.append([disclosure("reimbursement", items=day + 1)], at + 60)
    one.close()
    two.close()
    return folder


def test_all_writers_are_merged_by_time(folder: Path) -> None:
    found = list(entries(folder))
    assert [writer for writer, _ in found] == ["w0", "w0", "w1"] * 4
    assert [entry.time for _, entry in found] == sorted(entry.time for _, entry in found)


def test_times_and_principals_select(folder: Path) -> None:
    day = Selection(since=NOW + 86_400, until=NOW + 2 * 86_400)
    assert len(list(entries(folder, day))) == 3
    portal = Selection(since=NOW + 86_400, principal="portal")
    assert [writer for writer, _ in entries(folder, portal)] == ["w0"] * 3


def test_a_chain_is_read_from_any_sequence_and_kind(folder: Path) -> None:
    chain = folder / "w0"
    assert len(segments(chain)) == 4
    for after in range(9):
        assert [entry.seq for entry in read_chain(chain, after)] == list(range(after + 1, 9))
    assert all(isinstance(entry, Event) for entry in read_chain(chain, only=EVENT))
    assert [entry.seq for entry in read_chain(chain, 3, only=DISCLOSURE)] == [5, 7]
    assert [entry.seq for entry in read_chain(chain, since=NOW + 3 * 86_400 + 1)] == [7, 8]


def test_what_has_no_seal_is_not_shown(folder: Path) -> None:
    path = segments(folder / "w0")[-1]
    path.write_bytes(path.read_bytes().rsplit(b'{"seal"', 1)[0])
    assert [entry.seq for entry in read_chain(folder / "w0")] == [1, 2, 3, 4, 5, 6]


def test_the_hash_at_a_sequence(tmp_path: Path) -> None:
    writer = RecordWriter.claim(tmp_path, segment_bytes=3_000)
    receipts = fill(writer, 6)
    for receipt in receipts:
        tail = tail_at(tmp_path / "w0", receipt.sequence)
        assert tail is not None
        assert tail.digest == receipt.digest
    assert tail_at(tmp_path / "w0", len(receipts) + 1) is None
    writer.close()


def test_json_lines_name_the_writer(folder: Path) -> None:
    out = io.BytesIO()
    assert write_jsonl(out, entries(folder)) == 12
    first = json.loads(out.getvalue().splitlines()[0])
    assert (first["writer"], first["kind"], first["seq"]) == ("w0", "disclosure", 1)
    assert set(Disclosure.__struct_fields__) - set(first) == {"end_user_proof"}  # nobody was proved


def test_a_table_cannot_run_a_formula(tmp_path: Path) -> None:
    writer = RecordWriter.claim(tmp_path)
    writer.append([disclosure(end_user="=1+1"), Event(name="lock", detail={"n": 1})], NOW)
    writer.close()
    out = io.StringIO()
    assert write_csv(out, entries(tmp_path)) == 2
    first, second = csv.DictReader(io.StringIO(out.getvalue()))
    assert first["end_user"] == "'=1+1"
    assert json.loads(first["persons"]) == ["00112233445566778899aabbccddeeff"]
    assert (second["kind"], second["detail"]) == ("event", '{"n":1}')
