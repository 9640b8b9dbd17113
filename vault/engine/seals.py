"""Values sealed under the keyset's versions, each bound to everything around it.

That is tenant, transformation, kind, token, context, key version and day of creation: what was
moved, copied or put back elsewhere does not open.
"""

import contextlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.crypto.keyset import Keyset
from vault.crypto.secret import KeyAccess
from vault.engine.sealed import Header, pack, unpack
from vault.errors import NotAToken, Refusal
from vault.store.tokens import Entry

NONCE_BYTES = 12
NO_TOKEN = "no value has this token under this context"  # noqa: S105 - words for an error


class Seals:
    """Of one transformation. `version`: of the key, below."""

    def __init__(self, keyset: Keyset, tenant: str, key_id: str) -> None:
        self.bound = framed(tenant.encode(), key_id.encode())
        self._keyset = keyset
        self._tenant = tenant
        self._key_id = key_id
        self._ciphers: dict[int, AESGCM] = {}
        self._unknown = AESGCM(os.urandom(32))

    @property
    def version(self) -> int:
        """That values are sealed under now."""
        return self._keyset.primary.version

    def usable_version(self) -> int:
        """The same. Raises Refusal (keys_unavailable) where it is not to be used."""
        if not self._keyset.primary.usable:
            raise Refusal("keys_unavailable", "the key version to tokenise with is not usable")
        return self.version

    def seal(
        self, kind: int, token: bytes, version: int, text: str, created: int, context: bytes,
        nonce: bytes,
    ) -> bytes:  # fmt: skip
        """`created`: in days, as `Header` has it; `nonce`: `NONCE_BYTES` fresh random bytes."""
        packed, nibbles = pack(text)
        header = Header.written(version, nibbles, created, context)
        bound = self._bind(kind, token, header)
        return header + nonce + self._cipher(version).encrypt(nonce, packed, bound)

    def open(self, kind: int, token: bytes, entry: Entry | None, context: bytes) -> str:
        """Raises NotAToken, always in the same words and after the same work: where there is
        no entry, one of random bytes is tried under a random key."""
        cipher = self._unknown
        sealed = _DECOY if entry is None else entry.sealed
        version, nibbles = Header.first(sealed)
        if entry is not None:
            with contextlib.suppress(KeyError):
                cipher = self._cipher(version)
        bound = self._bind(kind, token, Header.under(context, sealed))
        body = sealed[Header.SIZE :]
        try:
            packed = cipher.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):  # ValueError: too short for a nonce
            raise NotAToken(NO_TOKEN) from None
        return unpack(packed, nibbles=nibbles)

    def _bind(self, kind: int, token: bytes, header: bytes) -> bytes:
        return self.bound + kind.to_bytes(4) + token + header

    def _cipher(self, version: int) -> AESGCM:
        """Raises KeyError for a version that is not usable."""
        cipher = self._ciphers.get(version)
        if cipher is None:
            known = {one.version for one in self._keyset.versions if one.usable}
            if version not in known:
                raise KeyError(version)
            key = self._keyset.derive(version, self._tenant, f"vaulted:{self._key_id}")
            cipher = self._ciphers[version] = AESGCM(key.reveal(KeyAccess()))
        return cipher


def framed(*parts: bytes) -> bytes:
    """Each with its length before it, so that no two lists are alike."""
    return b"".join(len(part).to_bytes(4) + part for part in parts)


_DECOY = Header(0, False, 0, bytes(8)).write() + os.urandom(NONCE_BYTES + 8 + 16)
"""Sealed bytes as those of a NIR, which open under no key."""
