"""What verification can say: where the record is not what it was, and what is wrong there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from vault.audit.group import Tail

Code = Literal[
    "edited",  # bytes of a sealed group, a seal or a header are not what was written
    "missing_sequence",  # a number is skipped, repeated or out of order
    "wrong_previous",  # a group or segment does not follow the one before it
    "missing_segment",  # whole segments are gone that retention did not drop
    "missing_writer",  # a whole chain is gone
    "truncated",  # a chain ends before what a checkpoint, receipt or the store knows of it
    "rewritten",  # a chain is whole, but not the one a checkpoint, receipt or the store knows
    "bad_signature",
    "checkpoint_chain",  # a checkpoint does not follow the one before it
    "checkpoint_gap",  # a checkpoint's number is skipped, or all are gone
    "unreadable",
    "after_end",  # entries stand behind the end that an operator set to a chain
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where the record was changed; `offset` and `line` are in `file`."""

    code: Code
    detail: str
    writer: str | None = None
    file: str | None = None
    line: int | None = None
    offset: int | None = None
    sequence: int | None = None

    def __str__(self) -> str:
        where = [self.file or self.writer or "record"]
        if self.line is not None:
            where.append(f"line {self.line}")
        if self.offset is not None:
            where.append(f"byte {self.offset}")
        if self.sequence is not None:
            where.append(f"sequence {self.sequence}")
        return f"{', '.join(where)}: {self.code}: {self.detail}"


MOST = 1_000
"""One break can be followed by very many: beyond this they are counted only."""


@dataclass(slots=True)
class Report:
    """The outcome of a verification: clean when there is no finding."""

    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    """How many findings there were beyond the first `MOST`."""
    tails: dict[str, Tail] = field(default_factory=dict)
    unsealed: dict[str, int] = field(default_factory=dict)
    """Bytes after a chain's last seal: a group being written, or what a crash left of one.
    They are no part of the record, and were never answered."""
    entries: int = 0
    checkpoints: int = 0

    @property
    def clean(self) -> bool:
        return not self.findings

    def add(self, finding: Finding) -> None:
        if len(self.findings) < MOST:
            self.findings.append(finding)
        else:
            self.more += 1


def merged(reports: Iterable[Report]) -> Report:
    """Of several machines' records, whose chains have different names."""
    whole = Report()
    for report in reports:
        for finding in report.findings:
            whole.add(finding)
        whole.more += report.more
        whole.tails |= report.tails
        whole.unsealed |= report.unsealed
        whole.entries += report.entries
        whole.checkpoints += report.checkpoints
    return whole
