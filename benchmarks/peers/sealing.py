"""What both stored kinds need: random tokens, an index that tells nothing, sealed values."""

import hmac
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.peers.web import with_key

BODIES = 10**13
NONCE = 12


class Sealer:
    """Keys for the index and for the values, of one secret."""

    def __init__(self, secret: bytes) -> None:
        self._index = hmac.digest(secret, b"index", "sha256")
        self._values = AESGCM(hmac.digest(secret, b"values", "sha256"))

    def index(self, value: str) -> bytes:
        return hmac.digest(self._index, value.encode(), "sha256")

    def seal(self, value: str, token: str) -> bytes:
        nonce = secrets.token_bytes(NONCE)
        return nonce + self._values.encrypt(nonce, value.encode(), token.encode())

    def open(self, sealed: bytes, token: str) -> str:
        return self._values.decrypt(sealed[:NONCE], sealed[NONCE:], token.encode()).decode()


def random_token() -> str:
    return with_key(f"{secrets.randbelow(BODIES):013d}")
