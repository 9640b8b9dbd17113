"""Key material that cannot be printed, pickled, copied or compared by accident.

A `Secret` shows its length and nothing else. Reading it takes a `KeyAccess`, an object
without any content: its only use is that ``KeyAccess()`` can be searched for, so a review of
who touches raw keys is a review of the few places that make one. This guards against
accidents (a log line, a traceback with local variables, a pickle sent to a worker), not
against code that means harm: Python offers no such wall, nor can it wipe memory.
"""

import hmac
import secrets
from typing import Final, NoReturn

KEY_BYTES: Final = 32


class KeyAccess:
    """The capability to read secrets. Made only by crypto and the composition root."""

    __slots__ = ()


class Secret:
    """Some bytes that are not to be seen. Equality is identity: use `matches`."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    @classmethod
    def random(cls) -> "Secret":
        """32 bytes from the operating system's generator."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def reveal(self, access: KeyAccess) -> bytes:
        """The bytes themselves. Raises TypeError without a `KeyAccess`."""
        if not isinstance(access, KeyAccess):
            raise TypeError("reading a secret takes a KeyAccess")
        return self._value

    def matches(self, other: "Secret | bytes") -> bool:
        """Whether both hold the same bytes, in time that does not depend on where they differ."""
        value = other.reveal(KeyAccess()) if isinstance(other, Secret) else other
        return hmac.compare_digest(self._value, value)

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"Secret({len(self._value)} bytes)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is neither pickled nor copied")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is neither pickled nor copied")
