"""A keyed permutation of the integers 0 .. size-1: FF1 with cycle walking.

FF1 permutes ``radix ** length`` integers, a few more than most domains have. Whatever falls
outside is encrypted again until it falls inside, which makes a permutation of the domain out
of one of the larger set (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002,
section 4); going backwards walks the same cycle the other way. How often a walk goes on
depends on ranks that look random, so its time tells nothing of the value.
"""

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from vault.crypto.ff1 import FF1, FLOOR
from vault.crypto.ff1_columns import Ints, Tweaks
from vault.crypto.secret import KeyAccess, Secret

FEW_ROWS: Final = 8
"""Up to this many rows go one by one: a pass of the columns costs as much as they do."""


class Ranked(Protocol):
    """A domain: `size` ranks, to be written as `length` numerals of `radix`."""

    @property
    def size(self) -> int: ...
    @property
    def radix(self) -> int: ...
    @property
    def length(self) -> int: ...


class Permutation:
    """One key's permutation of a domain; every tweak gives another one.

    Raises ValueError for a size below 1,000,000 (smaller domains can be searched) or above
    ``radix ** length``, and as FF1 for the rest. May be used from several threads at once.
    """

    __slots__ = ("_ff1", "_length", "_whole", "size")

    def __init__(self, key: Secret, domain: Ranked) -> None:
        if not FLOOR <= domain.size <= domain.radix**domain.length:
            raise ValueError(f"a domain has {FLOOR:,} to radix**length ranks")
        self.size = domain.size
        self._length = domain.length
        self._whole = domain.size == domain.radix**domain.length
        self._ff1 = FF1(key.reveal(KeyAccess()), domain.radix)

    def encrypt(self, rank: int, tweak: bytes = b"") -> int:
        """The rank that `rank` is sent to. Raises ValueError outside 0 .. size-1."""
        self._check(rank)
        return self._walk(self._ff1.encrypt_int, rank, tweak)

    def decrypt(self, rank: int, tweak: bytes = b"") -> int:
        """The inverse of `encrypt`."""
        self._check(rank)
        return self._walk(self._ff1.decrypt_int, rank, tweak)

    def encrypt_array(self, ranks: Ints, tweaks: Tweaks = b"") -> Ints:
        """`encrypt` on (k,) uint64 ranks, under one tweak or a (k, t) uint8 matrix of them.

        Raises ValueError as `encrypt`, and where ``radix ** length`` is above 2**64.
        """
        return self._array(ranks, tweaks, forward=True)

    def decrypt_array(self, ranks: Ints, tweaks: Tweaks = b"") -> Ints:
        """The inverse of `encrypt_array`."""
        return self._array(ranks, tweaks, forward=False)

    def _check(self, greatest: int) -> None:
        if not 0 <= greatest < self.size:
            raise ValueError("a rank is not in 0 .. size-1")

    def _walk(self, step: Callable[[int, int, bytes], int], rank: int, tweak: bytes) -> int:
        """At least one step, and on until the rank is inside."""
        rank = step(rank, self._length, tweak)
        while rank >= self.size:
            rank = step(rank, self._length, tweak)
        return rank

    def _array(self, ranks: Ints, tweaks: Tweaks, forward: bool) -> Ints:
        step = self._ff1.encrypt_ints if forward else self._ff1.decrypt_ints
        # What goes in is checked against the domain here, against radix**length there.
        if len(ranks):
            self._check(int(ranks.max()))
        ranks = step(ranks, self._length, tweaks)
        if self._whole:
            return ranks
        size = np.uint64(self.size)
        outside = np.flatnonzero(ranks >= size)
        while len(outside) > FEW_ROWS:
            some = tweaks[outside] if isinstance(tweaks, np.ndarray) else tweaks
            walked = step(ranks[outside], self._length, some)
            ranks[outside] = walked
            outside = outside[walked >= size]
        one_by_one = self._ff1.encrypt_int if forward else self._ff1.decrypt_int
        for row in outside.tolist():
            tweak = tweaks[row].tobytes() if isinstance(tweaks, np.ndarray) else tweaks
            ranks[row] = self._walk(one_by_one, int(ranks[row]), tweak)
        return ranks
