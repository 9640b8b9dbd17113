"""Who is not to be asked for, and whom that does not concern."""

from pathlib import Path

import pytest

from vault.access.honeytokens import Honeytokens, read
from vault.config import Honeytokens as Configured
from vault.errors import SetUpError

ONE, TWO, REAL = bytes([1] * 16), bytes([2] * 16), bytes([3] * 16)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "honeytokens"
    path.write_text(f"{ONE.hex()}\n{TWO.hex()}\n")
    return path


def test_whoever_is_among_others_is_found(file: Path) -> None:
    honeytokens = Honeytokens(Configured(file=file, exempt=("bulk",)))
    assert honeytokens.touched("portal", {REAL, TWO})
    assert not honeytokens.touched("portal", {REAL})
    assert not honeytokens.touched("portal", set())
    assert not honeytokens.touched("bulk", {ONE})


def test_masks_and_matches_lock_where_configured(file: Path) -> None:
    alarm = Honeytokens(Configured(file=file))
    assert [alarm.locks(one) for one in ("detokenise", "mask", "match")] == [True, False, False]
    lock = Honeytokens(Configured(file=file, mask_and_match="lock"))
    assert all(lock.locks(one) for one in ("detokenise", "mask", "match"))


def test_no_file_is_nobody(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == frozenset()


@pytest.mark.parametrize("text", [b"secret-words", b"\xff\xfe", b"AB" * 16, b"ab" * 16 + b" "])
def test_another_file_is_told_by_its_line_and_not_repeated(file: Path, text: bytes) -> None:
    file.write_bytes(ONE.hex().encode() + b"\n" + text)
    with pytest.raises(SetUpError) as caught:
        read(file)
    assert "line 2" in str(caught.value) or text[0] == 0xFF
    assert text.strip().decode("latin-1") not in str(caught.value)


def test_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="cannot be read"):
        read(tmp_path)
