"""The table of tokens in PostgreSQL again, now with an hour's limit and a durable record of each
reveal: what it takes to promise a little of what Jeton does.

PEER_CREDENTIAL=... PEER_KEY=... PEER_DATABASE=... [PEER_LIMIT=...]
uvicorn benchmarks.peers.recorded_app:app
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import HTTPException

from benchmarks.peers.postgresql_app import TABLE, Table, connections
from benchmarks.peers.sealing import Sealer
from benchmarks.peers.web import Tokeniser, key, service

CLIENT = "bench"
LEDGER = """
CREATE TABLE IF NOT EXISTS budgets (
    client text, hour timestamptz, spent bigint NOT NULL, PRIMARY KEY (client, hour)
);
CREATE TABLE IF NOT EXISTS record (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    client text NOT NULL,
    tokens text[] NOT NULL
)
"""
REVEAL = """
WITH spent AS (
    INSERT INTO budgets SELECT $1, date_trunc('hour', now()), cardinality($2::text[])
    WHERE cardinality($2::text[]) <= $3::bigint
    ON CONFLICT (client, hour) DO UPDATE SET spent = budgets.spent + EXCLUDED.spent
    WHERE budgets.spent + EXCLUDED.spent <= $3::bigint RETURNING client
), noted AS (
    INSERT INTO record (client, tokens) SELECT client, $2::text[] FROM spent
)
SELECT token, sealed FROM spent LEFT JOIN tokens ON token = ANY($2::text[])
"""
"""Charge, record and answer in one statement, which is a transaction: one flush a call. No row at
all: the limit is spent."""


class Recorded(Table):
    _limit = int(os.environ.get("PEER_LIMIT", "1000000000000"))

    async def detokenise(self, tokens: list[str]) -> list[str]:
        found = await self._pool.fetch(REVEAL, CLIENT, tokens, self._limit)
        if tokens and not found:
            raise HTTPException(429, "the limit is spent")
        sealed = dict(found)
        return [self._sealer.open(sealed[token], token) for token in tokens]


@asynccontextmanager
async def opened() -> AsyncIterator[Tokeniser]:
    async with connections() as pool:
        await pool.execute(TABLE)
        await pool.execute(LEDGER)
        yield Recorded(pool, Sealer(key()))


app = service(opened)
