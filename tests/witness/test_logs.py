"""What a witness takes, what it refuses, and that nothing it signed for is ever unsaid."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.support.records import NOW, SEED, checkpoint_lines
from vault.audit.checkpoint import Checkpoints, line_hash, load_public_key, public_key_pem
from vault.audit.group import Tail
from vault.errors import SetUpError
from vault.witness import logs
from vault.witness.cosignature import is_by, log_of
from vault.witness.logs import Conflict, Inconsistent, Unknown, Witness

KEY = Ed25519PrivateKey.from_private_bytes(SEED)
LOG = log_of(KEY.public_key(), "record")


def tail(sequence: int, mark: str = "a") -> Tail:
    return Tail(sequence, mark * 64)


def signed(folder: Path, *states: dict[str, Tail]) -> list[bytes]:
    """Checkpoints of a record whose chains came so far, one after another."""
    checkpoints = Checkpoints(folder, SEED)
    for state in states:
        checkpoints.write(state, NOW, epoch="an epoch", generation=1)
    return checkpoint_lines(folder)


def forged(like: bytes, **changed: object) -> bytes:
    """A line with other contents by somebody who has the log's key."""
    body = json.loads(like)["checkpoint"] | changed
    text = json.dumps(body, separators=(",", ":"))
    return f'{{"checkpoint":{text},"signature":"{KEY.sign(text.encode()).hex()}"}}\n'.encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "witness"
    logs.make(path)
    (tmp_path / "public.pem").write_bytes(public_key_pem(KEY.public_key()))
    logs.trust(path, tmp_path / "public.pem")
    return path


@pytest.fixture
def witness(folder: Path) -> Iterator[Witness]:
    one = Witness(folder, lambda: NOW)
    yield one
    one.close()


def test_it_signs_for_what_goes_on(witness: Witness, tmp_path: Path) -> None:
    lines = signed(tmp_path / "r", {}, {"w0": tail(3)}, {"w0": tail(5, "b"), "w1": tail(1)})
    first = witness.add(LOG, 0, lines[:1])
    last = witness.add(LOG, 1, lines[1:])
    assert (first.number, last.number, last.hash) == (1, 3, line_hash(lines[2]))
    assert is_by(witness.public_key, LOG, last)
    assert not is_by(witness.public_key, f"{LOG}2", last)
    again = witness.add(LOG, 3, ())
    assert (again.number, again.hash) == (3, last.hash)
    found, end = witness.known(LOG)
    assert (list(found), end.number) == (lines, 3)


def test_what_it_knows_is_told_to_whoever_knows_less_or_more(
    witness: Witness, tmp_path: Path
) -> None:
    lines = signed(tmp_path / "r", {}, {"w0": tail(3)})
    witness.add(LOG, 0, lines)
    for old in (0, 1, 3):
        with pytest.raises(Conflict) as caught:
            witness.add(LOG, old, lines[old:])
        known = caught.value.known
        assert (known.number, known.hash) == (2, line_hash(lines[1]))
        assert is_by(witness.public_key, LOG, known)


def test_an_older_record_that_goes_on_anew_is_refused(witness: Witness, tmp_path: Path) -> None:
    """The folder was put back to an older state: its next checkpoints are others."""
    lines = signed(tmp_path / "r", {}, {"w0": tail(3)}, {"w0": tail(9)})
    witness.add(LOG, 0, lines)
    (tmp_path / "r" / "checkpoints.jsonl").write_bytes(b"".join(lines[:2]))
    others = signed(tmp_path / "r", {"w0": tail(4)}, {"w0": tail(5)})
    for old in (2, 3):
        with pytest.raises((Conflict, Inconsistent)):
            witness.add(LOG, old, others[old:])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"writers": {}}, "forgotten a chain"),
        ({"writers": {"w0": [2, "a" * 64]}}, "shorter"),
        ({"writers": {"w0": [3, "b" * 64]}}, "another one"),
        ({"retired": {}}, "forgotten a chain"),
        ({"generation": 0}, "older keyset"),
        ({"number": 4}, "does not follow"),
        ({"previous": "b" * 64}, "does not follow"),
        ({"number": 0}, "not signed"),
    ],
)
def test_whoever_has_the_key_cannot_rewrite_the_past(
    witness: Witness, tmp_path: Path, changed: dict[str, object], words: str
) -> None:
    checkpoints = Checkpoints(tmp_path / "r", SEED)
    for number in (3, 3):
        checkpoints.write(
            {"w0": tail(number)}, NOW, epoch="e", generation=1, retired={"w0": tail(1)}
        )
    lines = checkpoint_lines(tmp_path / "r")
    next_one = {"number": 3, "previous": line_hash(lines[1])}
    witness.add(LOG, 0, lines)
    with pytest.raises(Inconsistent, match=words):
        witness.add(LOG, 2, [forged(lines[1], **next_one | changed)])
    assert witness.add(LOG, 2, [forged(lines[1], **next_one)]).number == 3


def test_one_bad_line_and_none_is_taken(witness: Witness, tmp_path: Path) -> None:
    lines = signed(tmp_path / "r", {}, {"w0": tail(3)})
    with pytest.raises(Inconsistent, match="not signed"):
        witness.add(LOG, 0, [lines[0], lines[1].replace(b'"number":2', b'"number":3')])
    assert witness.add(LOG, 0, lines[:1]).number == 1


def test_only_trusted_keys_have_logs(witness: Witness, tmp_path: Path) -> None:
    other = Ed25519PrivateKey.generate()
    for log in (log_of(other.public_key(), "record"), "../../etc/record", "", "record", f"{LOG}/x"):
        with pytest.raises(Unknown):
            witness.add(log, 0, ())
    (tmp_path / "other.pem").write_bytes(public_key_pem(other.public_key()))
    logs.trust(witness._folder, tmp_path / "other.pem")  # at once, without a restart
    assert witness.add(log_of(other.public_key(), "record"), 0, ()).number == 0


def test_torn_lines_are_cut_and_whole_ones_kept(folder: Path, tmp_path: Path) -> None:
    lines = signed(tmp_path / "r", {}, {"w0": tail(3)}, {"w0": tail(4)})
    one = Witness(folder)
    one.add(LOG, 0, lines[:2])
    one.close()
    with logs.logs(folder)[LOG].open("ab") as file:
        file.write(lines[2][:40])
    two = Witness(folder)
    assert two.add(LOG, 2, lines[2:]).number == 3
    assert logs.logs(folder)[LOG].read_bytes() == b"".join(lines)
    two.close()


def test_one_process_serves_a_folder(witness: Witness, folder: Path) -> None:
    with pytest.raises(SetUpError, match="another process"):
        Witness(folder)


def test_what_is_set_aside_is_kept(witness: Witness, folder: Path, tmp_path: Path) -> None:
    lines = signed(tmp_path / "r", {}, {"w0": tail(3)})
    witness.add(LOG, 0, lines)
    kept = logs.set_aside(folder, LOG, "the volume was lost", NOW)
    assert kept.read_bytes() == b"".join(lines)
    assert "the volume was lost" in kept.with_suffix(".txt").read_text()
    others = signed(tmp_path / "s", {}, {"w0": tail(1)})
    assert witness.add(LOG, 0, others).number == 2
    with pytest.raises(SetUpError, match="no such log"):
        logs.set_aside(folder, f"{LOG}2", "x", NOW)


def test_setting_aside_waits_for_a_call_that_is_being_written(
    witness: Witness, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that was set aside between a call's look and its write would begin in its middle."""
    lines = signed(tmp_path / "r", {}, {"w0": tail(3)})
    witness.add(LOG, 0, lines[:1])
    aside = threading.Thread(target=logs.set_aside, args=(folder, LOG, "x", NOW))
    append = logs.append_lines

    def slow(path: Path, content: bytes) -> None:
        aside.start()
        aside.join(0.2)
        append(path, content)

    monkeypatch.setattr(logs, "append_lines", slow)
    witness.add(LOG, 1, lines[1:])
    aside.join(10)
    (kept,) = (folder / "logs" / LOG).glob("set-aside-1.jsonl")
    assert kept.read_bytes() == b"".join(lines)
    assert not (folder / "logs" / LOG / "checkpoints.jsonl").exists()


def test_a_new_witness_wants_an_empty_folder(folder: Path) -> None:
    with pytest.raises(SetUpError, match="empty"):
        logs.make(folder)
    assert load_public_key(folder / logs.PUBLIC_KEY)


@given(
    st.lists(st.dictionaries(st.sampled_from(["w0", "w1", "w2"]), st.integers(1, 9)), max_size=6)
)
def test_it_takes_whatever_an_honest_record_writes(
    tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, int]]
) -> None:
    at = tmp_path_factory.mktemp("honest")
    made = [{name: tail(to, "abcdef"[to % 6]) for name, to in one.items()} for one in states]
    lines = signed(at / "r", {}, *made)
    logs.make(at / "witness")
    logs.trust(at / "witness", at / "r" / "public.pem")
    witness = Witness(at / "witness")
    for number, line in enumerate(lines):
        assert witness.add(LOG, number, [line]).number == number + 1
    witness.close()
