"""Charges as the guard's script reads them: each limit once, each key declared and short.

Names of clients and end users are hashed into keys, so that none is longer than another and
the store tells nobody who they are; all keys share the tag ``{jeton}`` and so one slot.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import msgspec

from vault.store.base import Charge, Limit

TAG = b"{jeton}:"
STATE, MARKS, LOCKS, QUEUE, AWAITED, GONE = (
    TAG + name for name in (b"state", b"marks", b"locks", b"queue", b"awaited", b"gone")
)
FIXED = (STATE, MARKS, LOCKS, QUEUE, AWAITED, GONE)
"""Every call has these keys first."""

ITEMS, PEOPLE = b"w", b"p"

Bound = tuple[int, int]
"""Which limit, and its ceiling."""


class Packed:
    """The keys and tables of one call, filled charge by charge; numbers begin at 1, as Lua's."""

    def __init__(self) -> None:
        self.keys: list[bytes] = list(FIXED)
        self.limits: list[tuple[bool, int, int]] = []
        self.names: list[str] = []
        """Of each of `limits`."""
        self._sets: list[list[Bound]] = []
        self._charges: list[tuple[object, ...]] = []
        self._persons: list[bytes] = []
        self._of_keys: dict[bytes, int] = {}
        self._of_limits: dict[bytes, int] = {}
        self._of_sets: dict[tuple[int, bool], int] = {}
        self._kept: list[tuple[Limit, ...]] = []

    def add(self, charge: Charge, at: float = 0.0, *, whole: bool = False) -> None:
        """`whole`: persons too that are more than a ceiling; else their number refuses them."""
        counted = len(charge.persons) if charge.people else 0
        first = 0  # nobody is looked at
        if counted and (whole or counted <= max(limit.ceiling for limit in charge.people)):
            first = len(self._persons) + 1
            self._persons += charge.persons
        self._charges.append((
            self._set(charge.limits, people=False),
            self._set(charge.people, people=True),
            charge.items,
            first,
            counted,
            self._request(charge),
            charge.fingerprint.hex(),
            who(charge.principal, None),
            "" if charge.end_user is None else who(charge.principal, charge.end_user),
            at,
        ))  # fmt: skip

    def bind(self, limits: Iterable[Limit]) -> None:
        """Limits alone, without a charge."""
        for limit in limits:
            self._limit(limit, people=False)

    def queued(self, entry: bytes) -> None:
        """A window as it stands in the sweeper's queue."""
        kind, length = entry[:1], int(entry[17:])
        self.keys.append(TAG + entry)
        self.limits.append((kind == PEOPLE, len(self.keys), length))

    def arguments(self, call: dict[str, object]) -> tuple[bytes, bytes]:
        """The call itself, and the persons one after the other: cmsgpack knows no bytes."""
        tables = {"limits": self.limits, "sets": self._sets, "charges": self._charges}
        return msgspec.msgpack.encode(call | tables), b"".join(self._persons)

    def _set(self, limits: tuple[Limit, ...], *, people: bool) -> int:
        """Charges of one client share their limits: each such tuple is looked at once."""
        known = self._of_sets.get((id(limits), people))
        if known is None:
            self._kept.append(limits)  # so that its id stays its own
            self._sets.append([(self._limit(each, people=people), each.ceiling) for each in limits])
            known = self._of_sets[id(limits), people] = len(self._sets)
        return known

    def _limit(self, limit: Limit, *, people: bool) -> int:
        entry = _entry(limit.scope, limit.name, limit.window, people)
        known = self._of_limits.get(entry)
        if known is None:
            self.limits.append((people, self._key(TAG + entry), limit.window))
            self.names.append(limit.name)
            known = self._of_limits[entry] = len(self.limits)
        return known

    def _request(self, charge: Charge) -> int:
        if charge.request_id is None:
            return 0
        return self._key(TAG + b"r" + _hashed(charge.principal, charge.request_id))

    def _key(self, key: bytes) -> int:
        known = self._of_keys.get(key)
        if known is None:
            self.keys.append(key)
            known = self._of_keys[key] = len(self.keys)
        return known


def who(principal: str, end_user: str | None) -> str:
    """The field of a lock."""
    return msgspec.json.encode((principal, end_user)).decode()


@lru_cache(65_536)
def _entry(scope: str, name: str, window: int, people: bool) -> bytes:
    return (PEOPLE if people else ITEMS) + _hashed(scope, name, str(window)) + b"%d" % window


def _hashed(*parts: str) -> bytes:
    """128 bits do not collide."""
    return blake2b("\0".join(parts).encode(), digest_size=16).digest()
