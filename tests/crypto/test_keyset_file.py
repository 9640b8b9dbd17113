"""The keyset's file: written whole or not at all, and read only if not a bit of it changed."""

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vault.crypto import keyset_file
from vault.crypto.kek import Kek, LocalKek
from vault.crypto.keyset import Keyset, new_keyset
from vault.crypto.keyset_file import load, save
from vault.crypto.secret import KeyAccess, Secret
from vault.errors import SetUpError

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
KEK = LocalKek("file", Secret(bytes(range(32))))


def bare(keyset: Keyset) -> tuple[object, ...]:
    """All a keyset holds, to compare by."""
    secrets = [keyset.root, *(v.secret for v in keyset.versions)]
    opened = tuple(s and s.reveal(KeyAccess()) for s in secrets)
    rest = tuple((v.version, v.state, v.created) for v in keyset.versions)
    return keyset.generation, keyset.slots, rest, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyset.json"


def lives() -> list[Keyset]:
    first = new_keyset(NOW)
    second = first.rotate(NOW)
    return [first, second, second.disable(1), second.destroy(1), second.destroy(1).rotate(NOW)]


@pytest.mark.parametrize("stage", range(5))
def test_comes_back_as_it_was(path: Path, stage: int) -> None:
    keyset = lives()[stage]
    save(path, keyset, KEK)
    assert bare(load(path, KEK)) == bare(keyset)
    assert list(path.parent.iterdir()) == [path]


def test_is_for_its_owner_only_and_readable_without_the_keys(path: Path) -> None:
    before = os.umask(0)
    try:
        save(path, new_keyset(NOW).rotate(NOW), KEK)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = json.loads(path.read_text())
    assert shown.pop("wrapped")
    assert shown == {
        "jeton-keyset": 1,
        "generation": 2,
        "slots": 2,
        "kek": "file",
        "versions": [
            {"version": 1, "state": "enabled", "created": "2026-11-24T12:00:00+00:00"},
            {"version": 2, "state": "primary", "created": "2026-11-24T12:00:00+00:00"},
        ],
    }


def test_a_file_of_this_edition_opens_for_ever() -> None:
    """Kept as it was written once: of keys and a KEK that are for tests alone."""
    kept = Path(__file__).parents[1] / "vectors" / "keyset.json"
    assert bare(load(kept, KEK)) == (
        7,
        2,
        (
            (1, "destroyed", "2026-01-02T03:04:05+00:00"),
            (2, "enabled", "2026-02-02T03:04:05+00:00"),
            (3, "primary", "2026-03-02T03:04:05+00:00"),
        ),
        (bytes([9] * 32), None, bytes([2] * 32), bytes([3] * 32)),
    )


def test_nobody_else_could_open_it_while_it_was_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    fchmod = os.fchmod

    def noted(descriptor: int, mode: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        fchmod(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", noted)
    before = os.umask(0)
    try:
        save(path, new_keyset(NOW), KEK)
    finally:
        os.umask(before)
    assert modes == [0o600]


def test_every_flipped_bit_is_noticed(path: Path) -> None:
    save(path, lives()[4], KEK)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(SetUpError) as caught:
            load(path, KEK)
        assert (
            "restore it from a backup" in str(caught.value)
            or "newer edition" in str(caught.value)
            or "unchanged backup" in str(caught.value)
        )


def test_every_cut_and_every_addition_is_noticed(path: Path) -> None:
    save(path, new_keyset(NOW), KEK)
    whole = path.read_bytes()
    others = [whole[:cut] for cut in range(len(whole))]
    others += [whole + b"\n", b" " + whole, whole + whole, whole.replace(b"\n", b"\r\n")]
    for changed in others:
        path.write_bytes(changed)
        with pytest.raises(SetUpError, match="cut, edited or damaged"):
            load(path, KEK)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"generation": 3', '"generation": 4'),
        ('"state": "disabled"', '"state": "enabled"'),
        ('"slots": 2', '"slots": 3'),
        ("2026-11-24T12", "2027-11-24T12"),
        ('"kek": "file"', '"kek": "env"'),
    ],
)
def test_an_edited_header_does_not_open(path: Path, old: str, new: str) -> None:
    save(path, lives()[2], KEK)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SetUpError, match="the file was changed"):
        load(path, KEK)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '"text"',
        "[" * 100_000,
        '{"generation": true}',
        '{"generation": 1e9999, "slots": NaN}',
        "9" * 10_000,
        '{"generation":1,"slots":2,"kek":"file","versions":[{}],"wrapped":""}',
        '{"generation":1,"slots":2,"kek":null,"versions":[],"wrapped":""}',
        '{"generation":1,"slots":2,"kek":"file","versions":[],"wrapped":7}',
        "\ud800",
    ],
    ids=range(13),
)
def test_anything_else_is_called_damaged(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SetUpError, match="cut, edited or damaged"):
        load(path, KEK)
    with pytest.raises(SetUpError, match="cut, edited or damaged"):
        save(path, new_keyset(NOW), KEK)


def test_a_newer_edition_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(keyset_file, "EDITION", 2)
        save(path, new_keyset(NOW), KEK)
    with pytest.raises(SetUpError, match="newer edition"):
        load(path, KEK)


def test_a_wrong_kek_is_told_from_a_damaged_file(path: Path) -> None:
    save(path, new_keyset(NOW), KEK)
    with pytest.raises(SetUpError, match="the KEK is another one") as caught:
        load(path, LocalKek("file", Secret(bytes(32))))
    assert caught.value.__suppress_context__


def test_a_kek_that_answers_with_other_keys_is_noticed(path: Path) -> None:
    class Odd(LocalKek):
        def unwrap(self, wrapped: bytes, header: bytes) -> bytes:
            return super().unwrap(wrapped, header)[:-1]

    save(path, new_keyset(NOW), KEK)
    odd: Kek = Odd("file", Secret(bytes(range(32))))
    with pytest.raises(SetUpError, match="other keys than its header says"):
        load(path, odd)


def test_missing_too_large_and_unreadable_files(path: Path) -> None:
    with pytest.raises(SetUpError, match="jeton init"):
        load(path, KEK)
    path.write_bytes(b"x" * (keyset_file.MAX_FILE + 1))
    with pytest.raises(SetUpError, match="too large"):
        load(path, KEK)
    with pytest.raises(SetUpError, match="cannot be read: Is a directory"):
        load(path.parent, KEK)


def test_a_destroyed_key_is_gone_from_the_file(path: Path) -> None:
    keyset = new_keyset(NOW).rotate(NOW)
    save(path, keyset, KEK)
    lost = keyset.versions[0].secret
    assert lost is not None
    seen: list[bytes] = []

    class Watching(LocalKek):
        def wrap(self, plaintext: bytes, header: bytes) -> bytes:
            seen.append(plaintext)
            return super().wrap(plaintext, header)

    save(path, keyset.destroy(1), Watching("file", Secret(bytes(range(32)))))
    assert len(seen[0]) == 64
    assert lost.reveal(KeyAccess()) not in seen[0]
    assert load(path, KEK).versions[0].secret is None
    assert list(path.parent.iterdir()) == [path]


def test_of_two_who_change_it_at_once_one_is_refused(path: Path) -> None:
    keyset = new_keyset(NOW)
    save(path, keyset, KEK)
    mine, yours = keyset.rotate(NOW), keyset.rotate(NOW)
    save(path, mine, KEK)
    for late in (yours, keyset, mine):
        with pytest.raises(SetUpError, match="nothing is written"):
            save(path, late, KEK)
    assert bare(load(path, KEK)) == bare(mine)


def test_another_kek_takes_over_with_the_next_generation(path: Path) -> None:
    keyset = new_keyset(NOW)
    save(path, keyset, KEK)
    other = LocalKek("env", Secret(bytes(32)))
    save(path, load(path, KEK).renewed(), other)
    assert bare(load(path, other))[1:] == bare(keyset)[1:]
    with pytest.raises(SetUpError, match="the KEK is another one"):
        load(path, KEK)


@pytest.mark.parametrize("failing", ["fsync", "fchmod", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    path: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyset = new_keyset(NOW)
    save(path, keyset, KEK)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Path if failing == "replace" else os, failing, fail)
        with pytest.raises(SetUpError, match=r"cannot be written.*No space left"):
            save(path, keyset.rotate(NOW), KEK)
    assert bare(load(path, KEK)) == bare(keyset)
    assert list(path.parent.iterdir()) == [path]


def test_what_a_crash_left_is_overwritten(path: Path) -> None:
    left = path.with_name(".keyset.json.new")
    left.write_text("half")
    left.chmod(0o644)
    save(path, new_keyset(NOW), KEK)
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match=r"cannot be written.*No such file"):
        save(tmp_path / "none" / "keyset.json", new_keyset(NOW), KEK)


def test_the_file_and_then_the_folder_are_synced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    save(path, new_keyset(NOW), KEK)
    assert steps == ["file", "rename", "folder"]
