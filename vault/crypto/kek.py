"""Key-encryption keys: what a keyset file is wrapped under, and where that key comes from.

A `Kek` wraps and unwraps; it never shows its key, so one that lives in a hardware module or
in a cloud's key service fits the same protocol: those are in `keks`. Three kinds are here: a
file, an environment variable, a command's output, each holding 32 bytes as base64. Whoever has
both the KEK and the keyset file has every key: keep and back them up apart.
"""

import base64
import binascii
import os
import re
import secrets
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Protocol

from vault.crypto import aead
from vault.crypto.keks import not_opened
from vault.crypto.keks.aws_kms import AwsKmsKek
from vault.crypto.keks.pkcs11 import Pkcs11Kek
from vault.crypto.secret import KEY_BYTES, Secret
from vault.errors import SetUpError

COMMAND_SECONDS = 30
MAX_TEXT = 4_096
KINDS = "file:PATH, env:NAME, command:ARGV, pkcs11:URI and aws-kms:KEY"

_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_KEY_TEXT = re.compile(r"[A-Za-z0-9+/]{43}=")
"""Base64 of 32 bytes: somebody may have written the key where its place belongs."""


class Kek(Protocol):
    """Wraps a keyset's key material under a key that is kept elsewhere."""

    name: str
    """The kind of KEK, for people: it stands in the keyset file."""

    def wrap(self, plaintext: bytes, header: bytes) -> bytes:
        """Seal `plaintext`; `header` is authenticated with it. Raises SetUpError where the KEK
        cannot be had."""
        ...

    def unwrap(self, wrapped: bytes, header: bytes) -> bytes:
        """Open what `wrap` sealed. Raises SetUpError where it does not open."""
        ...


class LocalKek:
    """A KEK whose 32 bytes this process holds: AES-256-GCM does the wrapping."""

    __slots__ = ("_key", "name")

    def __init__(self, name: str, key: Secret) -> None:
        self.name = name
        self._key = key

    def wrap(self, plaintext: bytes, header: bytes) -> bytes:
        return aead.seal(self._key, plaintext, header)

    def unwrap(self, wrapped: bytes, header: bytes) -> bytes:
        try:
            return aead.unseal(self._key, wrapped, header)
        except aead.UnsealError:
            raise not_opened() from None


def new_kek_text() -> str:
    """A fresh KEK as text: base64 of 32 random bytes."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def open_kek(spec: str, base: Path) -> Kek:
    """The KEK that a configuration's `keys.kek` names.

    ``file:PATH`` (relative to `base`), ``env:NAME``, or ``command:ARGV`` (split as a shell
    would, run in `base` without a shell); ``pkcs11:URI`` or ``aws-kms:KEY``, which are asked
    only when they wrap or unwrap. Raises SetUpError, which never holds what was read.
    """
    kind, _, rest = spec.partition(":")
    if kind == "pkcs11":
        return Pkcs11Kek(rest)
    if kind == "aws-kms":
        return AwsKmsKek(rest)
    sources = {"file": _from_file, "env": _from_environment, "command": _from_command}
    if kind not in sources or not rest:
        raise SetUpError(
            "keys.kek is none of file:PATH, env:NAME, command:ARGV, pkcs11:URI and aws-kms:KEY"
        )
    return LocalKek(kind, _decoded(sources[kind](rest, base), kind))


def _shown(path: str) -> str:
    """A path in a message, unless it may hold a key."""
    return "that keys.kek names" if _KEY_TEXT.search(path) else path


def _from_file(path: str, base: Path) -> bytes:
    try:
        with (base / path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_TEXT + 1)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise SetUpError(f"the KEK file {_shown(path)} cannot be opened: {reason}") from None
    if stat.S_ISREG(mode) and mode & stat.S_IRWXO:
        raise SetUpError(f"the KEK file {path} is open to everybody: run `chmod 600` on it")
    return text


def _from_environment(name: str, base: Path) -> bytes:  # noqa: ARG001 - one shape for all sources
    text = os.environ.get(name)
    if text is None:
        named = name if _NAME.fullmatch(name) else "that keys.kek names"
        raise SetUpError(f"the environment variable {named}, which holds the KEK, is not set")
    return os.fsencode(text)


def _from_command(line: str, base: Path) -> bytes:
    # Neither the arguments nor what the command prints may be shown: both can be secret.
    try:
        argv = shlex.split(line)
        done = subprocess.run(
            argv,
            cwd=base,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except ValueError:
        raise SetUpError("the KEK command has an unclosed quotation mark or a NUL") from None
    except subprocess.TimeoutExpired:
        raise SetUpError(f"the KEK command ran for more than {COMMAND_SECONDS} seconds") from None
    except (OSError, IndexError) as error:
        reason = getattr(error, "strerror", None) or "it names no program"
        raise SetUpError(f"the KEK command cannot be started: {reason}") from None
    if done.returncode != 0:
        raise SetUpError(f"the KEK command ended with exit code {done.returncode}")
    return done.stdout


def _decoded(text: bytes, kind: str) -> Secret:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES or len(text) > MAX_TEXT:  # whose rest was not read
        raise SetUpError(f"the KEK from `{kind}` is not the base64 text of 32 bytes")
    return Secret(key)
