"""Verification: whatever is done to a record is found, and its place named.

Each test damages a record of two writers and several segments, and holds it to what was kept
elsewhere (the last checkpoint, or receipts), as the module's promise says.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.records import NOW, SEED, checkpoint_lines, disclosure, fill, sign
from vault.audit.checkpoint import FILE, Checkpoints
from vault.audit.entry import Receipt
from vault.audit.findings import Report
from vault.audit.group import SEAL_START, Tail
from vault.audit.segment import segments
from vault.audit.verify import verify
from vault.audit.writer import RecordWriter


@dataclass
class Kept:
    """A sound record, and what its owner has elsewhere."""

    folder: Path
    checkpoints: Checkpoints
    elsewhere: list[bytes]
    receipts: list[Receipt]
    tails: dict[str, Tail]

    def verify(self, folder: Path | None = None, **known: object) -> Report:
        return verify(folder or self.folder, self.checkpoints.public_key, **known)  # type: ignore[arg-type]

    def held_to_all(self, folder: Path | None = None) -> Report:
        return self.verify(folder, checkpoints_elsewhere=self.elsewhere)

    def copy(self, to: Path) -> Path:
        shutil.rmtree(to, ignore_errors=True)
        return Path(shutil.copytree(self.folder, to))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("record") / "audit"
    first = RecordWriter.claim(folder, segment_bytes=4_000)
    second = RecordWriter.claim(folder, segment_bytes=4_000)
    sign(folder)
    receipts = fill(first, 4) + fill(second, 3)
    sign(folder, first, second, now=NOW + 60)
    receipts += fill(first, 4) + fill(second, 2, size=1)
    checkpoints = sign(folder, first, second, now=NOW + 120)
    for writer in (first, second):
        writer.close()
    tails = {writer.name: writer.tail for writer in (first, second)}
    assert len(segments(folder / "w0")) > 2
    return Kept(folder, checkpoints, checkpoint_lines(folder), receipts, tails)


@pytest.fixture
def copy(kept: Kept, tmp_path: Path) -> Path:
    return kept.copy(tmp_path / "audit")


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def groups_of(path: Path) -> list[bytes]:
    """The header, then every group with its seal."""
    header, *lines = path.read_bytes().splitlines(keepends=True)
    groups, group = [header], b""
    for line in lines:
        group += line
        if line.startswith(SEAL_START):
            groups.append(group)
            group = b""
    return groups


def test_a_sound_record_is_clean_against_everything(kept: Kept) -> None:
    report = kept.verify(
        checkpoints_elsewhere=kept.elsewhere, receipts=kept.receipts, marks=kept.tails
    )
    assert report.clean, report.findings
    assert (report.entries, report.checkpoints) == (len(kept.receipts), 3)
    assert report.tails == kept.tails
    assert not report.unsealed


def test_a_group_being_written_is_no_finding(kept: Kept, copy: Path) -> None:
    path = segments(copy / "w0")[-1]
    whole = path.read_bytes()
    half = groups_of(path)[-1][:-40]
    path.write_bytes(whole + half)
    report = kept.held_to_all(copy)
    assert report.clean
    assert report.unsealed == {"w0": len(half)}


def test_an_edited_entry_is_named_by_its_place(kept: Kept, copy: Path) -> None:
    path = segments(copy / "w0")[1]
    data = path.read_bytes()
    at = data.index(b'"items":2')
    path.write_bytes(data[:at] + b'"items":9' + data[at + 9 :])
    (finding,) = kept.verify(copy).findings
    assert (finding.code, finding.writer, finding.file) == ("edited", "w0", f"w0/{path.name}")
    assert finding.line == 2
    assert finding.offset == data.index(b"\n") + 1
    assert finding.sequence == int(path.stem)
    assert str(finding).startswith(f"w0/{path.name}, line 2, byte ")


def test_a_deleted_line_is_a_missing_sequence(kept: Kept, copy: Path) -> None:
    path = segments(copy / "w0")[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    report = kept.verify(copy)
    assert "missing_sequence" in codes(report)
    assert report.findings[0].line == 3


def test_a_deleted_or_swapped_group_breaks_the_chain(kept: Kept, copy: Path) -> None:
    path = segments(copy / "w0")[0]
    header, first, second, *rest = groups_of(path)
    for changed in ([header, second, *rest], [header, second, first, *rest]):
        path.write_bytes(b"".join(changed))
        assert codes(kept.verify(copy)) & {"wrong_previous", "missing_sequence"}


def test_a_rewritten_seal_only_moves_the_break(kept: Kept, copy: Path) -> None:
    """Sealing an edited group anew is found at the group that follows it."""
    path = segments(copy / "w0")[0]
    forged = forge(kept.folder, copy, groups=1)
    groups = groups_of(path)
    path.write_bytes(b"".join([groups[0], groups_of(forged)[1], *groups[2:]]))
    (finding,) = kept.verify(copy).findings
    assert (finding.code, finding.sequence) == ("wrong_previous", 4)


def forge(folder: Path, copy: Path, groups: int) -> Path:
    """A whole chain of w0 made anew by somebody who can run this very code."""
    other = copy.with_name("forged")
    shutil.rmtree(other, ignore_errors=True)
    writer = RecordWriter.claim(other, segment_bytes=4_000)
    for _ in range(groups):
        writer.append([disclosure("nobody", items=n + 1) for n in range(3)], NOW)
    writer.close()
    return segments(other / "w0")[0]


def test_a_chain_made_anew_is_found_by_checkpoint_receipt_and_mark(kept: Kept, copy: Path) -> None:
    forged = forge(kept.folder, copy, groups=8).parent
    shutil.rmtree(copy / "w0")
    forged.rename(copy / "w0")
    assert codes(kept.verify(copy)) == {"rewritten"}
    # With the signing key the attacker makes the record's own checkpoints fit.
    (copy / FILE).unlink()
    tails = kept.verify(copy).tails
    Checkpoints(copy, SEED).write(tails, NOW, epoch="an epoch", generation=1)
    assert kept.verify(copy).clean
    assert codes(kept.verify(copy, receipts=kept.receipts[:1])) == {"rewritten"}
    assert codes(kept.verify(copy, marks=kept.tails)) == {"rewritten"}
    yesterday = kept.elsewhere[1:2]
    assert "rewritten" in codes(kept.verify(copy, checkpoints_elsewhere=yesterday))


def test_a_missing_segment_is_named(kept: Kept, copy: Path) -> None:
    for gone, code in ((0, "missing_segment"), (1, "missing_segment"), (-1, "truncated")):
        damaged = kept.copy(copy)
        segments(damaged / "w0")[gone].unlink()
        assert code in codes(kept.verify(damaged))


def test_a_cut_chain_is_found_by_checkpoint_receipt_and_mark(kept: Kept, copy: Path) -> None:
    path = segments(copy / "w0")[-1]
    path.write_bytes(b"".join(groups_of(path)[:-1]))
    assert codes(kept.verify(copy)) == {"truncated"}
    without = copy / FILE
    without.write_bytes(kept.elsewhere[0])
    assert kept.verify(copy).clean  # as documented: nothing here knows of it any more
    assert codes(kept.verify(copy, receipts=kept.receipts)) == {"truncated"}
    assert codes(kept.verify(copy, marks=kept.tails)) == {"truncated"}
    assert codes(kept.held_to_all(copy)) == {"truncated", "checkpoint_gap"}


def test_a_removed_writer_is_named(kept: Kept, copy: Path) -> None:
    shutil.rmtree(copy / "w1")
    (finding,) = kept.verify(copy).findings
    assert (finding.code, finding.writer) == ("missing_writer", "w1")


def test_a_chain_does_not_pass_for_anothers(kept: Kept, copy: Path) -> None:
    (copy / "w1").rename(copy / "w2")
    assert {"missing_writer", "edited"} <= codes(kept.verify(copy))


def test_checkpoints_are_verified_themselves(kept: Kept, copy: Path) -> None:
    lines = kept.elsewhere
    path = copy / FILE
    for changed, code in (
        ([lines[0], lines[2]], "checkpoint_gap"),
        ([lines[1], lines[0], lines[2]], "checkpoint_gap"),
        ([lines[0].replace(b'"generation":1', b'"generation":2'), *lines[1:]], "bad_signature"),
        ([], "checkpoint_gap"),
    ):
        path.write_bytes(b"".join(changed))
        assert code in codes(kept.verify(copy))


def test_a_checkpoint_held_elsewhere_must_be_this_keys(kept: Kept, tmp_path: Path) -> None:
    other = Checkpoints(tmp_path / "other", bytes(32))
    other.write({}, NOW, epoch="an epoch", generation=1)
    lines = checkpoint_lines(tmp_path / "other")
    assert codes(kept.verify(checkpoints_elsewhere=lines)) == {"bad_signature"}


def test_an_unreadable_line_and_a_foreign_header_are_named(kept: Kept, copy: Path) -> None:
    first, second, *_ = segments(copy / "w0")
    first.write_bytes(first.read_bytes().replace(b'"kind"', b'"kin"', 1))
    assert "unreadable" in codes(kept.verify(copy))
    second.write_bytes(b"{}\n" + second.read_bytes().split(b"\n", 1)[1])
    assert "edited" in codes(kept.verify(copy))


def test_findings_do_not_fill_the_memory(kept: Kept, copy: Path) -> None:
    path = segments(copy / "w0")[0]
    header, *groups = groups_of(path)
    path.write_bytes(header + b"".join(groups) * 600)
    report = kept.verify(copy)
    assert len(report.findings) == 1_000
    assert report.more > 0


def test_the_page_promises_what_the_verifier_does_in_the_same_words() -> None:
    module = sys.modules[verify.__module__].__doc__ or ""
    page = _plain((Path(__file__).parents[2] / "docs" / "record.md").read_text("utf-8"))
    promises = _plain(module[: module.index("Files are read")]).split(" - ")[1:]
    assert len(promises) == 6
    for promise in promises:
        assert promise.partition(" What cannot")[0].partition(" A tail")[0] in page


def _plain(text: str) -> str:
    return " ".join(text.replace("*", "").split())


Damage = Callable[[bytes, int, int], bytes]


def flip(data: bytes, at: int, by: int) -> bytes:
    return data[:at] + bytes([data[at] ^ (by % 255 + 1)]) + data[at + 1 :]


def delete(data: bytes, at: int, by: int) -> bytes:
    return data[:at] + data[at + by + 1 :]


def insert(data: bytes, at: int, by: int) -> bytes:
    return data[:at] + bytes(by % 7 + 1) + data[at:]


def truncate(data: bytes, at: int, by: int) -> bytes:
    return data[:at]


def swap_lines(data: bytes, at: int, by: int) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = at % len(lines), (at + by + 1) % len(lines)
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def delete_line(data: bytes, at: int, by: int) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[at % len(lines)]
    return b"".join(lines)


def repeat_line(data: bytes, at: int, by: int) -> bytes:
    lines = data.splitlines(keepends=True)
    lines.insert(by % len(lines), lines[at % len(lines)])
    return b"".join(lines)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    which=st.integers(0, 100),
    damage=st.sampled_from([flip, delete, insert, truncate, swap_lines, delete_line, repeat_line]),
    at=st.integers(0, 10**6),
    by=st.integers(0, 300),
)
def test_every_damage_is_found(
    kept: Kept,
    which: int,
    damage: Damage,
    at: int,
    by: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    copy = kept.copy(tmp_path_factory.getbasetemp() / "damaged" / "audit")
    files = [path for path in sorted(copy.rglob("*.jsonl")) if path.stat().st_size]
    path = files[which % len(files)]
    before = path.read_bytes()
    after = damage(before, at % len(before), by)
    if after == before:
        return
    path.write_bytes(after)
    report = kept.held_to_all(copy)
    # What is only added behind the last seal is no part of the record, and is said to be so.
    added = after.startswith(before) and path.parent != copy
    assert not report.clean or (added and report.unsealed)
