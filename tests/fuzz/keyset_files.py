"""Keyset files: what opens under the right KEK is byte for byte what was saved; and even with a
KEK that passes everything, a keyset is what its file says, or a SetUpError."""

import json
from typing import Any

from tests.fuzz import scratch
from tests.fuzz.keys import KEYSET
from tests.fuzz.quiet import assert_tells_nothing
from vault.crypto import keyset_file
from vault.crypto.kek import Kek, LocalKek
from vault.crypto.keyset import Keyset, KeyState
from vault.crypto.secret import Secret
from vault.errors import SetUpError

KEK = LocalKek("file", Secret(bytes(range(32))))


class OpenKek:
    """Passes everything, as if whoever wrote the file had the key: nothing but the reading of
    the file stands between its bytes and the service."""

    name = "file"

    def wrap(self, plaintext: bytes, header: bytes) -> bytes:
        return plaintext

    def unwrap(self, wrapped: bytes, header: bytes) -> bytes:
        return wrapped


def run(data: bytes) -> None:
    path = scratch.folder() / "keyset.json"
    path.write_bytes(data)
    keyset = _loaded(KEK, data)
    assert keyset is None or data.startswith(b'{\n  "jeton-keyset": 1,\n')
    keyset = _loaded(OpenKek(), data)
    if keyset is None:
        return
    _use(keyset)
    kek = OpenKek()
    kek.name = json.loads(data)["kek"]
    again = path.with_name("again.json")
    again.unlink(missing_ok=True)
    keyset_file.save(again, keyset, kek)
    assert again.read_bytes() == data, "what is saved is not what was loaded"


def _loaded(kek: Kek, data: bytes) -> Keyset | None:
    try:
        return keyset_file.load(scratch.folder() / "keyset.json", kek)
    except SetUpError as error:
        assert_tells_nothing(error, data.decode("latin-1"))
        return None


def _use(keyset: Keyset) -> None:
    """All that a service asks of it when it starts."""
    assert keyset.primary.usable
    for slot in range(min(keyset.slots, 100)):
        keyset.in_slot(slot)
    keyset.derive(keyset.primary.version, "default", "a")
    keyset.derive_root("a")


def seeds() -> list[bytes]:
    moves = (
        KEYSET,
        KEYSET.disable(1),
        KEYSET.destroy(1),
    )
    return [_saved(keyset, kek) for keyset in moves for kek in (KEK, OpenKek())] + [
        b"{}",
        _saved(KEYSET, OpenKek()).replace(b'"jeton-keyset": 1', b'"jeton-keyset": 2'),
        _saved(KEYSET, OpenKek()).replace(str(KeyState.ENABLED).encode(), b"lost"),
    ]


def _saved(keyset: Keyset, kek: Any) -> bytes:
    path = scratch.folder() / "seed.json"
    path.unlink(missing_ok=True)
    keyset_file.save(path, keyset, kek)
    return path.read_bytes()
