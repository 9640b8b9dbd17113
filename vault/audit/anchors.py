"""What is known of the chains from outside them: checkpoints, receipts, the store's marks.

Each says "this writer's group that holds sequence n has hash h". There may be a million of
them (a checkpoint a minute, for years), so they are kept packed: 48 bytes each.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vault.audit.checkpoint import NO_PREVIOUS, Checkpoint, line_hash, read_line
from vault.audit.entry import Receipt
from vault.audit.findings import Code, Finding, Report
from vault.audit.group import Tail

Source = Literal["checkpoint", "checkpoint held elsewhere", "receipt", "the store's mark"]
_SOURCES: tuple[Source, ...] = (
    "checkpoint",
    "checkpoint held elsewhere",
    "receipt",
    "the store's mark",
)


@dataclass(frozen=True, slots=True)
class Anchor:
    sequence: int
    digest: str
    words: str
    """Where it comes from: ``checkpoint 17``."""


class _Packed:
    """The anchors of one writer."""

    def __init__(self) -> None:
        self._sequences = array("Q")
        self._origins = array("Q")
        self._digests = bytearray()

    def add(self, sequence: int, digest: str, source: Source, number: int) -> None:
        raw = bytes.fromhex(digest)
        if self._sequences and self._sequences[-1] == sequence and self._digests[-32:] == raw:
            return
        self._sequences.append(sequence)
        self._origins.append(number * len(_SOURCES) + _SOURCES.index(source))
        self._digests += raw

    def __iter__(self) -> Iterator[Anchor]:
        order = sorted(range(len(self._sequences)), key=self._sequences.__getitem__)
        for index in order:
            number, source = divmod(self._origins[index], len(_SOURCES))
            digest = self._digests[32 * index : 32 * index + 32].hex()
            words = f"{_SOURCES[source]} {number}" if number else _SOURCES[source]
            yield Anchor(self._sequences[index], digest, words)


class Anchors:
    """Everything that the chains are held against."""

    def __init__(self, report: Report, key: Ed25519PublicKey) -> None:
        self._report = report
        self._key = key
        self._packed: dict[str, _Packed] = {}
        self._numbers: array[int] = array("Q")
        self._hashes: array[int] = array("Q")
        """The record's own checkpoints, in order: their numbers, and their lines' hashes."""
        self.retired: dict[str, set[Tail]] = {}
        """Every place at which retention has cut a chain."""

    @property
    def writers(self) -> list[str]:
        return list(self._packed)

    def of(self, writer: str) -> Iterator[Anchor]:
        """In the order of their sequences."""
        return iter(self._packed.get(writer, ()))

    def add_checkpoints(self, lines: Iterable[bytes], file: str) -> None:
        """The record's own checkpoints: also checks that they follow one another."""
        number, previous, offset = 0, NO_PREVIOUS, 0
        for row, line in enumerate(lines, 1):
            checkpoint = read_line(line, self._key)
            if checkpoint is None:
                self._find("bad_signature", "not signed by this key", file, row, offset)
            else:
                if checkpoint.number != number + 1:
                    words = f"checkpoint {checkpoint.number} stands where {number + 1} should"
                    self._find("checkpoint_gap", words, file, row, offset)
                elif checkpoint.previous != previous:
                    words = f"checkpoint {checkpoint.number} does not follow the line before"
                    self._find("checkpoint_chain", words, file, row, offset)
                self._take(checkpoint, "checkpoint")
                self._report.checkpoints += 1
            number = checkpoint.number if checkpoint else number + 1
            previous = line_hash(line)
            self._remember(number, previous)
            offset += len(line)

    def add_elsewhere(self, lines: Iterable[bytes]) -> None:
        """Checkpoints that were kept outside the record's reach; the record's own come first."""
        for row, line in enumerate(lines, 1):
            checkpoint = read_line(line, self._key)
            if checkpoint is None:
                words = "a checkpoint held elsewhere is not signed by this key"
                self._find("bad_signature", words, None, row, None)
                continue
            self._take(checkpoint, "checkpoint held elsewhere")
            number, here = checkpoint.number, self._here(checkpoint.number)
            if here is None:
                words = f"checkpoint {number} is held elsewhere, and gone here"
                self._find("checkpoint_gap", words, None, None, None)
            elif here != _short(line_hash(line)):
                words = f"checkpoint {number} here is not the one held elsewhere"
                self._find("checkpoint_chain", words, None, None, None)

    def add_receipts(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            self._add(receipt.writer, receipt.sequence, receipt.digest, "receipt", 0)

    def add_marks(self, marks: Mapping[str, Tail]) -> None:
        for writer, tail in marks.items():
            self._add(writer, tail.sequence, tail.digest, "the store's mark", 0)

    def _take(self, checkpoint: Checkpoint, source: Source) -> None:
        for writer, (sequence, digest) in checkpoint.writers.items():
            self._add(writer, sequence, digest, source, checkpoint.number)
        for writer, (sequence, digest) in checkpoint.retired.items():
            cut = Tail(sequence, digest)
            cuts = self.retired.setdefault(writer, set())
            if cut not in cuts:
                cuts.add(cut)
                self._add(writer, sequence, digest, source, checkpoint.number)

    def _add(self, writer: str, sequence: int, digest: str, source: Source, number: int) -> None:
        if sequence > 0:
            packed = self._packed.setdefault(writer, _Packed())
            packed.add(sequence, digest, source, number)

    def _remember(self, number: int, digest: str) -> None:
        """The first of each number; one that goes back is a finding already."""
        if not self._numbers or number > self._numbers[-1]:
            self._numbers.append(number)
            self._hashes.append(_short(digest))

    def _here(self, number: int) -> int | None:
        at = bisect_left(self._numbers, number)
        there = at < len(self._numbers) and self._numbers[at] == number
        return self._hashes[at] if there else None

    def _find(
        self, code: Code, detail: str, file: str | None, line: int | None, offset: int | None
    ) -> None:
        self._report.add(Finding(code, detail, file=file, line=line, offset=offset))


def _short(digest: str) -> int:
    """64 bits of a line's hash: enough to tell two signed lines apart, and kept for each."""
    return int(digest[:16], 16)
