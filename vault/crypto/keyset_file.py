"""The keyset as a file: JSON that a person can read, but for the wrapped keys.

The header (generation, slots, every version's state and date) is in the clear so that an
operator can see what a file holds, and is authenticated with the wrapped keys, so that no
state, date or generation can be edited. A file must be, byte for byte, what `save` writes:
not even white space can be changed unnoticed.

Writing is all or nothing: a temporary file in the same folder, fsync, rename, fsync of the
folder, under a lock and only over an older generation, so that of two operators who change a
keyset at once one is refused and no version is lost. The old file is replaced and no copy is
kept: a destroyed key must not live on in a backup that nobody remembers making.
"""

import base64
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vault.crypto.kek import Kek
from vault.crypto.keyset import Keyset, KeyState, KeyVersion
from vault.crypto.secret import KEY_BYTES, KeyAccess, Secret
from vault.errors import SetUpError

EDITION = 1
MAX_FILE = 1_048_576
CONTEXT = b"jeton keyset\n"
"""Before the header in what is authenticated: nothing else sealed by a KEK begins so."""


def load(path: Path, kek: Kek) -> Keyset:
    """The keyset in a file. Raises SetUpError for a missing, cut, changed or foreign file."""
    text = _read(path)
    if text is None:
        raise SetUpError(f"there is no keyset at {path}: `jeton init` makes one")
    header, wrapped = _parse(text)
    plain = kek.unwrap(wrapped, _authenticated(header))
    return _keyset(header, plain)


def save(path: Path, keyset: Keyset, kek: Kek) -> None:
    """Write the keyset whole, mode 0600, in place of an older generation, or not at all.

    Raises SetUpError where the file is of this generation or a newer one (somebody else has
    changed it), is no keyset, or cannot be written; and where the KEK cannot open what it has
    just sealed (rights to one do not mean rights to the other), before anything is replaced.
    """
    header, plain = _header(keyset, kek), _plain(keyset)
    wrapped = kek.wrap(plain, _authenticated(header))
    if kek.unwrap(wrapped, _authenticated(header)) != plain:
        raise SetUpError("the KEK does not give back what it was given: nothing is written")
    text = _text(header, wrapped)
    try:
        with _locked(path.parent) as folder:
            _refuse_newer(path, keyset.generation)
            _replace(path, text)
            os.fsync(folder)
    except OSError as error:
        reason = error.strerror or "input or output failed"
        raise SetUpError(f"the keyset cannot be written to {path}: {reason}") from None


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """The folder's file descriptor, locked against every other `save` in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _refuse_newer(path: Path, generation: int) -> None:
    text = _read(path)
    if text is None:
        return
    header, _ = _parse(text)
    if header["generation"] >= generation:
        raise SetUpError(
            f"the file at {path} is not of an older generation, it has been changed meanwhile: "
            f"nothing is written; load it and make the change again"
        )


def _replace(path: Path, text: bytes) -> None:
    # The lock makes a fixed name safe, and what a crash leaves is overwritten next time.
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # whatever the umask took
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or "input or output failed"
        raise SetUpError(f"the keyset at {path} cannot be read: {reason}") from None
    if len(text) > MAX_FILE:
        raise SetUpError(f"the file at {path} is too large to be a keyset")
    return text


def _header(keyset: Keyset, kek: Kek) -> dict[str, Any]:
    return {
        "jeton-keyset": EDITION,
        "generation": keyset.generation,
        "slots": keyset.slots,
        "kek": kek.name,
        "versions": [
            {"version": v.version, "state": str(v.state), "created": v.created}
            for v in keyset.versions
        ],
    }


def _authenticated(header: dict[str, Any]) -> bytes:
    return CONTEXT + json.dumps(header, separators=(",", ":")).encode()


def _text(header: dict[str, Any], wrapped: bytes) -> bytes:
    whole = header | {"wrapped": base64.b64encode(wrapped).decode()}
    return json.dumps(whole, indent=2).encode() + b"\n"


def _parse(text: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and wrapped keys of a file that is exactly what `_text` writes."""
    try:
        whole = json.loads(text)
        header = {
            "jeton-keyset": EDITION,
            "generation": _natural(whole["generation"]),
            "slots": _natural(whole["slots"]),
            "kek": _string(whole["kek"]),
            "versions": [
                {
                    "version": _natural(v["version"]),
                    "state": str(KeyState(v["state"])),
                    "created": _string(v["created"]),
                }
                for v in whole["versions"]
            ],
        }
        wrapped = base64.b64decode(whole["wrapped"], validate=True)
        if _text(header, wrapped) == text:
            return header, wrapped
        newer = _natural(whole["jeton-keyset"]) > EDITION
    except (ValueError, TypeError, LookupError, RecursionError):
        newer = False
    if newer:
        raise SetUpError("the keyset is of a newer edition: use the Jeton that wrote it")
    raise SetUpError("the keyset file is cut, edited or damaged: restore it from a backup")


def _natural(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _plain(keyset: Keyset) -> bytes:
    """The root and each secret that is left, oldest first; the header says whose they are."""
    access = KeyAccess()
    left = [v.secret for v in keyset.versions if v.secret is not None]
    return b"".join(secret.reveal(access) for secret in (keyset.root, *left))


def _keyset(header: dict[str, Any], plain: bytes) -> Keyset:
    live = sum(v["state"] != KeyState.DESTROYED for v in header["versions"])
    if len(plain) != KEY_BYTES * (live + 1):
        raise SetUpError("the keyset holds other keys than its header says")
    secrets = (Secret(plain[at : at + KEY_BYTES]) for at in range(0, len(plain), KEY_BYTES))
    root = next(secrets)
    versions = []
    for v in header["versions"]:
        state = KeyState(v["state"])
        secret = None if state is KeyState.DESTROYED else next(secrets)
        versions.append(KeyVersion(v["version"], state, v["created"], secret))
    return Keyset(tuple(versions), header["generation"], header["slots"], root)
