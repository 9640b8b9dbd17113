"""Authenticated encryption: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce.

What is sealed cannot be read or changed without the key, nor moved under another header: the
associated data is authenticated with it. Random nonces are safe for up to 2**32 messages a
key (SP 800-38D, section 8.3); a KEK seals one keyset each time an operator changes it.
All failures to open look alike, so that none tells an attacker what was wrong.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.crypto.secret import KEY_BYTES, KeyAccess, Secret
from vault.errors import JetonError

NONCE_BYTES = 12
TAG_BYTES = 16


class UnsealError(JetonError):
    """The key is another one, or the sealed bytes or their header were changed."""

    def __init__(self) -> None:
        super().__init__("sealed data does not open under this key and header")


def seal(key: Secret, plaintext: bytes, header: bytes) -> bytes:
    """nonce (12 bytes) || ciphertext || tag (16 bytes). Raises ValueError for a bad key."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, plaintext, header)


def unseal(key: Secret, sealed: bytes, header: bytes) -> bytes:
    """The plaintext. Raises UnsealError, whatever was wrong; ValueError for a bad key."""
    cipher = _cipher(key)
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise UnsealError
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], header)
    except InvalidTag:
        raise UnsealError from None


def _cipher(key: Secret) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError("AES-256-GCM takes a key of 32 bytes")
    return AESGCM(key.reveal(KeyAccess()))
