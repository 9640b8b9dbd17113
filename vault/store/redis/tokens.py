"""Vaulted tokens in Redis: hashes small enough to be stored as one piece of memory each.

A partition is a hash tag, so that one script changes both directions of its entries, on
whatever node of a Cluster it lies. Per space and partition there are:

==========  ==============================================================================
``:t...``   `BUCKETS` hashes: token to record (index and what is sealed; empty: erased)
``:i...``   as many: index to token
``:n``      a hash: how many tokens are taken, and how many of those erased
==========  ==============================================================================

A batch is one pipeline a node. `docs/vaulted.md` says why this layout, and what it costs.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from typing import Any, TypeVar

from vault.errors import Refusal
from vault.store.redis.link import Link, Script
from vault.store.tokens import FULL, PARTITIONS, Change, Entry, partition_of

BUCKETS = 4_096
"""With 100 million tokens a bucket holds some 380, fewer than `hash-max-listpack-entries`."""
INDEX_BYTES = 16
PIECE = 10_000
"""Items of one call that are sent at once."""
SCRIPT_ITEMS = 256
"""Items of one script: Redis does nothing else meanwhile."""
LOOK_SECONDS = 0.1
"""How often a server is asked whether its append-only file is written anew."""

_CHANGE, _SCAN = (
    Script(files(__package__).joinpath(name).read_text("ascii"))
    for name in ("tokens.lua", "scan.lua")
)
_AGAIN, _FULL = 2, 2
"""What the script answers; see there."""

T = TypeVar("T")
Said = tuple[Sequence[bytes], Sequence[bytes]]
"""Keys and arguments of one item."""


class RedisTokens:
    """See `vault.store.tokens.TokenStore`. The link is closed with it."""

    def __init__(self, link: Link, replicas: int) -> None:
        self._link = link
        self._replicated = int(replicas > 0)

    async def create(self, space: str, entries: Sequence[Entry], most: int) -> list[bytes | None]:
        def say(entry: Entry) -> Said:
            keys = _token_key(space, entry.token), _index_key(space, entry.index)
            return keys, (entry.token + entry.index + entry.sealed,)

        tokens = [entry.token for entry in entries]
        answers = await self._change("create", space, tokens, entries, say, most)
        return [_created(token, answer) for token, answer in zip(tokens, answers, strict=True)]

    async def find(self, space: str, tokens: Sequence[bytes]) -> list[Entry | None]:
        records = await self._ask([("HGET", _token_key(space, one), one) for one in tokens])
        return [
            _entry(token, record) if record else None
            for token, record in zip(tokens, records, strict=True)
        ]

    async def find_index(self, space: str, indexes: Sequence[bytes]) -> list[bytes | None]:
        return await self._ask([("HGET", _index_key(space, one), one) for one in indexes])

    async def replace(self, space: str, changes: Sequence[Change]) -> list[bool]:
        def say(change: Change) -> Said:
            return (_token_key(space, change[0]),), change

        tokens = [token for token, _, _ in changes]
        answers = await self._change("replace", space, tokens, changes, say)
        return [answer == 1 for answer in answers]

    async def erase(self, space: str, tokens: Sequence[bytes]) -> list[bool]:
        """Its index tells where a token's other direction lies, so it is looked up first."""
        erased = [False] * len(tokens)
        places = list(range(len(tokens)))
        while places:
            found = await self.find(space, [tokens[place] for place in places])
            asked = [
                (tokens[place], b"" if entry is None else entry.index)
                for place, entry in zip(places, found, strict=True)
            ]
            answers = await self._erase(space, asked)
            for place, answer in zip(places, answers, strict=True):
                erased[place] = answer == 1
            # One that came between the two looks:
            places = [n for n, answer in zip(places, answers, strict=True) if answer == _AGAIN]
        return erased

    async def scan(self, space: str, after: bytes, most: int) -> tuple[list[Entry], bytes]:
        fields, after = await self._buckets(space, b"t", after, most)
        return [_entry(token, record) for token, record in fields], after

    async def scan_index(
        self, space: str, after: bytes, most: int
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        return await self._buckets(space, b"i", after, most)

    async def count(self, space: str) -> int:
        counts = await self._ask(
            [
                ("HMGET", _counts(space, partition), "taken", "erased")
                for partition in range(PARTITIONS)
            ]
        )
        return sum(int(taken or 0) - int(erased or 0) for taken, erased in counts)

    async def compact(self) -> None:
        """Of the primaries; the replicas' files are theirs, and their owner's to rewrite."""
        await self._link.everywhere("BGREWRITEAOF")
        while True:
            told = await self._link.everywhere("INFO", "persistence")
            if not any(map(_rewriting, told)):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        await self._link.close()

    async def _erase(self, space: str, asked: Sequence[tuple[bytes, bytes]]) -> list[Any]:
        def say(pair: tuple[bytes, bytes]) -> Said:
            token, index = pair
            return (_token_key(space, token), _index_key(space, index or token)), pair

        return await self._change("erase", space, [token for token, _ in asked], asked, say)

    async def _change(
        self,
        change: str,
        space: str,
        tokens: Sequence[bytes],
        items: Sequence[T],
        say: Callable[[T], Said],
        *head: int,
    ) -> list[Any]:
        """The script's answer for each item, which `say` puts into keys and arguments."""
        answers: list[Any] = [None] * len(items)
        for groups in _grouped(tokens):
            calls = []
            for group in groups:
                keys = [_counts(space, partition_of(tokens[group[0]]))]
                args: list[Any] = [change, len(tokens[group[0]]), self._replicated, *head]
                for place in group:
                    more, said = say(items[place])
                    keys += more
                    args += said
                calls.append((keys, args))
            told = await self._link.run_many(_CHANGE, calls, writes=True)
            for group, some in zip(groups, told, strict=True):
                for place, answer in zip(group, some, strict=True):
                    answers[place] = answer
        return answers

    async def _ask(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        answers: list[Any] = []
        for start in range(0, len(commands), PIECE):
            answers += await self._link.ask(commands[start : start + PIECE])
        return answers

    async def _buckets(
        self, space: str, direction: bytes, after: bytes, most: int
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The fields of the buckets from number `after` on, as far as they are at most `most`
        (one bucket at least), and the number of the next one.

        Bucket by bucket, so that what stands is found whatever comes and goes meanwhile.
        """
        start = int.from_bytes(after)
        partition, first = divmod(start, BUCKETS)
        [taken] = await self._link.ask([("HGET", _counts(space, partition), "taken")])
        if not taken:
            return [], _next(start - first + BUCKETS)
        last = min(BUCKETS, first + 2 * BUCKETS * most // max(1, int(taken)) + 1)
        keys = [_key(space, direction, partition, bucket) for bucket in range(first, last)]
        wanted, *flat = await self._link.run(_SCAN, keys, [most], writes=False)
        fields = list(zip(flat[::2], flat[1::2], strict=True))
        return fields, _next(start + wanted)


def _created(token: bytes, answer: bytes | int) -> bytes | None:
    if isinstance(answer, bytes):
        return answer
    if answer == _FULL:
        return FULL
    return token if answer == 1 else None


def _entry(token: bytes, record: bytes) -> Entry:
    return Entry(token, record[:INDEX_BYTES], record[INDEX_BYTES:])


def _grouped(tokens: Sequence[bytes]) -> Iterator[list[list[int]]]:
    """Places in `tokens`, as many at once as are sent at once: a group is one script's."""
    for start in range(0, len(tokens), PIECE):
        partitions: dict[int, list[int]] = {}
        for place in range(start, min(start + PIECE, len(tokens))):
            partitions.setdefault(partition_of(tokens[place]), []).append(place)
        yield [
            places[first : first + SCRIPT_ITEMS]
            for places in partitions.values()
            for first in range(0, len(places), SCRIPT_ITEMS)
        ]


def _rewriting(facts: bytes) -> bool:
    """Raises Refusal where the last rewrite failed."""
    lines = facts.split()
    if b"aof_rewrite_in_progress:1" in lines or b"aof_rewrite_scheduled:1" in lines:
        return True
    if b"aof_last_bgrewrite_status:ok" not in lines:
        raise Refusal("store_unavailable", "the store could not rewrite its append-only file", 60)
    return False


def _next(number: int) -> bytes:
    return number.to_bytes(4) if number < PARTITIONS * BUCKETS else b""


def _counts(space: str, partition: int) -> bytes:
    return b"jt{%d}%b:n" % (partition, space.encode())


def _token_key(space: str, token: bytes) -> bytes:
    return _bucket_of(space, b"t", token)


def _index_key(space: str, index: bytes) -> bytes:
    return _bucket_of(space, b"i", index)


def _bucket_of(space: str, direction: bytes, place: bytes) -> bytes:
    """Its last six bits are the partition, those above them the bucket."""
    bits = int.from_bytes(place[-3:])
    return _key(space, direction, bits % PARTITIONS, bits // PARTITIONS % BUCKETS)


def _key(space: str, direction: bytes, partition: int, bucket: int) -> bytes:
    return b"jt{%d}%b:%b%x" % (partition, space.encode(), direction, bucket)
