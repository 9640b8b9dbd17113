"""A record that was lost, and began anew with number 1, was followed only from the number on that
the old one had come to: what a thief wiped, and what came after, was seen by nobody."""

import shutil
from pathlib import Path

import pytest

from tests.support.records import NOW, disclosure
from vault.audit.following import Follower
from vault.audit.group import Tail
from vault.audit.reading import tail_at
from vault.audit.writer import RecordWriter

OLD = Tail(5, "5" * 64)
"""Where the old record ended."""


def write(folder: Path, name: str, groups: int, segment_bytes: int = 1_000_000) -> None:
    writer = RecordWriter.claim(folder, segment_bytes=segment_bytes)
    for _ in range(groups):
        writer.append([disclosure(name)], NOW)
    writer.close()


def read(follower: Follower) -> list[tuple[int, str]]:
    return [(entry.seq, getattr(entry, "principal", "")) for _, entry in follower.read(1_000)]


def test_while_it_is_followed(tmp_path: Path) -> None:
    write(tmp_path, "old", 5)
    follower = Follower(tmp_path, {})
    assert len(read(follower)) == 5
    for name, segment_bytes in (("new", 1_000_000), ("many", 1)):  # one segment, and many
        shutil.rmtree(tmp_path / "w0")
        write(tmp_path, name, 2, segment_bytes)
        assert read(follower) == [(1, name), (2, name)]
        assert read(follower) == []
    follower.close()


def test_after_a_restart(tmp_path: Path) -> None:
    write(tmp_path, "new", 2)
    follower = Follower(tmp_path, {"w0": [OLD]})
    assert read(follower) == [(1, "new"), (2, "new")]
    write(tmp_path, "new", 1)
    assert read(follower) == [(3, "new")]
    follower.close()


@pytest.mark.parametrize("segment_bytes", [1_000_000, 1])
def test_after_a_restart_where_the_new_one_came_further(tmp_path: Path, segment_bytes: int) -> None:
    """Numbers do not tell them apart."""
    write(tmp_path, "new", 7, segment_bytes)
    follower = Follower(tmp_path, {"w0": [OLD]})
    assert read(follower) == [(number, "new") for number in range(1, 8)]
    follower.close()


def test_what_is_behind_the_cursor_stays_there(tmp_path: Path) -> None:
    write(tmp_path, "old", 5, segment_bytes=1)
    end = tail_at(tmp_path / "w0", 5)
    assert end is not None
    follower = Follower(tmp_path, {"w0": [end]})
    assert read(follower) == []
    write(tmp_path, "old", 1, segment_bytes=1)
    assert read(follower) == [(6, "old")]
    follower.close()
