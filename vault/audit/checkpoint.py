"""Signed statements of how far every chain had come: what is kept elsewhere to hold it to.

One line of JSON a checkpoint, numbered, each with the hash of the line before, signed with
Ed25519 over the exact bytes of its body::

    {"checkpoint":{"number":7,"time":"...","previous":"...","epoch":"...","generation":1,
     "writers":{"w0":[42,"<hash>"]},"retired":{}},"signature":"<hex>"}

Any process may write the next one while it holds the lock; what the last one says is read
from the file each time, so there is no leader to elect and none to lose.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from vault.audit.entry import seconds, timestamp
from vault.audit.group import Tail
from vault.audit.locking import locked
from vault.audit.segment import sync_folder
from vault.audit.trouble import RecordError
from vault.errors import SetUpError

FILE = "checkpoints.jsonl"
PUBLIC_KEY = "public.pem"
NO_PREVIOUS = "0" * 64
MOST = 10**18
"""No chain comes so far, and no number beyond it fits where these are kept."""
_BLOCK = 65_536
_DIGEST = re.compile(r"[0-9a-f]{64}")

Tails = dict[str, tuple[int, str]]


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    time: str
    previous: str
    epoch: str
    """Of the store that was served; a halted store's new epoch is not taken over."""
    generation: int
    """Of the keyset."""
    writers: Tails
    retired: Tails = {}
    """The last sequence of each chain that retention has dropped."""
    boot: str = ""
    """Of which start of the machine: within one, nothing that was written can have been lost."""


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    checkpoint: msgspec.Raw
    signature: str


class _Number(msgspec.Struct):
    number: int


class _NumberLine(msgspec.Struct):
    checkpoint: _Number


_encoder = msgspec.json.Encoder()
_numbers = msgspec.json.Decoder(_NumberLine)
_lines = msgspec.json.Decoder(_Line)
_bodies = msgspec.json.Decoder(Checkpoint)


def line_hash(line: bytes) -> str:
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def read_line(line: bytes, key: Ed25519PublicKey) -> Checkpoint | None:
    """The checkpoint on a line; None where it is none, or its signature is not by `key`.

    Who has stolen that key may have signed anything: what no `Checkpoints` writes is none.
    """
    try:
        parsed = _lines.decode(line)
        body = bytes(parsed.checkpoint)
        signature = bytes.fromhex(parsed.signature)
        key.verify(signature, body)
        checkpoint = _bodies.decode(body)
        seconds(checkpoint.time)
    except (msgspec.DecodeError, ValueError, InvalidSignature, RecursionError):
        return None
    spelt = _encoder.encode(_Line(msgspec.Raw(body), signature.hex()))
    return checkpoint if spelt == line.rstrip(b"\n") and _is_sound(checkpoint) else None


def _is_sound(checkpoint: Checkpoint) -> bool:
    tails = (*checkpoint.writers.values(), *checkpoint.retired.values())
    return 0 < checkpoint.number <= MOST and all(
        0 <= sequence <= MOST and _DIGEST.fullmatch(digest) for sequence, digest in tails
    )


def public_key_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """Raises SetUpError where the file is no Ed25519 key in PEM."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SetUpError(f"no public key can be read from {path.name}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SetUpError(f"{path.name} holds no Ed25519 key")
    return key


class Checkpoints:
    """The checkpoints of one record folder, and the key that signs them."""

    def __init__(self, folder: Path, seed: bytes) -> None:
        """`seed`: 32 bytes. Raises SetUpError where another key signed this record so far."""
        self._folder = folder
        self._path = folder / FILE
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key()
        self._number = 0
        """The highest one seen: they are never begun anew under a running service."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._publish()

    def last(self) -> Checkpoint | None:
        """The newest whole checkpoint; None while there is none.

        Raises SetUpError where it was not signed by this key, OSError (also where the folder
        is another one, or an older one, than it was).
        """
        line = last_line(self._path)
        checkpoint = read_line(line, self.public_key) if line is not None else None
        if line is not None and checkpoint is None:
            raise SetUpError(
                "the last checkpoint of the record is not signed by this keyset: "
                "put the right keyset back, or run `jeton audit verify`"
            )
        number = checkpoint.number if checkpoint is not None else 0
        if number < self._number:
            raise RecordError("the last checkpoints of the record are gone")
        self._number = number
        return checkpoint

    def write(
        self,
        tails: Mapping[str, Tail],
        now: float,
        *,
        epoch: str,
        generation: int,
        retired: Mapping[str, Tail] | None = None,
        unless_within: float = 0.0,
    ) -> Checkpoint | None:
        """Sign how far the chains have come; a chain never goes back, nor is one forgotten.

        None where the last one is younger than `unless_within` seconds. Raises OSError (with
        nothing written), SetUpError as `last`.
        """
        with locked(self._folder / "checkpoint.lock"):
            last = self.last()
            if last is not None and -5.0 < now - seconds(last.time) < unless_within:
                return None
            line = last_line(self._path)
            checkpoint = Checkpoint(
                number=last.number + 1 if last else 1,
                time=timestamp(now),
                previous=line_hash(line) if line else NO_PREVIOUS,
                epoch=epoch,
                generation=max(generation, last.generation if last else 0),
                writers=_furthest(last.writers if last else {}, tails),
                retired=_furthest(last.retired if last else {}, retired or {}),
                boot=boot_id(),
            )
            append_lines(self._path, self._sign(checkpoint))
            self._number = checkpoint.number
            return checkpoint

    def _sign(self, checkpoint: Checkpoint) -> bytes:
        body = _encoder.encode(checkpoint)
        line = _Line(msgspec.Raw(body), self._key.sign(body).hex())
        return _encoder.encode(line) + b"\n"

    def _publish(self) -> None:
        path, pem = self._folder / PUBLIC_KEY, public_key_pem(self.public_key)
        if path.exists():
            if path.read_bytes() != pem:
                raise SetUpError(
                    "the record's public.pem is of another keyset: put the right keyset back, "
                    "or begin a new record in another folder"
                )
            return
        # Renamed into place: another worker sees the whole key or none.
        fresh = path.with_name(f"{PUBLIC_KEY}.{os.getpid()}")
        fresh.write_bytes(pem)
        fresh.chmod(0o600)
        fresh.replace(path)
        sync_folder(self._folder)


def append_lines(path: Path, lines: bytes) -> None:
    """Add lines behind the whole ones of a file, and make all of it durable. Raises OSError, with
    nothing added."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = whole_bytes(path)
        os.ftruncate(descriptor, size)
        try:
            if os.pwrite(descriptor, lines, size) < len(lines):
                raise RecordError("the checkpoint was written in part only")
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if size == 0:
        sync_folder(path.parent)


def boot_id() -> str:
    """What the kernel calls this start of the machine; empty where it does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _furthest(before: Tails, now: Mapping[str, Tail]) -> Tails:
    merged = dict(before)
    for writer, tail in now.items():
        if tail.sequence > merged.get(writer, (0, ""))[0]:
            merged[writer] = (tail.sequence, tail.digest)
    return merged


def last_line(path: Path) -> bytes | None:
    """The last whole line of a file; None where it has none. Raises OSError."""
    end = whole_bytes(path)
    if end == 0:
        return None
    with path.open("rb") as file:
        start, tail = end, b""
        while start > 0 and tail.count(b"\n") < 2:
            start = max(0, start - _BLOCK)
            file.seek(start)
            tail = file.read(end - start)
    return tail[:-1].rsplit(b"\n", 1)[-1]


def whole_bytes(path: Path) -> int:
    """How many bytes of a file are whole lines: a crash leaves the last one torn."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    with path.open("rb") as file:
        while size > 0:
            start = max(0, size - _BLOCK)
            file.seek(start)
            at = file.read(size - start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            size = start
    return 0


def all_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file; nothing where it is missing. Raises OSError."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line


def number_of(line: bytes | None) -> int:
    """What a line says that its number is, unverified; 0 where there is none."""
    try:
        return _numbers.decode(line).checkpoint.number if line is not None else 0
    except (msgspec.DecodeError, RecursionError):
        return 0


def lines_after(path: Path, number: int, most_bytes: int) -> list[bytes]:
    """The whole lines with a higher number, in order; of many the first so many bytes of them.

    Found by halving, for numbers only grow. Raises OSError.
    """
    low, high = 0, whole_bytes(path)
    end = high
    if not end:
        return []
    with path.open("rb") as file:
        while low < high:
            middle = (low + high) // 2
            file.seek(max(0, middle - 1))
            if middle:
                file.readline()
            at = file.tell()
            line = file.readline() if at < high else b""
            if not line or number_of(line) > number:
                high = middle
            else:
                low = at + len(line)
        file.seek(low)
        found = file.readlines(min(most_bytes, end - low)) if low < end else []
    return [line for line in found if line.endswith(b"\n")]
