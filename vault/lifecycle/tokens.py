"""What happens to random tokens outside requests: erased, expired, rewrapped, moved, verified.

For operators, in process. Everything goes page by page, so it is bounded in memory and can be
stopped and started again at any time; the service goes on meanwhile.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from vault.engine.sealed import Header
from vault.engine.vaulted import Vaulted
from vault.errors import ItemError
from vault.store.tokens import Entry, TokenStore

PAGE = 1_000

Progress = Callable[[int], Awaitable[None]]
"""Told how many more entries were gone through; may take its time, which slows down."""


async def nobody(_: int) -> None: ...


@dataclass(slots=True)
class Findings:
    """What `verify` found, in numbers: no finding names a token or a value."""

    tokens: int = 0
    erased: int = 0
    unopened: int = 0
    """Entries that do not open: changed, moved, or of a key version that is not usable."""
    without_index: int = 0
    """Tokens that their own index does not lead back to."""
    without_token: int = 0
    """Indexes whose token is not there."""

    @property
    def clean(self) -> bool:
        return not (self.unopened or self.without_index or self.without_token)


@dataclass(slots=True)
class Space:
    """How one kind of a transformation's tokens fares."""

    kind: int
    tokens: int
    room: int
    """How many there may be, by `max_fill`."""
    versions: Counter[int] = field(default_factory=Counter)


class Lifecycle:
    """One vaulted transformation's tokens in a store."""

    def __init__(self, vaulted: Vaulted, store: TokenStore) -> None:
        self._vaulted = vaulted
        self._store = store

    async def erase_tokens(self, tokens: Sequence[str]) -> list[bool]:
        """Take out the values behind tokens; False where there is none."""
        return await self._erase([self._vaulted.place(token) for token in tokens])

    async def erase_values(self, values: Sequence[str], context: str | None) -> list[bool]:
        """Take values out, as tokenised under one context (None: under none).

        Finds convergent tokens only; `erase_everywhere` finds all. Raises InvalidValue.
        """
        found: list[tuple[int, bytes] | None] = []
        for value in values:
            kind, canonical = self._vaulted.read(value)
            index = self._vaulted.index(canonical, context)
            (token,) = await self._store.find_index(self._space(kind), [index])
            found.append(None if token is None else (kind, token))
        return await self._erase(found)

    async def erase_everywhere(self, values: Sequence[str], progress: Progress) -> int:
        """Take values out under whatever context, by opening every token there is."""
        wanted = {self._vaulted.read(value)[1] for value in values}

        def is_wanted(kind: int, entry: Entry) -> bool:
            return self._vaulted.canonical(kind, entry) in wanted

        return await self._erase_where(is_wanted, progress)

    async def expire(self, before: float, progress: Progress) -> int:
        """Take out what was tokenised on a day before that time, in seconds since 1970."""
        return await self._erase_where(
            lambda _, entry: Header.read(entry.sealed).created_at < before - 86_400, progress
        )

    async def stats(self, *, versions: bool, progress: Progress = nobody) -> list[Space]:
        """What the store holds; `versions` counts key versions too, entry by entry."""
        spaces = [
            Space(kind, await self._store.count(self._space(kind)), most)
            for kind, most in self._vaulted.rooms()
        ]
        if versions:
            of_kind = {space.kind: space for space in spaces}
            async for kind, page in self._pages():
                of_kind[kind].versions.update(Header.read(one.sealed).version for one in page)
                await progress(len(page))
        return spaces

    async def rewrap(self, progress: Progress) -> Counter[str]:
        """Seal every value under the primary key version; what is already is left alone.

        Values that do not open stay as they are, and are counted (``failed``).
        """
        done: Counter[str] = Counter()
        async for kind, page in self._pages():
            changes = []
            for entry in page:
                try:
                    fresh = self._vaulted.reseal(kind, entry)
                except ItemError:
                    done["failed"] += 1
                    continue
                if fresh is not None:
                    changes.append((entry.token, entry.sealed, fresh))
            if changes:
                done["rewrapped"] += sum(await self._store.replace(self._space(kind), changes))
            await progress(len(page))
        return done

    async def verify(self, progress: Progress) -> Findings:
        """Whether every token leads to its index and back, and every value opens."""
        found = Findings()
        for kind, _ in self._vaulted.rooms():
            await self._verify_tokens(kind, found, progress)
            await self._verify_indexes(kind, found, progress)
        return found

    async def entries(self) -> AsyncIterator[tuple[int, Entry]]:
        """All entries with their kinds, erased ones too."""
        async for kind, page in self._pages(erased=True):
            for entry in page:
                yield kind, entry

    async def count(self) -> int:
        """How many tokens there are, without erased ones."""
        spaces = [self._space(kind) for kind, _ in self._vaulted.rooms()]
        return sum([await self._store.count(space) for space in spaces])

    def _space(self, kind: int) -> str:
        return self._vaulted.space(kind)

    async def _verify_tokens(self, kind: int, found: Findings, progress: Progress) -> None:
        space = self._space(kind)
        async for page in self._pages_of(kind):
            live = [entry for entry in page if entry.sealed]
            found.tokens += len(live)
            found.erased += len(page) - len(live)
            back = await self._store.find_index(space, [entry.index for entry in live])
            for entry, token in zip(live, back, strict=True):
                if token != entry.token and await self._stands(space, entry):
                    found.without_index += 1
                if self._vaulted.canonical(kind, entry) is None:
                    found.unopened += 1
            await progress(len(page))

    async def _verify_indexes(self, kind: int, found: Findings, progress: Progress) -> None:
        space, after = self._space(kind), b""
        while True:
            page, after = await self._store.scan_index(space, after, PAGE)
            entries = await self._store.find(space, [token for _, token in page])
            for (index, token), entry in zip(page, entries, strict=True):
                if entry is None or entry.index != index:
                    (now,) = await self._store.find_index(space, [index])
                    found.without_token += now == token  # else it was erased meanwhile
            await progress(len(page))
            if not after:
                return

    async def _stands(self, space: str, entry: Entry) -> bool:
        """Whether it was not erased since it was read."""
        (now,) = await self._store.find(space, [entry.token])
        return now is not None

    async def _erase_where(self, chosen: Callable[[int, Entry], bool], progress: Progress) -> int:
        count = 0
        async for kind, page in self._pages():
            tokens = [entry.token for entry in page if chosen(kind, entry)]
            if tokens:
                count += sum(await self._store.erase(self._space(kind), tokens))
            await progress(len(page))
        return count

    async def _erase(self, places: Sequence[tuple[int, bytes] | None]) -> list[bool]:
        done = [False] * len(places)
        for at, place in enumerate(places):
            if place is not None:
                kind, token = place
                (done[at],) = await self._store.erase(self._space(kind), [token])
        return done

    async def _pages(self, *, erased: bool = False) -> AsyncIterator[tuple[int, list[Entry]]]:
        for kind, _ in self._vaulted.rooms():
            async for page in self._pages_of(kind):
                yield kind, page if erased else [entry for entry in page if entry.sealed]

    async def _pages_of(self, kind: int) -> AsyncIterator[list[Entry]]:
        after = b""
        while True:
            page, after = await self._store.scan(self._space(kind), after, PAGE)
            yield page
            if not after:
                return
