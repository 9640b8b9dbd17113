"""Checkpoints: numbered, chained, signed; written by anybody who holds the lock and the key."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import NOW, SEED, checkpoint_lines
from vault.audit.checkpoint import (
    FILE,
    NO_PREVIOUS,
    PUBLIC_KEY,
    Checkpoint,
    Checkpoints,
    line_hash,
    lines_after,
    load_public_key,
    number_of,
    read_line,
)
from vault.audit.group import Tail
from vault.errors import SetUpError

W0, W0_LATER, W1 = Tail(3, "aa" * 32), Tail(9, "bb" * 32), Tail(5, "cc" * 32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def checkpoints(folder: Path) -> Checkpoints:
    return Checkpoints(folder, SEED)


def write(checkpoints: Checkpoints, now: float = NOW, **tails: Tail) -> Checkpoint:
    written = checkpoints.write(tails, now, epoch="e1", generation=1)
    assert written is not None
    return written


def test_each_follows_the_line_before(folder: Path, checkpoints: Checkpoints) -> None:
    first, second = write(checkpoints, w0=W0), write(checkpoints, w0=W0_LATER)
    lines = checkpoint_lines(folder)
    assert (first.number, first.previous) == (1, NO_PREVIOUS)
    assert (second.number, second.previous) == (2, line_hash(lines[0]))
    assert checkpoints.last() == second
    assert [read_line(line, checkpoints.public_key) for line in lines] == [first, second]


def test_no_chain_goes_back_or_is_forgotten(checkpoints: Checkpoints) -> None:
    write(checkpoints, w0=W0_LATER, w1=W1)
    later = write(checkpoints, w0=W0)
    assert later.writers == {"w0": (9, "bb" * 32), "w1": (5, "cc" * 32)}


def test_two_workers_write_one_a_period(folder: Path, checkpoints: Checkpoints) -> None:
    other = Checkpoints(folder, SEED)
    write(checkpoints, w0=W0)
    assert not other.write({}, NOW + 59, epoch="e", generation=1, unless_within=60)
    assert other.write({}, NOW + 61, epoch="e", generation=1, unless_within=60)


def test_a_torn_line_is_written_over(folder: Path, checkpoints: Checkpoints) -> None:
    first = write(checkpoints, w0=W0)
    write(checkpoints, w0=W0_LATER)
    path = folder / FILE
    os.truncate(path, path.stat().st_size - 10)
    started = Checkpoints(folder, SEED)  # after the crash that tore it
    assert started.last() == first
    assert write(started, w0=W0_LATER).number == 2
    assert len(checkpoint_lines(folder)) == 2


def test_a_very_long_last_line_is_found(folder: Path, checkpoints: Checkpoints) -> None:
    tails = {f"w{n}": Tail(n + 1, "ab" * 32) for n in range(2_000)}
    write(checkpoints, **tails)
    assert len(write(checkpoints, **tails).writers) == 2_000
    assert checkpoints.last() is not None


def test_nothing_is_taken_from_another_key(folder: Path, checkpoints: Checkpoints) -> None:
    write(checkpoints, w0=W0)
    with pytest.raises(SetUpError, match="another keyset"):
        Checkpoints(folder, bytes(32))
    (folder / PUBLIC_KEY).unlink()
    other = Checkpoints(folder, bytes(32))
    with pytest.raises(SetUpError, match="not signed by this keyset"):
        other.last()


def test_every_byte_of_a_line_counts(folder: Path, checkpoints: Checkpoints) -> None:
    write(checkpoints, w0=W0)
    (line,) = checkpoint_lines(folder)
    for at in range(len(line) - 1):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        assert read_line(changed, checkpoints.public_key) is None
    assert read_line(line.replace(b",", b", ", 1), checkpoints.public_key) is None
    deep = b'{"checkpoint":' + b"[" * 100_000
    assert read_line(deep, checkpoints.public_key) is None
    signed = line.rindex(b'"', 0, -3) + 1
    shouted = line[:signed] + line[signed:].upper()
    assert read_line(shouted, checkpoints.public_key) is None


def test_the_public_key_stands_beside(folder: Path, checkpoints: Checkpoints) -> None:
    write(checkpoints, w0=W0)
    key = load_public_key(folder / PUBLIC_KEY)
    assert read_line(checkpoint_lines(folder)[0], key) is not None
    (folder / PUBLIC_KEY).write_text("no key")
    with pytest.raises(SetUpError, match=PUBLIC_KEY):
        load_public_key(folder / PUBLIC_KEY)


@given(st.lists(st.integers(0, 300), min_size=0, max_size=40), st.integers(0, 45), st.booleans())
def test_the_lines_after_a_number_are_found_by_halving(
    tmp_path_factory: pytest.TempPathFactory, fillings: list[int], after: int, torn: bool
) -> None:
    path = tmp_path_factory.mktemp("lines") / "checkpoints.jsonl"
    lines = [
        b'{"checkpoint":{"number":%d,"x":"%s"}}\n' % (number, b"x" * filling)
        for number, filling in enumerate(fillings, 1)
    ]
    path.write_bytes(b"".join(lines) + (b'{"checkpoint":{"number":99' if torn else b""))
    assert lines_after(path, after, 10**6) == lines[after:]
    first = lines_after(path, after, 1)
    assert first == lines[after : after + 1]
    assert [number_of(line) for line in first] == [after + 1][: len(first)]
