"""Walks the whole record and names every place where it is not what was written.

What is found, and with what:

- with the record alone: an entry edited, deleted, swapped or inserted, because each group
  carries the hash of all before it, unless all later hashes of its chain are made anew; a
  segment missing in the middle, a bad signature, a checkpoint skipped;
- with the checkpoints in its folder, whose signing key is not there: also a chain made anew from
  some place on, cut at its end, or removed, up to the last checkpoint that is still there;
- with a checkpoint, receipt or store mark held elsewhere: all of that up to that one, even where
  the checkpoints were cut too, an older state of the whole folder was put back, or somebody who
  has the signing key wrote every checkpoint anew.

What cannot be found:

- a change behind the last checkpoint, receipt or mark that is held where the attacker cannot
  reach it: entries edited, removed or added there, or a chain that none of them knows;
- with nothing held elsewhere, an older state of the whole folder; or another record altogether,
  by somebody who has the signing key;
- which entries retention has dropped too early, where somebody who has the signing key signed
  that it did: receipts of dropped entries are not looked at.

A tail without a seal is no finding: no answer left for it.

Files are read line by line and never held: memory stays flat however long the record is.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vault.audit.anchors import Anchor, Anchors
from vault.audit.checkpoint import FILE, all_lines
from vault.audit.entry import CLOSED, Event, Receipt, decode
from vault.audit.findings import Code, Finding, Report
from vault.audit.group import (
    SEAL_START,
    Tail,
    genesis,
    read_header,
    read_seal,
    start_hash,
)
from vault.audit.segment import chains, first_sequence, segments

__all__ = ["Finding", "Report", "verify"]


def verify(
    folder: Path,
    public_key: Ed25519PublicKey,
    *,
    checkpoints_elsewhere: Iterable[bytes] = (),
    receipts: Iterable[Receipt] = (),
    marks: Mapping[str, Tail] | None = None,
) -> Report:
    """Verify a record, live or at rest, against all that is known of it. Raises OSError.

    `checkpoints_elsewhere` are lines of ``checkpoints.jsonl`` that were kept outside.
    """
    elsewhere, kept = tuple(checkpoints_elsewhere), tuple(receipts)
    try:
        return _verify(folder, public_key, elsewhere, kept, marks or {})
    except FileNotFoundError:  # retention took a segment away meanwhile: look again
        return _verify(folder, public_key, elsewhere, kept, marks or {})


def _verify(
    folder: Path,
    public_key: Ed25519PublicKey,
    elsewhere: Iterable[bytes],
    receipts: Iterable[Receipt],
    marks: Mapping[str, Tail],
) -> Report:
    report = Report()
    anchors = Anchors(report, public_key)
    # First what the chains are held to: a live chain only grows meanwhile.
    anchors.add_checkpoints(all_lines(folder / FILE), FILE)
    anchors.add_elsewhere(elsewhere)
    anchors.add_receipts(receipts)
    anchors.add_marks(marks)
    found = chains(folder)
    for chain in found:
        _Walk(chain, anchors, report).run()
    _missing(anchors, {chain.name for chain in found}, report)
    if not report.checkpoints and report.entries:
        report.add(Finding("checkpoint_gap", "all checkpoints are gone", file=FILE))
    return report


def _missing(anchors: Anchors, found: set[str], report: Report) -> None:
    for writer in anchors.writers:
        last = max(anchors.of(writer), key=lambda anchor: anchor.sequence)
        if writer not in found:
            words = f"{last.words} knows sequence {last.sequence} of it, and it is gone"
            report.add(Finding("missing_writer", words, writer, sequence=last.sequence))


class _Walk:
    """One chain, from its first segment to its last seal."""

    def __init__(self, chain: Path, anchors: Anchors, report: Report) -> None:
        self._chain = chain
        self._writer = chain.name
        self._retired = anchors.retired.get(chain.name, set())
        self._anchors = anchors.of(chain.name)
        self._next: Anchor | None = next(self._anchors, None)
        self._report = report
        self._tail = genesis(chain.name)
        self._ended = False
        self._file = ""
        self._line = 0
        self._offset = 0

    def run(self) -> None:
        paths = segments(self._chain)
        for index, path in enumerate(paths):
            self._file, self._line, self._offset = f"{self._writer}/{path.name}", 0, 0
            with path.open("rb") as file:
                unsealed = self._segment(path, iter(file), first=index == 0)
            if unsealed and path is not paths[-1]:
                words = "lines without seal stand in a segment that was closed"
                self._find("edited", words, sequence=self._tail.sequence + 1)
            elif unsealed:
                self._report.unsealed[self._writer] = unsealed
        self._report.tails[self._writer] = self._tail
        self._leftover()

    def _segment(self, path: Path, lines: Iterator[bytes], *, first: bool) -> int:
        """Returns how many bytes after the last seal are unsealed."""
        line = next(lines, b"")
        header = read_header(line)
        if header is None:
            if not line.endswith(b"\n"):
                return len(line) or 1  # a segment that was just begun
            self._find("edited", "the segment has no proper header")
        else:
            if header.writer != self._writer or header.first != first_sequence(path):
                self._find("edited", "the header is of another segment", header.first)
            self._join(Tail(header.first - 1, header.previous), first=first)
        self._step(line)
        return self._groups(lines)

    def _join(self, before: Tail, *, first: bool) -> None:
        """Go on from what a header says stands before it."""
        if before == self._tail:
            return
        if before.sequence > self._tail.sequence:
            if not (first and self._is_retired(before)):
                words = f"sequences {self._tail.sequence + 1} to {before.sequence} are gone"
                self._find("missing_segment", words, self._tail.sequence + 1)
            self._skip(before)
        elif before.sequence < self._tail.sequence:
            self._find("wrong_previous", "the segment repeats sequences", before.sequence + 1)
        else:
            self._find("wrong_previous", "the segment does not follow", before.sequence + 1)
        self._tail = before

    def _is_retired(self, before: Tail) -> bool:
        """Whether retention may have cut here: where it said, or before, if it was stopped
        between two files. (Then what it said is still to be met: it is an anchor too.)"""
        furthest = max((cut.sequence for cut in self._retired), default=0)
        return before in self._retired or before.sequence < furthest

    def _skip(self, before: Tail) -> None:
        """Nothing before `before` is left to be held against anything."""
        while self._next is not None and self._next.sequence < before.sequence:
            self._next = next(self._anchors, None)
        self._hold(before.sequence, before)

    def _groups(self, lines: Iterator[bytes]) -> int:
        hashed, expected, pending = start_hash(self._tail.digest), self._tail.sequence + 1, 0
        doubts: list[Finding] = []  # of a group that counts once it is sealed
        began = (self._line + 1, self._offset)
        for line in lines:
            if not line.endswith(b"\n"):
                return pending + len(line)
            if line.startswith(SEAL_START):
                for doubt in doubts:
                    self._report.add(doubt)
                self._report.entries += max(0, expected - 1 - self._tail.sequence)
                self._seal(line, expected, hashed.hexdigest(), began)
                hashed = start_hash(self._tail.digest)
                expected, pending = self._tail.sequence + 1, 0
                doubts.clear()
                began = (self._line + 2, self._offset + len(line))
            else:
                hashed.update(line)
                pending += len(line)
                expected = self._entry(line, expected, doubts)
            self._step(line)
        return pending

    def _entry(self, line: bytes, expected: int, doubts: list[Finding]) -> int:
        """Returns the sequence that the next entry should have."""
        if self._ended:
            words = "the chain goes on behind the end that an operator set"
            doubts.append(self._finding("after_end", words, expected))
        try:
            entry = decode(line)
            sequence, self._ended = entry.seq, isinstance(entry, Event) and entry.name == CLOSED
        except msgspec.DecodeError:
            doubts.append(self._finding("unreadable", "this line is no entry", expected))
            return expected + 1
        if sequence != expected:
            words = f"sequence {sequence} stands where {expected} should"
            doubts.append(self._finding("missing_sequence", words, sequence))
        return sequence + 1

    def _seal(self, line: bytes, expected: int, digest: str, began: tuple[int, int]) -> None:
        """Hold a group against its seal and the outside; go on from what the seal says."""
        seal = read_seal(line)
        if seal is None:
            self._find("edited", "this seal is not as it was written", expected)
            self._tail = Tail(expected - 1, digest)
            return
        if seal.previous != self._tail.digest:
            self._find("wrong_previous", "the group does not follow the one before", seal.first)
        if seal.first != self._tail.sequence + 1 or seal.last != expected - 1:
            words = f"the seal is over {seal.first} to {seal.last}, its lines are not"
            self._find("missing_sequence", words, seal.first)
        if seal.hash != digest and seal.previous == self._tail.digest:
            words = f"entries {seal.first} to {seal.last} are not what was sealed"
            file, (row, offset) = self._file, began
            self._report.add(Finding("edited", words, self._writer, file, row, offset, seal.first))
        first, self._tail = self._tail.sequence + 1, Tail(seal.last, seal.hash)
        self._hold(first, self._tail)

    def _hold(self, first: int, tail: Tail) -> None:
        """Hold the group that ends in `tail` against every anchor inside it."""
        while self._next is not None and self._next.sequence <= tail.sequence:
            anchor, self._next = self._next, next(self._anchors, None)
            if anchor.sequence >= first and anchor.digest != tail.digest:
                words = f"{anchor.words} knows another group here"
                self._find("rewritten", words, anchor.sequence)
            elif anchor.sequence < first:
                words = f"{anchor.words} knows a group that is gone here"
                self._find("rewritten", words, anchor.sequence)

    def _leftover(self) -> None:
        """What the outside knows beyond the chain's end."""
        last = self._next
        for anchor in self._anchors:
            last = anchor
        if last is not None:
            words = f"{last.words} knows sequence {last.sequence}, the chain ends before"
            self._find("truncated", words, self._tail.sequence + 1)

    def _step(self, line: bytes) -> None:
        self._line += 1
        self._offset += len(line)

    def _find(self, code: Code, detail: str, sequence: int | None = None) -> None:
        self._report.add(self._finding(code, detail, sequence))

    def _finding(self, code: Code, detail: str, sequence: int | None) -> Finding:
        line, offset = self._line + 1, self._offset
        return Finding(code, detail, self._writer, self._file, line, offset, sequence)
