"""FastAPI with the fastest FF1 that PyPI has: nothing is stored.

PEER_CREDENTIAL=... PEER_KEY=... uvicorn benchmarks.peers.fpe_app:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastfpe import ff1

from benchmarks.peers.web import Tokeniser, key, service, with_key

ALPHABET, TWEAK = "0123456789", b"nir".hex()


class Sealing:
    """The 13 digits of a NIR are encrypted, the two that check them computed anew."""

    def __init__(self, secret: bytes) -> None:
        self._key = secret.hex()

    async def tokenise(self, values: list[str]) -> list[str]:
        secret = self._key
        return [with_key(ff1.encrypt(secret, TWEAK, ALPHABET, value[:-2])) for value in values]

    async def detokenise(self, tokens: list[str]) -> list[str]:
        secret = self._key
        return [with_key(ff1.decrypt(secret, TWEAK, ALPHABET, token[:-2])) for token in tokens]


@asynccontextmanager
async def opened() -> AsyncIterator[Tokeniser]:
    yield Sealing(key())


app = service(opened)
