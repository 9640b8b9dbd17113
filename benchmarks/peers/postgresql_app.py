"""FastAPI with a table of tokens in PostgreSQL, by asyncpg and its pool.

PEER_CREDENTIAL=... PEER_KEY=... PEER_DATABASE=... uvicorn benchmarks.peers.postgresql_app:app
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from benchmarks.peers.sealing import Sealer, random_token
from benchmarks.peers.web import Tokeniser, key, service

TABLE = """
CREATE TABLE IF NOT EXISTS tokens (
    token text PRIMARY KEY,
    index bytea NOT NULL UNIQUE,
    sealed bytea NOT NULL
)
"""
FIND = "SELECT index, token FROM tokens WHERE index = ANY($1::bytea[])"
CREATE = """
WITH given AS (
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[]) AS given(index, token, sealed)
), made AS (
    INSERT INTO tokens (index, token, sealed) SELECT index, token, sealed FROM given
    ON CONFLICT DO NOTHING RETURNING index, token
)
SELECT index, token FROM made
UNION ALL SELECT index, tokens.token FROM tokens JOIN given USING (index)
"""
OPEN = "SELECT token, sealed FROM tokens WHERE token = ANY($1::text[])"


class Table:
    """Values that have a token are found by one look, the others upserted by one statement."""

    def __init__(self, pool: asyncpg.Pool, sealer: Sealer) -> None:
        self._pool, self._sealer = pool, sealer

    async def tokenise(self, values: list[str]) -> list[str]:
        places = [self._sealer.index(value) for value in values]
        found = dict(await self._pool.fetch(FIND, places))
        # A token that somebody else has already, or made at this moment, is tried again.
        while missing := {
            place: value for place, value in zip(places, values, strict=True) if place not in found
        }:
            tokens = [random_token() for _ in missing]
            pairs = zip(missing.values(), tokens, strict=True)
            sealed = [self._sealer.seal(value, token) for value, token in pairs]
            found.update(await self._pool.fetch(CREATE, list(missing), tokens, sealed))
        return [found[place] for place in places]

    async def detokenise(self, tokens: list[str]) -> list[str]:
        sealed = dict(await self._pool.fetch(OPEN, tokens))
        return [self._sealer.open(sealed[token], token) for token in tokens]


def connections() -> asyncpg.Pool:
    """Nothing here changes a session, so that no call pays for resetting one."""

    async def keep(_connection: object) -> None:
        """In place of a second round trip each call."""

    address = os.environ["PEER_DATABASE"]
    return asyncpg.create_pool(address, min_size=4, max_size=16, reset=keep)


@asynccontextmanager
async def opened() -> AsyncIterator[Tokeniser]:
    async with connections() as pool:
        await pool.execute(TABLE)
        yield Table(pool, Sealer(key()))


app = service(opened)
