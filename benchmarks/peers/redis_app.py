"""FastAPI with two hashes in Redis: a value's index to its token, a token to its sealed value.

PEER_CREDENTIAL=... PEER_KEY=... PEER_REDIS=... uvicorn benchmarks.peers.redis_app:app
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from benchmarks.peers.sealing import Sealer, random_token
from benchmarks.peers.web import Tokeniser, key, service

INDEXES, TOKENS = "indexes", "tokens"
CREATE = """
local found = {}
for at = 1, #ARGV, 3 do
  local token = redis.call('HGET', KEYS[1], ARGV[at])
  if not token and redis.call('HSETNX', KEYS[2], ARGV[at + 1], ARGV[at + 2]) == 1 then
    token = ARGV[at + 1]
    redis.call('HSET', KEYS[1], ARGV[at], token)
  end
  found[#found + 1] = token
end
return found
"""
"""Both hashes in one step; `false` for a token that somebody else has already."""


class Hashes:
    """Values that have a token are found by one HMGET, the others created by one script."""

    def __init__(self, redis: Redis, sealer: Sealer) -> None:
        self._redis, self._sealer = redis, sealer
        self._create = redis.register_script(CREATE)

    async def tokenise(self, values: list[str]) -> list[str]:
        places = [self._sealer.index(value) for value in values]
        tokens: list[Any] = await self._redis.hmget(INDEXES, places)
        found = {place: token for place, token in zip(places, tokens, strict=True) if token}
        while missing := {
            place: value for place, value in zip(places, values, strict=True) if place not in found
        }:
            found |= await self._made(missing)
        return [found[place].decode() for place in places]

    async def _made(self, missing: dict[bytes, str]) -> dict[bytes, bytes]:
        given: list[bytes | str] = []
        for place, value in missing.items():
            token = random_token()
            given += [place, token, self._sealer.seal(value, token)]
        made = await self._create([INDEXES, TOKENS], given)
        return {place: token for place, token in zip(missing, made, strict=True) if token}

    async def detokenise(self, tokens: list[str]) -> list[str]:
        sealed: list[Any] = await self._redis.hmget(TOKENS, tokens)
        if None in sealed:
            raise LookupError
        return [self._sealer.open(one, token) for one, token in zip(sealed, tokens, strict=True)]


@asynccontextmanager
async def opened() -> AsyncIterator[Tokeniser]:
    async with Redis.from_url(os.environ["PEER_REDIS"]) as redis:
        yield Hashes(redis, Sealer(key()))


app = service(opened)
