"""What is made of files is made anew when they change, and only then."""

from collections.abc import Callable
from pathlib import Path

import pytest

from vault.renewed import Renewed


def reading(path: Path, made: list[str]) -> Callable[[], str]:
    def read() -> str:
        made.append(path.read_text("ascii"))
        if "half" in made[-1]:
            raise OSError("half of it")
        return made[-1]

    return read


@pytest.mark.parametrize("whole", [True, False])
def test_a_change_is_seen_and_nothing_else_is_made(tmp_path: Path, whole: bool) -> None:
    """A file that takes another's place, and one that is written over."""
    path, made = tmp_path / "one", list[str]()
    path.write_text("first")
    renewed = Renewed(reading(path, made), [path], pytest.fail)
    assert [renewed() for _ in range(3)] == ["first"] * 3
    fresh = tmp_path / "fresh" if whole else path
    fresh.write_text("other")
    fresh.rename(path)
    assert [renewed() for _ in range(3)] == ["other"] * 3
    assert made == ["first", "other"]


def test_a_folder_that_a_link_leads_to_is_changed(tmp_path: Path) -> None:
    """As the kubelet renews the files of a volume."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    link, path = tmp_path / "..data", tmp_path / "file"
    link.symlink_to("a")
    path.symlink_to("..data/file")
    renewed = Renewed(reading(path, []), [path], pytest.fail)
    assert renewed() == "a"
    (tmp_path / "fresh").symlink_to("b")
    (tmp_path / "fresh").rename(link)
    assert renewed() == "b"


def test_what_is_half_written_or_gone_changes_nothing_and_is_told_once(tmp_path: Path) -> None:
    path, told = tmp_path / "one", list[OSError]()
    path.write_text("first")
    renewed = Renewed(reading(path, []), [path], told.append)
    path.write_text("half")
    assert [renewed() for _ in range(3)] == ["first"] * 3
    assert len(told) == 1
    path.unlink()
    assert [renewed() for _ in range(3)] == ["first"] * 3
    assert len(told) == 2
    path.write_text("second")
    assert renewed() == "second"


def test_the_first_has_to_be_there(tmp_path: Path) -> None:
    path = tmp_path / "none"
    with pytest.raises(FileNotFoundError):
        Renewed(reading(path, []), [path], pytest.fail)
