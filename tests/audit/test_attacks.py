"""The record attacked: whatever is changed before what is held elsewhere is found.

An attacker does one to three things to a record of two writers, several segments, a retention
and a week of checkpoints, some with the signing key in hand. What should be found is not told by
the attack: the files themselves are compared, up to the groups that the evidence pins down.
`make test` tries some hundreds, `make long` ten thousand.
"""

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support.records import NOW, SEED, checkpoint_lines, fill
from vault.audit.checkpoint import FILE, Checkpoints, read_line
from vault.audit.entry import Receipt
from vault.audit.findings import Report
from vault.audit.group import (
    SEAL_START,
    Tail,
    genesis,
    header_line,
    read_header,
    read_seal,
    seal_group,
)
from vault.audit.segment import before_segment, segments
from vault.audit.verify import verify
from vault.audit.writer import RecordWriter
from vault.config import DAY

MUTATIONS = max(400, settings.default.max_examples)
WRITERS = ("w0", "w1")
DAYS = 4

Files = dict[str, bytes]
"""A record's segments and checkpoints, by their path in its folder."""


@dataclass(frozen=True)
class Evidence:
    """What is held where the attacker cannot reach it."""

    words: str
    checkpoints: Sequence[bytes] = ()
    receipts: Sequence[Receipt] = ()

    def pins(self, checkpoints: Checkpoints) -> tuple[dict[str, int], int]:
        """The last sequence of each writer that it knows of, and its last checkpoint's number."""
        pinned = dict.fromkeys(WRITERS, 0)
        for receipt in self.receipts:
            pinned[receipt.writer] = max(pinned[receipt.writer], receipt.sequence)
        read = [read_line(line, checkpoints.public_key) for line in self.checkpoints]
        for checkpoint in filter(None, read):
            for writer, (sequence, _) in checkpoint.writers.items():
                pinned[writer] = max(pinned[writer], sequence)
        return pinned, max((each.number for each in read if each is not None), default=0)


@dataclass
class Record:
    """A sound record, the days it was kept on, and what its owner has elsewhere."""

    folder: Path
    checkpoints: Checkpoints
    files: Files
    old: list[Files]
    """The same as it was at the end of each day."""
    evidence: list[Evidence]
    retired: Tail
    """Where retention has cut the first chain."""

    def report(self, evidence: Evidence) -> Report:
        return verify(
            self.folder,
            self.checkpoints.public_key,
            checkpoints_elsewhere=evidence.checkpoints,
            receipts=evidence.receipts,
        )

    def put(self, before: Files, after: Files) -> None:
        for name in before.keys() - after.keys():
            (self.folder / name).unlink()
        for name, content in after.items():
            if before.get(name) != content:
                (self.folder / name).parent.mkdir(exist_ok=True)
                (self.folder / name).write_bytes(content)
        for writer in WRITERS:
            if not any(name.startswith(f"{writer}/") for name in after):
                (self.folder / writer).rmdir()


def _read(folder: Path) -> Files:
    paths = [folder / FILE, *(path for each in WRITERS for path in segments(folder / each))]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("record")
    checkpoints = Checkpoints(folder, SEED)
    writers = [RecordWriter.claim(folder, segment_bytes=3_000) for _ in WRITERS]
    receipts: list[Receipt] = []
    old: list[Files] = []
    retired: dict[str, Tail] = {}
    for day in range(DAYS):
        now = NOW + day * DAY
        for groups, writer in enumerate(writers, 2):
            receipts += fill(writer, groups, now=now)
        if day == 1:
            first, second, *_ = segments(folder / "w0")
            cut = before_segment(second)
            assert cut is not None
            retired = {"w0": cut}
            first.unlink()
        tails = {writer.name: writer.tail for writer in writers}
        checkpoints.write(tails, now, epoch="an epoch", generation=1, retired=retired)
        old.append(_read(folder))
    # The lock files stand in the folder's way where a writer is removed.
    for writer in writers:
        writer.close()
        (folder / writer.name / "lock").unlink()
    kept = checkpoint_lines(folder)
    evidence = [
        Evidence("all checkpoints", kept),
        Evidence("the last checkpoint", kept[-1:]),
        Evidence("yesterday's checkpoint", kept[-2:-1]),
        Evidence("all receipts", (), receipts),
        Evidence("the last receipts", (), [receipts[-1], receipts[-10]]),
        Evidence("yesterday's and a receipt", kept[-2:-1], receipts[-1:]),
    ]
    assert len(segments(folder / "w0")) > 2
    assert len(segments(folder / "w1")) > 2
    return Record(folder, checkpoints, _read(folder), old, evidence, retired["w0"])


# The attacks. Each changes `files` in place, as `chance` says.

Attack = Callable[[random.Random, Files, Record], None]


def _segment(chance: random.Random, files: Files) -> str:
    return chance.choice(sorted(files.keys() - {FILE}) or [FILE])


def _span(chance: random.Random, content: bytes) -> tuple[int, int]:
    start = chance.randrange(len(content) + 1)
    return start, min(len(content), start + chance.choice((1, 1, 2, 30, 300)))


def edit(chance: random.Random, files: Files, record: Record) -> None:
    name = chance.choice(sorted(files))
    start, end = _span(chance, files[name])
    files[name] = files[name][:start] + chance.randbytes(end - start) + files[name][end:]


def edit_a_number(chance: random.Random, files: Files, record: Record) -> None:
    """All stays well-formed: fewer items, another time, another generation."""
    name = chance.choice(sorted(files))
    digits = [at for at, byte in enumerate(files[name]) if 0x30 <= byte <= 0x39] or [0]
    at = chance.choice(digits)
    files[name] = files[name][:at] + b"%d" % chance.randrange(10) + files[name][at + 1 :]


def delete(chance: random.Random, files: Files, record: Record) -> None:
    name = chance.choice(sorted(files))
    start, end = _span(chance, files[name])
    files[name] = files[name][:start] + files[name][end:]


def insert(chance: random.Random, files: Files, record: Record) -> None:
    name = chance.choice(sorted(files))
    start, end = _span(chance, files[name])
    files[name] = files[name][:start] + chance.randbytes(end - start) + files[name][start:]


def truncate(chance: random.Random, files: Files, record: Record) -> None:
    name = chance.choice(sorted(files))
    files[name] = files[name][: _span(chance, files[name])[0]]


def _pieces(content: bytes, *, groups: bool) -> list[bytes]:
    """A file's lines; or its first line, and then its groups."""
    found: list[bytes] = []
    for line in content.splitlines(keepends=True):
        if groups and len(found) > 1 and not found[-1].splitlines()[-1].startswith(SEAL_START):
            found[-1] += line
        else:
            found.append(line)
    return found


def move_pieces(chance: random.Random, files: Files, record: Record) -> None:
    """Lines or groups deleted, swapped, repeated, or moved to another file."""
    groups = chance.random() < 0.5
    name, other = chance.choice(sorted(files)), _segment(chance, files)
    pieces = _pieces(files[name], groups=groups)
    if not pieces:
        return
    one, two = (chance.randrange(len(pieces)) for _ in range(2))
    match chance.choice(("delete", "swap", "repeat", "move")):
        case "delete":
            del pieces[one]
        case "swap":
            pieces[one], pieces[two] = pieces[two], pieces[one]
        case "repeat":
            pieces.insert(two, pieces[one])
        case "move" if other != name:
            there = _pieces(files[other], groups=groups)
            there.insert(chance.randrange(len(there) + 1), pieces.pop(one))
            files[other] = b"".join(there)
    files[name] = b"".join(pieces)


def remove_a_segment(chance: random.Random, files: Files, record: Record) -> None:
    del files[_segment(chance, files)]


def swap_segments(chance: random.Random, files: Files, record: Record) -> None:
    one, other = _segment(chance, files), _segment(chance, files)
    files[one], files[other] = files[other], files[one]


def remove_a_writer(chance: random.Random, files: Files, record: Record) -> None:
    gone = chance.choice(WRITERS)
    for name in [name for name in files if name.startswith(f"{gone}/")]:
        del files[name]


def swap_writers(chance: random.Random, files: Files, record: Record) -> None:
    names = [name for name in files if "/" in name]
    moved = {f"w{1 - int(name[1])}{name[2:]}": files.pop(name) for name in names}
    files.update(moved)


def remove_the_checkpoints(chance: random.Random, files: Files, record: Record) -> None:
    files[FILE] = b"".join(files[FILE].splitlines(keepends=True)[: chance.randrange(DAYS)])


def put_back_an_old_state(chance: random.Random, files: Files, record: Record) -> None:
    old = chance.choice(record.old[:-1])
    files.clear()
    files.update(old)


def put_back_an_old_writer(chance: random.Random, files: Files, record: Record) -> None:
    """The checkpoints stay, or are of that day too."""
    writer, old = chance.choice(WRITERS), chance.choice(record.old[:-1])
    for name in [name for name in files if name.startswith(f"{writer}/")]:
        del files[name]
    files.update({name: old[name] for name in old if name.startswith(f"{writer}/")})
    if chance.random() < 0.5:
        files[FILE] = old[FILE]


def rewrite_a_chain(chance: random.Random, files: Files, record: Record) -> None:
    """Whole, or from some entry on, by someone who runs this very code: what was shown becomes
    less, and all hashes are right again."""
    writer = chance.choice(WRITERS)
    names = sorted(name for name in files if name.startswith(f"{writer}/"))
    tail, skip = genesis(writer), chance.randrange(12)
    for name in names:
        header, *lines = files[name].splitlines(keepends=True) or [b""]
        begun = read_header(header)
        if begun is not None and name == names[0]:
            tail = Tail(begun.first - 1, begun.previous)
        content, group = header_line(writer, tail), b""
        for line in lines:
            if line.startswith(SEAL_START):
                sealed = seal_group(group, group.count(b"\n"), tail, NOW)
                content, group, tail = content + sealed.data, b"", sealed.tail
            else:
                group += line if skip > 0 else re.sub(rb'"items":\d+', b'"items":0', line)
                skip -= 1
        files[name] = content + group


def forge(chance: random.Random, files: Files, record: Record) -> None:
    rewrite_a_chain(chance, files, record)
    sign_anew(chance, files, record)


def sign_anew(chance: random.Random, files: Files, record: Record) -> None:
    """With the signing key: as many checkpoints as before, over the chains as they now are."""
    forged = record.folder.parent / "forged"
    forged.mkdir(exist_ok=True)
    (forged / FILE).unlink(missing_ok=True)
    signer = Checkpoints(forged, SEED)
    tails: dict[str, Tail] = {}
    for writer in WRITERS:
        for name in sorted(name for name in files if name.startswith(f"{writer}/")):
            seals = (read_seal(line) for line in files[name].splitlines(keepends=True))
            for seal in filter(None, seals):
                tails[writer] = Tail(seal.last, seal.hash)
    retired = {"w0": record.retired}
    for day in range(DAYS):
        now = NOW + day * DAY
        signer.write(tails, now, epoch="an epoch", generation=1, retired=retired)
    files[FILE] = (forged / FILE).read_bytes()


ATTACKS: list[Attack] = [
    edit,
    edit_a_number,
    delete,
    insert,
    truncate,
    move_pieces,
    remove_a_segment,
    swap_segments,
    remove_a_writer,
    swap_writers,
    remove_the_checkpoints,
    put_back_an_old_state,
    put_back_an_old_writer,
    rewrite_a_chain,
    sign_anew,
    forge,
]


def _is_touched(record: Record, evidence: Evidence, after: Files) -> bool:
    """Whether anything differs up to the last groups and checkpoint that the evidence knows."""
    pinned, number = evidence.pins(record.checkpoints)
    here = after.get(FILE, b"").splitlines()[:number]
    if here != record.files[FILE].splitlines()[:number]:
        return True
    return any(
        _cut(record.files, writer, pinned) != _cut(after, writer, pinned) for writer in WRITERS
    )


def _cut(files: Files, writer: str, pinned: dict[str, int]) -> list[tuple[str, bytes]]:
    """The segments of a writer up to the seal that its pinned sequence stands under."""
    if pinned[writer] == 0:
        return []
    found: list[tuple[str, bytes]] = []
    for name in sorted(name for name in files if name.startswith(f"{writer}/")):
        at = 0
        for line in files[name].splitlines(keepends=True):
            at += len(line)
            if line.startswith(SEAL_START) and _seals(line, pinned[writer]):
                return [*found, (name, files[name][:at])]
        found.append((name, files[name]))
    return found


def _seals(line: bytes, sequence: int) -> bool:
    seal = read_seal(line)
    return seal is not None and seal.last >= sequence


@settings(max_examples=MUTATIONS, suppress_health_check=list(HealthCheck))
@given(
    attacks=st.lists(st.sampled_from(ATTACKS), min_size=1, max_size=3),
    which=st.integers(0, 5),
    seed=st.integers(0, 2**32),
)
def test_a_change_before_what_is_held_elsewhere_is_found(
    record: Record, attacks: Iterable[Attack], which: int, seed: int
) -> None:
    chance, after, evidence = random.Random(seed), dict(record.files), record.evidence[which]
    for attack in attacks:
        if after.keys() - {FILE}:
            attack(chance, after, record)
    assume(_is_touched(record, evidence, after))
    record.put(record.files, after)
    try:
        assert not record.report(evidence).clean, evidence.words
    finally:
        for writer in WRITERS:
            (record.folder / writer).mkdir(exist_ok=True)
        record.put(after, record.files)


def test_a_sound_record_is_clean_against_all_of_it(record: Record) -> None:
    assert _read(record.folder) == record.files
    for evidence in record.evidence:
        assert not _is_touched(record, evidence, record.files)
        report = record.report(evidence)
        assert report.clean, (evidence.words, report.findings)


@pytest.mark.parametrize("attack", ATTACKS)
def test_each_attack_touches_what_is_pinned(record: Record, attack: Attack) -> None:
    """Else nothing above would be tried."""
    touched = 0
    for seed in range(50):
        after = dict(record.files)
        attack(random.Random(seed), after, record)
        touched += _is_touched(record, record.evidence[0], after)
    assert touched > 25
