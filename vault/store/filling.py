"""How full a space of tokens is, told now and then by whoever makes new ones there."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

from vault.errors import Refusal
from vault.store.tokens import PARTITIONS, TokenStore

Tell = Callable[[str, Mapping[str, str | int | float]], None]
SECONDS = 10.0
"""Between two looks at one space."""


class Filling:
    """Of one process. `tell` hears ``tokens_held``: of which `key_id`, which `kind`, and which
    `share` of all that may be taken is."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._due: dict[str, float] = {}

    async def look(self, store: TokenStore, space: str, most: int) -> None:
        """After tokens were made, of which a partition may hold `most`. Nothing where the
        store cannot say now, or where there is room for none."""
        now = monotonic()
        if not most or now < self._due.get(space, now):
            return
        self._due[space] = now + SECONDS
        with suppress(Refusal):
            count = await store.count(space)
            key_id, _, kind = space.rpartition(".")
            share = count.taken / (most * PARTITIONS)
            self._tell("tokens_held", {"key_id": key_id, "kind": kind, "share": share})
