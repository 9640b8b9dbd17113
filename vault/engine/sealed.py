"""The bytes around a vaulted value: as few as they can be, since there is one a token.

A sealed value is header (12 bytes), nonce (12) and AES-256-GCM's ciphertext and tag
(SP 800-38D). The header stands in the open and is authenticated with the rest.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

_EPOCH_DAY = 18_262
"""Days from 1970-01-01 to 2020-01-01: dates of creation count from there."""
_DAY_SECONDS = 86_400
_NIBBLES = 0x8000

_TO_HEX = str.maketrans("AB-", "abd")
_FROM_HEX = str.maketrans("abd", "AB-")
_PACKABLE = frozenset("0123456789AB-")


@dataclass(frozen=True, slots=True)
class Header:
    """`version` of the key; `nibbles`: whether the text is packed; the day of creation, in
    days from 2020 on; the 8 bytes that stand for the context (`vault.engine.context.tweak`)."""

    SIZE: ClassVar[int] = 12

    version: int
    nibbles: bool
    created: int
    context: bytes

    @staticmethod
    def today(now: float) -> int:
        return min(max(int(now // _DAY_SECONDS) - _EPOCH_DAY, 0), 0xFFFF)

    @property
    def created_at(self) -> float:
        """The day's beginning, in seconds since 1970, UTC."""
        return float((self.created + _EPOCH_DAY) * _DAY_SECONDS)

    def write(self) -> bytes:
        return self.written(self.version, self.nibbles, self.created, self.context)

    @staticmethod
    def written(version: int, nibbles: bool, created: int, context: bytes) -> bytes:
        first = version | (_NIBBLES if nibbles else 0)
        return first.to_bytes(2) + created.to_bytes(2) + context

    @staticmethod
    def first(sealed: bytes) -> tuple[int, bool]:
        """The version of the key, and whether the text is packed."""
        both = int.from_bytes(sealed[:2])
        return both & ~_NIBBLES, bool(both & _NIBBLES)

    @classmethod
    def read(cls, sealed: bytes) -> Self:
        """Of bytes that may be damaged: what is missing is read as zeros, and does not open."""
        head = sealed[: cls.SIZE].ljust(cls.SIZE, b"\0")
        first = int.from_bytes(head[:2])
        return cls(first & ~_NIBBLES, bool(first & _NIBBLES), int.from_bytes(head[2:4]), head[4:])

    @classmethod
    def under(cls, context: bytes, sealed: bytes) -> bytes:
        """The header of sealed bytes, as it would be under the context that a caller says."""
        return sealed[: cls.SIZE - len(context)].ljust(cls.SIZE - len(context), b"\0") + context


def pack(text: str) -> tuple[bytes, bool]:
    """NIRs and dates at two characters a byte (True), any other text as UTF-8 (False)."""
    if not _PACKABLE.issuperset(text):
        return text.encode(), False
    return bytes.fromhex(text.translate(_TO_HEX) + "f" * (len(text) % 2)), True


def unpack(packed: bytes, *, nibbles: bool) -> str:
    """The text again."""
    if not nibbles:
        return packed.decode()
    return packed.hex().removesuffix("f").translate(_FROM_HEX)
