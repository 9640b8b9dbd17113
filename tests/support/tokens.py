"""Random tokens for tests: a few synthetic numbers, and a transformation to give them tokens."""

from datetime import UTC, datetime

from tests.support.values import nir_key
from vault.config import Transformation as Configured
from vault.crypto.keyset import Keyset, new_keyset
from vault.engine.transformation import Transformation
from vault.engine.vaulted import Vaulted

NIRS = [
    body + nir_key(body) for body in (f"284057500{number:04d}" for number in range(1, 2_000, 77))
]
_KEYSET = new_keyset(datetime(2026, 11, 24, tzinfo=UTC))


def keyset() -> Keyset:
    """Always the same."""
    return _KEYSET


def vaulted(
    keys: Keyset = _KEYSET,
    *,
    name: str = "t",
    convergent: bool | None = None,
    max_fill: float | None = None,
) -> Vaulted:
    """A vaulted `fr-nir`."""
    configured = Configured("fr-nir", "vaulted", convergent=convergent, max_fill=max_fill)
    made = Transformation(name, configured, keys).vaulted
    assert made is not None
    return made
