"""Fixed keys: the same bytes have to do the same thing every time."""

from vault.crypto.keyset import Keyset, KeyState, KeyVersion
from vault.crypto.secret import Secret

CREATED = "2026-11-24T12:00:00+00:00"


def _key(number: int) -> Secret:
    return Secret(bytes([number]) * 32)


KEYSET = Keyset(
    (
        KeyVersion(1, KeyState.ENABLED, CREATED, _key(1)),
        KeyVersion(2, KeyState.PRIMARY, CREATED, _key(2)),
    ),
    generation=2,
    slots=2,
    root=_key(0),
)
