"""Who is locked, as one worker knows it without asking the store.

The store looks at its locks whenever it charges, so nobody is let through that it has locked.
This is for what does not reach it: tokenise's shares in hand, and grants, which are judged
after locks. It is read again twice a second, and holds at once for who is locked here, also
while the store is away: it is told as soon as it is back.
"""

import asyncio

from vault.store.base import Lock, Store, Verdict, refusal_of


class Locks:
    """The locks of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: frozenset[Lock] = frozenset()
        self._untold: dict[Lock, str] = {}
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def check(self, principal: str, end_user: str | None) -> None:
        """Raises Refusal (locked)."""
        if self._known and (self.whole(principal) or (principal, end_user) in self._known):
            raise refusal_of(Verdict("locked"))

    def whole(self, principal: str) -> bool:
        """It is locked with all its end users."""
        return (principal, None) in self._known

    def hold(self, lock: Lock, reason: str) -> None:
        """Locked here from now on; everywhere once it was told (`read`)."""
        self._untold[lock] = reason
        self._known |= {lock}

    async def told(self) -> None:
        """Nothing is charged while the store does not know of a lock: the record's entry of it
        would pass for known. Raises Refusal (store_unavailable)."""
        if self._untold:
            await self.read()

    async def read(self) -> None:
        """Tell the store what it does not know, and read what it knows.

        Raises Refusal (store_unavailable), and what was known holds.
        """
        async with self._turn:  # an older answer must not take the place of a newer one
            for lock, reason in list(self._untold.items()):
                await self._store.lock(*lock, reason)
                del self._untold[lock]
            known = await self._store.locks()
            self._known = known | self._untold.keys()
