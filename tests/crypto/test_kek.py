"""KEKs from a file, the environment and a command; and what is said when they cannot be had."""

import base64
import os
import shlex
import sys
from pathlib import Path

import pytest

from vault.crypto import kek as kek_module
from vault.crypto.kek import MAX_TEXT, new_kek_text, open_kek
from vault.errors import SetUpError

TEXT = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def kek_file(tmp_path: Path) -> Path:
    path = tmp_path / "kek.key"
    path.write_text(TEXT + "\n")
    path.chmod(0o600)
    return path


def test_the_three_kinds_open_each_others_work(
    kek_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEK", TEXT)
    specs = ["file:kek.key", f"file:{kek_file}", "env:A_KEK", "command:cat 'kek.key'"]
    for spec in specs:
        kek = open_kek(spec, kek_file.parent)
        assert kek.name == spec.split(":")[0]
        wrapped = kek.wrap(b"keys", b"header")
        for other in specs:
            assert open_kek(other, kek_file.parent).unwrap(wrapped, b"header") == b"keys"


def test_new_ones_are_fresh_and_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = new_kek_text(), new_kek_text()
    assert one != other
    monkeypatch.setenv("ONE", one)
    monkeypatch.setenv("OTHER", other)
    wrapped = open_kek("env:ONE", tmp_path).wrap(b"keys", b"header")
    with pytest.raises(SetUpError, match="the KEK is another one"):
        open_kek("env:OTHER", tmp_path).unwrap(wrapped, b"header")
    with pytest.raises(SetUpError, match="the KEK is another one"):
        open_kek("env:ONE", tmp_path).unwrap(wrapped, b"other header")


@pytest.mark.parametrize("spec", ["", "file", "file:", "env:", "vault:x", "kek.key", ":x"])
def test_refuses_other_specifications(spec: str, tmp_path: Path) -> None:
    known = "none of file:PATH, env:NAME, command:ARGV, pkcs11:URI and aws-kms:KEY"
    with pytest.raises(SetUpError, match=known):
        open_kek(spec, tmp_path)


@pytest.mark.parametrize("mode", [0o604, 0o606, 0o602, 0o601, 0o644])
def test_refuses_a_file_open_to_everybody(kek_file: Path, mode: int) -> None:
    kek_file.chmod(mode)
    with pytest.raises(SetUpError, match="chmod 600"):
        open_kek("file:kek.key", kek_file.parent)


def test_a_group_may_read_it(kek_file: Path) -> None:
    kek_file.chmod(0o440)  # as Kubernetes mounts secrets for a group
    assert open_kek("file:kek.key", kek_file.parent).name == "file"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("file:missing.key", "No such file"),
        ("file:.", "Is a directory"),
        ("env:JETON_NO_SUCH_VARIABLE", "JETON_NO_SUCH_VARIABLE.*not set"),
        ("command:/no/such/program", "cannot be started: No such file"),
        ("command: ", "names no program"),
        ("command:'unclosed", "unclosed quotation"),
        ("command:sh -c 'echo hidden; echo hidden >&2; exit 7'", "exit code 7"),
    ],
)
def test_says_what_is_wrong_and_shows_nothing(spec: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match=words) as caught:
        open_kek(spec, tmp_path)
    assert "hidden" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    "text", ["", "short", TEXT[:-4], TEXT + TEXT, "!" + TEXT[1:], "\xe9" * 44, TEXT * 200]
)
def test_refuses_what_is_not_32_bytes_in_base64(text: str, kek_file: Path) -> None:
    kek_file.write_text(text)
    with pytest.raises(SetUpError, match="from `file` is not the base64 text of 32") as caught:
        open_kek("file:kek.key", kek_file.parent)
    assert not text or text not in str(caught.value)


def test_blanks_around_it_count_as_much_as_may_be_read(kek_file: Path) -> None:
    kek_file.write_text(TEXT.ljust(MAX_TEXT))
    assert open_kek("file:kek.key", kek_file.parent)
    kek_file.write_text(TEXT.ljust(MAX_TEXT + 1))
    with pytest.raises(SetUpError, match="is not the base64 text of 32"):
        open_kek("file:kek.key", kek_file.parent)


def test_a_command_is_given_nothing_to_read(tmp_path: Path) -> None:
    line = f"command:{shlex.join([sys.executable, '-c', f'input(); print({TEXT!r})'])}"
    assert open_kek(line.replace("input(); ", ""), tmp_path)
    ours, (reading, writing) = os.dup(0), os.pipe()
    try:
        os.write(writing, b"a line that is there to be read\n")
        os.dup2(reading, 0)
        with pytest.raises(SetUpError, match="exit code"):
            open_kek(line, tmp_path)
    finally:
        os.dup2(ours, 0)
        for descriptor in (ours, reading, writing):
            os.close(descriptor)


def test_what_a_command_complains_of_is_not_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SetUpError, match="exit code 3"):
        open_kek("command:sh -c 'echo a-secret >&2; exit 3'", tmp_path)
    assert capfd.readouterr() == ("", "")


def test_only_the_first_colon_parts_the_kind_from_the_rest(kek_file: Path) -> None:
    other = kek_file.with_name("kek:of:1.key")
    kek_file.rename(other)
    assert open_kek("file:kek:of:1.key", other.parent).name == "file"
    assert open_kek("command:cat kek:of:1.key", other.parent).name == "command"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("file:none.key", "the KEK file none.key cannot be opened"),
        (f"file:{TEXT}", "the KEK file that keys.kek names cannot be opened"),
        ("env:NO_SUCH_KEK", "the environment variable NO_SUCH_KEK, which holds the KEK,"),
        (f"env:{TEXT}", "the environment variable that keys.kek names, which holds the KEK,"),
    ],
)
def test_a_place_is_named_unless_a_key_was_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, said: str
) -> None:
    monkeypatch.delenv("NO_SUCH_KEK", raising=False)
    with pytest.raises(SetUpError) as caught:
        open_kek(spec, tmp_path)
    assert str(caught.value).startswith(said)


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kek_module, "COMMAND_SECONDS", 0.2)
    with pytest.raises(SetUpError, match="more than"):
        open_kek("command:sleep 60", tmp_path)


def test_a_kek_does_not_show_its_key(kek_file: Path) -> None:
    shown = repr(open_kek("file:kek.key", kek_file.parent))
    assert TEXT not in shown
    assert repr(bytes(range(32)))[2:-1] not in shown
