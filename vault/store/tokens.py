"""The protocol of vaulted tokens: what a backend keeps, none of which it can read.

A backend sees a token's place, a keyed hash of what it stands for (the *index*), and sealed
bytes. It is trusted to lose nothing that it acknowledged and to give one index one token;
that what it returns was not changed is checked above it. Every implementation must pass
`tests/store/tokens_contract.py`.

Token and index of an entry agree in their last six bits: so both directions of an entry lie
in one of 64 partitions, which a Redis Cluster can keep on one node and change in one step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

PARTITIONS = 64


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One vaulted token. `token`: its rank in the token room, big endian, as many bytes as
    every token of the space has, at least 2. `index`: 16 bytes. `sealed`: opaque, at most
    1 KiB."""

    token: bytes
    index: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Count:
    """How many tokens there are, and how many are taken: the erased ones too."""

    tokens: int
    taken: int


Change = tuple[bytes, bytes, bytes]
"""A token, the sealed bytes that stand there, and those that shall."""


def partition_of(place: bytes) -> int:
    """Of a token or an index: its last six bits."""
    return place[-1] & (PARTITIONS - 1)


FULL = b"full"
"""Instead of a token: the partition has no room for another one. (Tokens of a space all have
one length, which is never checked against this text: compare by identity, ``is FULL``.)"""
OLD = b"old"
"""Instead of a token, in the same way: sealed under a key version that the space takes no more."""


class TokenStore(Protocol):
    """All methods raise `vault.errors.Refusal` (``store_unavailable``) when the store cannot
    do what they promise. A `space` is a short ASCII name without blanks: one transformation's
    tokens of one kind."""

    async def create(
        self, space: str, entries: Sequence[Entry], most: int, version: int | None = None
    ) -> list[bytes | None]:
        """For each entry, in one atomic step: the token that its index has; else, where the
        token is free, the entry is kept and its token returned; else, where another index has
        that token, None, and nothing is changed: the caller draws another. Entries of one call
        see those before them.

        `most`: how many tokens each partition of the space may hold, erased ones too; one that
        is full takes no new index and answers `FULL`, whatever token was drawn. `version`: of
        the key that all are sealed under; where `retire` put an end to it, no new index is
        taken and the answer is `OLD`. What is returned is durable, and on as many replicas as
        the store is configured for.
        """
        ...

    async def find(self, space: str, tokens: Sequence[bytes]) -> list[Entry | None]:
        """The entry of each token; None where there is none, and nothing tells why."""
        ...

    async def find_index(self, space: str, indexes: Sequence[bytes]) -> list[bytes | None]:
        """The token of each index."""
        ...

    async def replace(self, space: str, changes: Sequence[Change]) -> list[bool]:
        """Put new sealed bytes in the place of old ones; False where others stand there now."""
        ...

    async def erase(self, space: str, tokens: Sequence[bytes]) -> list[bool]:
        """Take values out, both directions in one atomic step; durable once returned. False
        where there was none.

        The bare token is taken from then on, also where there was none: it is never given to
        another value, since old data may still hold it, and a backup that is imported later
        does not bring its value back.
        """
        ...

    async def scan(self, space: str, after: bytes, most: int) -> tuple[list[Entry], bytes]:
        """About `most` entries and where to go on from: `after` is empty at the start, and
        what is returned is empty at the end. Entries that stand throughout the whole scan are
        returned at least once, others perhaps. An erased token is an entry with neither index
        nor sealed bytes."""
        ...

    async def scan_index(
        self, space: str, after: bytes, most: int
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The same over the other direction: (index, token), for `vault verify`."""
        ...

    async def retire(self, space: str, version: int) -> None:
        """From now on take nothing that is sealed under an older key version than this."""
        ...

    async def count(self, space: str) -> Count:
        """How many tokens the space holds."""
        ...

    async def spaces(self) -> list[str]:
        """All spaces that ever held a token, of transformations that are gone too, sorted."""
        ...

    async def check(self) -> None:
        """Nothing where calls could be answered now, at once or within the store's deadline."""
        ...

    async def compact(self) -> None:
        """Leave nothing of what was erased in the store's files, where this can be done from
        here. Costs what copying the whole store costs: once after many erasures."""
        ...

    async def close(self) -> None: ...
