"""What happens to random tokens outside requests: erased, expired, rewrapped, moved, verified.

For operators, in process. Everything goes page by page, so it is bounded in memory and can be
stopped and started again at any time; the service goes on meanwhile.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from vault.engine.sealed import Header
from vault.engine.vaulted import Vaulted
from vault.errors import ItemError
from vault.store.tokens import Entry, TokenStore

PAGE = 1_000
T = TypeVar("T")


class Progress(Protocol):
    """Told how many more entries were gone through, and how many of those were changed; may
    take its time, which slows down."""

    def __call__(self, gone: int, changed: int = 0) -> Awaitable[None]: ...


async def nobody(gone: int, changed: int = 0) -> None: ...


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
    taken: int
    """Those that were erased too: they are never given again."""
    room: int
    """How many may be taken, by `max_fill`."""
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
        read = [self._vaulted.read(value) for value in values]
        indexes = [(kind, self._vaulted.index(canonical, context)) for kind, canonical in read]
        tokens = await self._by_kind(indexes, self._store.find_index)
        return await self._erase(
            [
                None if token is None else (kind, token)
                for (kind, _), token in zip(read, tokens, strict=True)
            ]
        )

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
        spaces = []
        for kind, most in self._vaulted.rooms():
            count = await self._store.count(self._space(kind))
            spaces.append(Space(kind, count.tokens, count.taken, most))
        if versions:
            of_kind = {space.kind: space for space in spaces}
            async for kind, page in self._pages():
                of_kind[kind].versions.update(Header.read(one.sealed).version for one in page)
                await progress(len(page))
        return spaces

    async def rewrap(self, progress: Progress) -> Counter[str]:
        """Seal every value under the primary key version; what is already is left alone, and
        from then on nothing is sealed under an older one, by a process that was not told.

        Values that do not open stay as they are, and are counted (``failed``).
        """
        done: Counter[str] = Counter()
        for kind, _ in self._vaulted.rooms():
            await self._store.retire(self._space(kind), self._vaulted.version)
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
            await progress(len(page), len(changes))
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
        return sum([(await self._store.count(space)).tokens for space in spaces])

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
            await progress(len(page), len(tokens))
        return count

    async def _erase(self, places: Sequence[tuple[int, bytes] | None]) -> list[bool]:
        known = [place for place in places if place is not None]
        done = iter(await self._by_kind(known, self._store.erase))
        return [place is not None and next(done) for place in places]

    async def _by_kind(
        self,
        places: Sequence[tuple[int, bytes]],
        ask: Callable[[str, Sequence[bytes]], Awaitable[list[T]]],
    ) -> list[T]:
        """What the store says of each place (a kind, and a token or index), page by page."""
        answers: dict[int, T] = {}
        for kind in {kind for kind, _ in places}:
            ours = [at for at, place in enumerate(places) if place[0] == kind]
            for start in range(0, len(ours), PAGE):
                page = ours[start : start + PAGE]
                told = await ask(self._space(kind), [places[at][1] for at in page])
                answers.update(zip(page, told, strict=True))
        return [answers[at] for at in range(len(places))]

    async def _pages(self, *, erased: bool = False) -> AsyncIterator[tuple[int, list[Entry]]]:
        for kind, _ in self._vaulted.rooms():
            async for page in self._pages_of(kind):
                yield kind, page if erased else [entry for entry in page if entry.sealed]

    def _pages_of(self, kind: int) -> AsyncIterator[list[Entry]]:
        return pages(self._store, self._space(kind))


async def pages(store: TokenStore, space: str) -> AsyncIterator[list[Entry]]:
    """All entries of a space, erased ones too."""
    after = b""
    while True:
        page, after = await store.scan(space, after, PAGE)
        yield page
        if not after:
            return


async def sealed_under(store: TokenStore, version: int, progress: Progress) -> Counter[str]:
    """How many values are sealed under a key version, by the key id that they belong to: of
    transformations that are not configured any more, too. Nothing is from now on."""
    found: Counter[str] = Counter()
    for space in await store.spaces():
        await store.retire(space, version + 1)
        async for page in pages(store, space):
            live = [entry for entry in page if entry.sealed]
            count = sum(Header.read(entry.sealed).version == version for entry in live)
            if count:
                found[space.rpartition(".")[0]] += count
            await progress(len(live))
    return found
