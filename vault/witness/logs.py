"""What a witness has on its disk: for each log every checkpoint it was shown, in order.

::

    witness.key                     its Ed25519 seed; witness.pem: the public key
    credential.sha256               of what callers show
    trusted/<key id>.pem            whose checkpoints it takes
    logs/<key id>/<name>/checkpoints.jsonl

A checkpoint is taken where it is signed by the log's key, follows the last one by number and
hash, and lets no chain shrink, change where it stood, or be forgotten. It is durable before it
is signed for. So what was signed for once can never be unsaid: not by a restart, nor a crash.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from vault.audit.checkpoint import FILE as CHECKPOINTS
from vault.audit.checkpoint import (
    NO_PREVIOUS,
    Checkpoint,
    Tails,
    all_lines,
    append_lines,
    last_line,
    line_hash,
    load_public_key,
    public_key_pem,
    read_line,
)
from vault.audit.locking import FileLock, locked
from vault.audit.segment import sync_folder
from vault.audit.trouble import RecordError
from vault.errors import SetUpError
from vault.witness.cosignature import Cosignature, is_log, key_id, sign

KEY, PUBLIC_KEY, CREDENTIAL = "witness.key", "witness.pem", "credential.sha256"
WRITING = "writing.lock"
"""Held by whoever changes a log: a call, or an operator who sets one aside meanwhile."""
MOST_LOGS = 1_000
"""Under one key: who has it can fill a disk with names, but not for ever."""


class Conflict(Exception):
    """What was shown does not go on from what the witness knows: it says what that is."""

    def __init__(self, known: Cosignature) -> None:
        super().__init__("the log does not go on from what is known of it")
        self.known = known


class Inconsistent(Exception):
    """A checkpoint that no honest log writes: its words say why."""


class Unknown(Exception):
    """The log's key is not trusted."""


def make(folder: Path) -> str:
    """A new witness in a new folder; returns its callers' credential, which is kept nowhere.

    Raises SetUpError where there is something already, OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SetUpError("the folder of a new witness has to be empty")
    seed, credential = secrets.token_bytes(32), secrets.token_urlsafe(32)
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    digest = hashlib.sha256(credential.encode()).hexdigest()
    (folder / "trusted").mkdir(mode=0o700)
    (folder / "logs").mkdir(mode=0o700)
    _write(folder / PUBLIC_KEY, public_key_pem(public_key))
    _write(folder / CREDENTIAL, f"{digest}\n".encode())
    _write(folder / KEY, f"{seed.hex()}\n".encode())
    return credential


def trust(folder: Path, pem: Path) -> str:
    """Take checkpoints that are signed by this key from now on; returns its id.

    Raises SetUpError, OSError.
    """
    if not (folder / KEY).exists():
        raise SetUpError(f"there is no witness in {folder}: `jeton witness init` makes one")
    key = load_public_key(pem)
    _write(folder / "trusted" / f"{key_id(key)}.pem", public_key_pem(key))
    return key_id(key)


def logs(folder: Path, key: str = "*") -> dict[str, Path]:
    """Every log that a witness has (of one key), and its checkpoints."""
    paths = sorted((folder / "logs").glob(f"{key}/*/{CHECKPOINTS}"))
    return {f"{path.parent.parent.name}/{path.parent.name}": path for path in paths}


def set_aside(folder: Path, log: str, reason: str, now: float) -> Path:
    """An operator says that a log begins anew; what was known of it is kept beside it.

    Returns where. Raises SetUpError where there is no such log, OSError.
    """
    path = logs(folder).get(log)
    if path is None:
        raise SetUpError("the witness knows no such log: `jeton witness list` says which")
    with locked(folder / WRITING):
        number = 1 + len(list(path.parent.glob("set-aside-*.jsonl")))
        kept = path.with_name(f"set-aside-{number}.jsonl")
        _write(path.with_name(f"set-aside-{number}.txt"), f"{int(now)} {reason}\n".encode())
        path.rename(kept)
        sync_folder(path.parent)
    return kept


class Witness:
    """The one process that writes a witness's folder."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        """Raises SetUpError, OSError."""
        if not (folder / KEY).exists():
            raise SetUpError(f"there is no witness in {folder}: `jeton witness init` makes one")
        seed = bytes.fromhex((folder / KEY).read_text("ascii").strip())
        self._folder = folder
        self._clock = clock
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key()
        self.credential = (folder / CREDENTIAL).read_text("ascii").strip()
        """SHA-256, in hex."""
        self._durable = set[str]()
        """Logs whose file this process has synced."""
        lock = FileLock.take(folder / "lock")
        if lock is None:
            raise SetUpError("another process serves this witness")
        self._lock = lock

    def close(self) -> None:
        self._lock.release()

    def add(self, log: str, old: int, lines: Sequence[bytes]) -> Cosignature:
        """Take the checkpoints after number `old` (none: only sign again), durably, and sign.

        Raises Conflict where the last one known is not `old`, Inconsistent, Unknown, OSError;
        then nothing was taken.
        """
        key = self._trusted(log)
        with locked(self._folder / WRITING):
            path = self._path(log)
            last, line = self._last(path, key)
            number, digest = (last.number, line_hash(line)) if last else (0, NO_PREVIOUS)
            if log not in self._durable and path.exists():
                append_lines(path, b"")  # a killed process may have left lines in memory only
            if old != number:
                raise Conflict(sign(self._key, log, number, digest, self._clock()))
            for fresh in lines:
                last = _following(fresh, key, last, digest)
                number, digest = last.number, line_hash(fresh)
            if lines:
                self._keep(path, log, lines)
            self._durable.add(log)
            return sign(self._key, log, number, digest, self._clock())

    def known(self, log: str) -> tuple[Iterator[bytes], Cosignature]:
        """All that is known of a log, and the cosignature of its end. Raises Unknown, OSError."""
        cosignature = self._signed(log)
        lines = all_lines(self._path(log))
        return (
            line for line, _ in zip(lines, range(cosignature.number), strict=False)
        ), cosignature

    def names(self, key: str) -> list[str]:
        """The names of the logs under a key."""
        return [log.partition("/")[2] for log in logs(self._folder, key)]

    def _signed(self, log: str) -> Cosignature:
        try:
            return self.add(log, 0, ())
        except Conflict as conflict:
            return conflict.known

    def _trusted(self, log: str) -> Ed25519PublicKey:
        """Read at each call: trust is given to a running witness, and taken from it."""
        path = self._folder / "trusted" / f"{log.partition('/')[0]}.pem"
        if not is_log(log) or not path.exists():
            raise Unknown
        return load_public_key(path)

    def _path(self, log: str) -> Path:
        return self._folder / "logs" / log / CHECKPOINTS

    def _last(self, path: Path, key: Ed25519PublicKey) -> tuple[Checkpoint | None, bytes]:
        line = last_line(path)
        if line is None:
            return None, b""
        last = read_line(line, key)
        if last is None:
            raise RecordError("the witness's own last line is damaged: restore it from a backup")
        return last, line

    def _keep(self, path: Path, log: str, lines: Sequence[bytes]) -> None:
        if not path.parent.exists():
            if len(self.names(log.partition("/")[0])) >= MOST_LOGS:
                raise RecordError("there are too many logs under this key")
            path.parent.mkdir(mode=0o700, parents=True)
            sync_folder(path.parent.parent)
            sync_folder(self._folder / "logs")
        append_lines(path, b"".join(line.rstrip(b"\n") + b"\n" for line in lines))


def _following(
    line: bytes, key: Ed25519PublicKey, last: Checkpoint | None, digest: str
) -> Checkpoint:
    """The checkpoint on a line that goes on after `last`, whose line's hash is `digest`."""
    found = read_line(line, key)
    if found is None:
        raise Inconsistent("a checkpoint is not signed by the log's key")
    number = last.number if last else 0
    if found.number != number + 1 or found.previous != digest:
        raise Inconsistent(f"the checkpoint after {number} does not follow it")
    if last is not None:
        if found.generation < last.generation:
            raise Inconsistent(f"checkpoint {found.number} is of an older keyset")
        _check_grown(last.writers, found.writers, found.number)
        _check_grown(last.retired, found.retired, found.number)
    return found


def _check_grown(before: Tails, now: Tails, number: int) -> None:
    for writer, (sequence, digest) in before.items():
        if writer not in now:
            raise Inconsistent(f"checkpoint {number} has forgotten a chain")
        if now[writer][0] < sequence:
            raise Inconsistent(f"checkpoint {number} has a chain that is shorter than it was")
        if now[writer][0] == sequence and now[writer][1] != digest:
            raise Inconsistent(f"checkpoint {number} has a chain that is another one than it was")


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, durably, mode 0600."""
    fresh = path.with_name(f".{path.name}.fresh")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)
