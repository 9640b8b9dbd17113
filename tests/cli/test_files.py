"""Files are written whole or not at all."""

import os
from pathlib import Path

import pytest

from vault.cli import files
from vault.cli.files import edit, write_new


def test_a_new_file_overwrites_nothing(tmp_path: Path) -> None:
    write_new(tmp_path / "new", "mine")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "new", "yours")
    assert (tmp_path / "new").read_text() == "mine"


@pytest.mark.parametrize("step", ["write_new", "os.chown", "change"])
def test_what_fails_leaves_the_old_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    if step == "write_new":
        monkeypatch.setattr(files, "write_new", full)
    elif step == "os.chown":
        monkeypatch.setattr(os, "chown", full)
    with pytest.raises(OSError, match="No space left"):
        edit(path, full if step == "change" else lambda text: f"{text} and new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_crash_left_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    (tmp_path / ".file.new").write_text("half")
    edit(path, lambda text: f"{text} and new")
    assert path.read_text() == "old and new"
    assert list(tmp_path.iterdir()) == [path]
