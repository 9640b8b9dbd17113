"""What a witness signs: that at this time this was the last checkpoint it knew of a log.

Modelled on C2SP's tlog-cosignature. The signature is Ed25519 over::

    jeton cosignature/1
    log <log>
    time <seconds since 1970>
    checkpoint <number> <hash of its line>

The line's hash pins all lines before it, for each has the hash of the one before. A log is named
by its key and a name under it: ``<first 16 hex digits of the key's SHA-256>/<name>``.
"""

import hashlib
import re

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vault.audit.names import HOST

FILE = "cosignatures.jsonl"
"""Beside the record's checkpoints: the cosignatures that came back, a line each."""
PREFIX, HEADER = "/v1/logs/", "Jeton-Cosignature"
"""Where a witness's logs are, and which header has the cosignature of what it gives."""
RECORD = "record"
"""What a record is called that has no name of a machine's."""

_KEY_ID = re.compile(r"[0-9a-f]{16}")


class Cosignature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    """Of the checkpoint; 0: the witness has none yet."""
    hash: str
    """Of the checkpoint's line."""
    time: int
    signature: str


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Cosignature)


def key_id(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def log_of(key: Ed25519PublicKey, name: str) -> str:
    return f"{key_id(key)}/{name}"


def is_log(text: str) -> bool:
    """Whether it can name a log; what does can name a folder, too."""
    key, _, name = text.partition("/")
    return _KEY_ID.fullmatch(key) is not None and HOST.fullmatch(name) is not None


def sign(key: Ed25519PrivateKey, log: str, number: int, digest: str, now: float) -> Cosignature:
    unsigned = Cosignature(number, digest, int(now), "")
    return msgspec.structs.replace(unsigned, signature=key.sign(_message(log, unsigned)).hex())


def is_by(key: Ed25519PublicKey, log: str, cosignature: Cosignature) -> bool:
    try:
        key.verify(bytes.fromhex(cosignature.signature), _message(log, cosignature))
    except (ValueError, InvalidSignature):
        return False
    return True


def spell(cosignature: Cosignature) -> bytes:
    return _encoder.encode(cosignature)


def read(line: bytes) -> Cosignature | None:
    """None where the line is no cosignature; whose it is is not looked at."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None


def _message(log: str, said: Cosignature) -> bytes:
    lines = ("jeton cosignature/1", f"log {log}", f"time {said.time}")
    return "\n".join((*lines, f"checkpoint {said.number} {said.hash}", "")).encode()
