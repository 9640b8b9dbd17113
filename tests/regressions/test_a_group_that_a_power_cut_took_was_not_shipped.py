"""A group is read, and shipped, while it is on its way to the disk. Where a power cut or a failing
disk takes it back, its numbers are given again; what came under them was never shipped."""

from pathlib import Path

import pytest

from tests.support.records import NOW, disclosure
from vault.audit.following import Follower
from vault.audit.segment import segments
from vault.audit.shipping import Cursor
from vault.audit.writer import RecordWriter


def names(follower: Follower) -> list[tuple[int, str]]:
    return [(entry.seq, getattr(entry, "principal", "")) for _, entry in follower.read(1_000)]


@pytest.fixture
def cut(tmp_path: Path) -> tuple[Follower, Cursor, Path]:
    """Four groups were shipped, of which the disk has three."""
    folder = tmp_path / "audit"
    writer = RecordWriter.claim(folder)
    for name in "abc":
        writer.append([disclosure(name)], NOW)
    size = segments(folder / "w0")[-1].stat().st_size
    writer.append([disclosure("lost") for _ in range(2)], NOW)
    writer.close()
    follower, cursor = Follower(folder, {}), Cursor(tmp_path / "siem")
    assert len(names(follower)) == 5
    cursor.move(follower.ends)
    with segments(folder / "w0")[-1].open("r+b") as file:
        file.truncate(size)
    return follower, Cursor(tmp_path / "siem"), folder


def append(folder: Path, *groups: str) -> None:
    writer = RecordWriter.claim(folder)
    for group in groups:
        writer.append([disclosure(name) for name in group], NOW)
    writer.close()


@pytest.mark.parametrize("groups", [["d"], ["de"], ["d", "efghi", "j"]])
def test_what_came_instead_is_read_while_it_is_followed(
    cut: tuple[Follower, Cursor, Path], groups: list[str]
) -> None:
    follower, _, folder = cut
    append(folder, *groups)
    assert names(follower) == list(enumerate("".join(groups), 4))
    append(folder, "z")
    assert [name for _, name in names(follower)] == ["z"]
    follower.close()


@pytest.mark.parametrize("groups", [["d"], ["de"], ["d", "efghi", "j"]])
def test_and_after_a_restart(cut: tuple[Follower, Cursor, Path], groups: list[str]) -> None:
    first, cursor, folder = cut
    first.close()
    follower = Follower(folder, cursor.after)
    assert names(follower) == []  # what goes on from there has yet to come
    append(folder, *groups)
    assert names(follower) == list(enumerate("".join(groups), 4))
    follower.close()
    follower = Follower(folder, cursor.after)
    assert names(follower) == list(enumerate("".join(groups), 4))
    follower.close()
