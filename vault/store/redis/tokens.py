"""Vaulted tokens in Redis: hashes small enough to be stored as one piece of memory each.

A partition is a hash tag, so that one script changes both directions of its entries, on
whatever node of a Cluster it lies. Per space and partition there are:

==========  ==============================================================================
``:t...``   `BUCKETS` hashes: token to record (index and what is sealed)
``:i...``   as many: index to token
``:e...``   as many, of those that are erased
``:n``      a hash: how many tokens are taken, how many of those erased, and the oldest key
            version that may still seal
==========  ==============================================================================

and per partition ``:spaces``, a hash with the names of those that hold any.

A batch is one pipeline a node. `docs/vaulted.md` says why this layout, and what it costs.
"""

import asyncio
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

from vault.errors import Refusal
from vault.store.filling import Filling, Tell
from vault.store.redis.link import Arg, Link, Script
from vault.store.tokens import FULL, OLD, PARTITIONS, Change, Count, Entry, partition_of

BUCKETS = 4_096
"""With 100 million tokens a bucket holds some 380, fewer than `hash-max-listpack-entries`."""
INDEX_BYTES = 16
PIECE = 4_000
"""Items of one call that are sent at once, within `store.timeout`."""
SCRIPT_ITEMS = 256
"""Items of one script: Redis does nothing else meanwhile."""
SCRIPT_FROM = 64
"""Fewer reads are sent one by one, which a Cluster answers even while it moves their slot."""
LOOK_SECONDS = 0.1
"""How often a server is asked whether its append-only file is written anew."""

_CHANGE, _FIND, _SCAN = (
    Script(files(__package__).joinpath(name).read_text("ascii"))
    for name in ("tokens.lua", "find.lua", "scan.lua")
)
_AGAIN = 2
_INSTEAD = {2: FULL, 3: OLD}
"""What the script answers; see there."""
NEWEST = 2**31
"""For a key version that nobody looks at."""


class RedisTokens:
    """See `vault.store.tokens.TokenStore`. The link is closed with it."""

    def __init__(self, link: Link, replicas: int, tell: Tell) -> None:
        """`tell` hears how full it gets."""
        self._link = link
        self._filling = Filling(tell)
        self._replicated = int(replicas > 0)

    async def create(
        self, space: str, entries: Sequence[Entry], most: int, version: int | None = None
    ) -> list[bytes | None]:
        tokens = [entry.token for entry in entries]
        keys = _places(space, tokens, [entry.index for entry in entries])
        said = [(entry.token + entry.index + entry.sealed,) for entry in entries]
        head = (most, NEWEST if version is None else version)
        answers = await self._change("create", space, tokens, keys, said, *head)
        if 1 in answers:
            await self._filling.look(self, space, most)
        return [_created(token, answer) for token, answer in zip(tokens, answers, strict=True)]

    async def find(self, space: str, tokens: Sequence[bytes]) -> list[Entry | None]:
        records = await self._read(space, b"t", tokens)
        return [
            _entry(token, record) if record else None
            for token, record in zip(tokens, records, strict=True)
        ]

    async def find_index(self, space: str, indexes: Sequence[bytes]) -> list[bytes | None]:
        return await self._read(space, b"i", indexes)

    async def replace(self, space: str, changes: Sequence[Change]) -> list[bool]:
        tokens = [token for token, _, _ in changes]
        keys = [(key,) for key in _keys(space, b"t", tokens)]
        answers = await self._change("replace", space, tokens, keys, changes)
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
        fields, after = await self._buckets(space, b"te", after, most)
        return [_entry(token, record) for token, record in fields], after

    async def scan_index(
        self, space: str, after: bytes, most: int
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        return await self._buckets(space, b"i", after, most)

    async def retire(self, space: str, version: int) -> None:
        args: list[Arg] = ["retire", 0, self._replicated, version]
        calls = [(_heads(space, partition), args) for partition in range(PARTITIONS)]
        await self._link.run_many(_CHANGE, calls, writes=True)

    async def count(self, space: str) -> Count:
        counts = await self._link.ask(
            [
                ("HMGET", _heads(space, partition)[0], "taken", "erased")
                for partition in range(PARTITIONS)
            ]
        )
        taken = sum(int(some or 0) for some, _ in counts)
        return Count(taken - sum(int(some or 0) for _, some in counts), taken)

    async def spaces(self) -> list[str]:
        asked = [("HKEYS", _heads("", partition)[1]) for partition in range(PARTITIONS)]
        found = {name for names in await self._link.ask(asked) for name in names}
        return sorted(name.decode() for name in found)

    async def check(self) -> None:
        await self._link.check()

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
        tokens = [token for token, _ in asked]
        indexes = [index or token for token, index in asked]
        keys = _places(space, tokens, indexes)
        return await self._change("erase", space, tokens, keys, asked)

    async def _change(
        self,
        change: str,
        space: str,
        tokens: Sequence[bytes],
        keys: Sequence[tuple[bytes, ...]],
        said: Sequence[tuple[bytes, ...]],
        *head: int,
    ) -> list[Any]:
        """The script's answer for each token, with its keys and what is said of it."""
        answers: list[Any] = [None] * len(tokens)
        for groups in _grouped(tokens):
            calls = []
            for group in groups:
                first = tokens[group[0]]
                heads = _heads(space, partition_of(first))
                args: list[Any] = [change, len(first), self._replicated, *head]
                calls.append(
                    (
                        [*heads, *(key for place in group for key in keys[place])],
                        [*args, *(arg for place in group for arg in said[place])],
                    )
                )
            told = await self._link.run_many(_CHANGE, calls, writes=True)
            _sort_in(answers, groups, told)
        return answers

    async def _read(self, space: str, direction: bytes, places: Sequence[bytes]) -> list[Any]:
        """What stands at each place, or None."""
        keys = _keys(space, direction, places)
        if len(places) < SCRIPT_FROM:
            pairs = zip(keys, places, strict=True)
            return await self._link.ask([("HGET", key, place) for key, place in pairs])
        answers: list[Any] = [None] * len(places)
        for groups in _grouped(places):
            calls = [
                ([keys[number] for number in group], [places[number] for number in group])
                for group in groups
            ]
            told = await self._link.run_many(_FIND, calls, writes=False)
            _sort_in(answers, groups, told)
        return answers

    async def _buckets(
        self, space: str, kinds: bytes, after: bytes, most: int
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The fields of the buckets from number `after` on, as far as they are at most `most`
        (one bucket at least), and the number of the next one.

        Bucket by bucket, so that what stands is found whatever comes and goes meanwhile.
        """
        start = int.from_bytes(after)
        partition, first = divmod(start, BUCKETS)
        [taken] = await self._link.ask([("HGET", _heads(space, partition)[0], "taken")])
        if not taken:
            return [], _next(start - first + BUCKETS)
        last = min(BUCKETS, first + 2 * BUCKETS * most // max(1, int(taken)) + 1)
        at = b"jt{%d}%b:" % (partition, space.encode())
        keys = [b"%b%c%x" % (at, kind, n) for n in range(first, last) for kind in kinds]
        wanted, *flat = await self._link.run(_SCAN, keys, [most, len(kinds)], writes=False)
        fields = list(zip(flat[::2], flat[1::2], strict=True))
        return fields, _next(start + wanted)


def _sort_in(answers: list[Any], groups: list[list[int]], told: list[list[Any]]) -> None:
    """Put what each group was told to its places."""
    for group, some in zip(groups, told, strict=True):
        for place, answer in zip(group, some, strict=True):
            answers[place] = answer


def _created(token: bytes, answer: bytes | int) -> bytes | None:
    if isinstance(answer, bytes):
        return answer
    if answer in _INSTEAD:
        return _INSTEAD[answer]
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


def _heads(space: str, partition: int) -> list[bytes]:
    """What a partition counts of a space, and of which spaces it has any."""
    return [b"jt{%d}%b:n" % (partition, space.encode()), b"jt{%d}:spaces" % partition]


def _places(
    space: str, tokens: Sequence[bytes], indexes: Sequence[bytes]
) -> list[tuple[bytes, ...]]:
    """The buckets that an entry lies in, or would once it is erased."""
    buckets = (_keys(space, b"t", tokens), _keys(space, b"i", indexes), _keys(space, b"e", tokens))
    return list(zip(*buckets, strict=True))


def _keys(space: str, direction: bytes, places: Sequence[bytes]) -> list[bytes]:
    """Of the buckets that places lie in: their last six bits are the partition, those above
    them the bucket."""
    at = b"%b:%b" % (space.encode(), direction)
    bits = [int.from_bytes(place[-3:]) for place in places]
    return [b"jt{%d}%b%x" % (n % PARTITIONS, at, n // PARTITIONS % BUCKETS) for n in bits]
