"""Random tokens: drawn, not computed, and kept with the value they stand for, sealed.

The store finds an entry by its token, or by its index: a keyed hash of value and context. It
can open neither. A sealed value is bound to everything around it (tenant, transformation,
token, context, key version), so an entry that was moved, copied or put back elsewhere does
not open; and a token that is unknown, erased or another's fails after the same work, in the
same words as one of another context.
"""

import asyncio
import hashlib
import hmac
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vault.crypto.keyset import Keyset
from vault.crypto.secret import KeyAccess
from vault.engine.context import Contexts, context_at, tweak
from vault.engine.outcome import Outcome
from vault.engine.sealed import Header
from vault.engine.seals import NONCE_BYTES, Seals, framed
from vault.errors import (
    ContextRequired,
    DomainExhausted,
    InvalidValue,
    ItemError,
    NotAToken,
    Refusal,
)
from vault.formats.base import Format, Place
from vault.store.tokens import FULL, OLD, PARTITIONS, Entry, TokenStore, partition_of

DRAWS = 64
"""Tokens drawn for one value before the format is called full: at nine tenths in use, the
most that can be configured, one value in a thousand needs more."""
MAX_FILL = 0.5
PIECE = 1_000
BREATH = 100
"""Items after which the event loop gets a turn: some milliseconds."""
INDEX_BYTES = 16
SPARE_BYTES = 8
"""More than a token's rank takes: a remainder of so many is even, to 2^-64."""

NEEDS_CONTEXT = "this transformation binds tokens to a context: send one"
FULL_UP = (
    "as many tokens are taken, erased ones too, as max_fill allows: raise it, or use a longer"
    " format"
)
OLD_KEYS = (
    "values are sealed under a newer key version now, which this process does not know: have it"
    " read its keys again"
)


@dataclass(frozen=True, slots=True)
class Request:
    """Which request a fresh token is drawn for: the same one again gets the same tokens."""

    principal: str
    request_id: str
    fingerprint: bytes


@dataclass(slots=True, repr=False)  # values stand in it
class _Wanted:
    """A token to be drawn: for which value, at which places of the batch, in which form."""

    index: bytes
    canonical: str
    context: bytes
    kind: int
    places: list[tuple[int, object]]


class Vaulted:
    """One transformation's random tokens. The store is the caller's: this is rules and keys."""

    def __init__(
        self,
        form: Format,
        keyset: Keyset,
        key_id: str,
        *,
        context_required: bool = False,
        convergent: bool = True,
        max_fill: float = MAX_FILL,
        tenant: str = "default",
    ) -> None:
        self.format = form
        self.key_id = key_id
        self.convergent = convergent
        self._context_required = context_required
        self._max_fill = max_fill
        self._seals = Seals(keyset, tenant, key_id)
        key = keyset.derive_root("index").reveal(KeyAccess())
        self._index = hmac.new(key, self._seals.bound, hashlib.sha256)

    @property
    def version(self) -> int:
        """Of the key that values are sealed under now."""
        return self._seals.version

    def space(self, kind: int) -> str:
        """Where the tokens of a kind are kept."""
        return f"{self.key_id}.{kind}"

    def rooms(self) -> list[tuple[int, int]]:
        """Each kind that tokens are of, and how many there may be."""
        known = self.format.vaulted_kinds
        kinds = {known.get(place.kind, place.kind) for place in self.format.kinds}
        return [(kind, self._most(kind) * PARTITIONS) for kind in sorted(kinds)]

    def place(self, token: str) -> tuple[int, bytes] | None:
        """A token's kind, and what the store knows it as; None where the text is no token."""
        try:
            kind, rank, _ = self.format.read_token(token)
        except ItemError:
            return None
        return kind, self._token(kind, rank)

    def read(self, value: str) -> tuple[int, str]:
        """The kind of a value's token, and the value in its canonical form.

        Raises InvalidValue.
        """
        place, canonical = self.format.read_whole(value)
        return self._kind(place), canonical

    async def tokenise(
        self,
        store: TokenStore,
        values: Sequence[str],
        contexts: Contexts,
        request: Request | None = None,
    ) -> Outcome:
        """A token for every value, or its error: those it has, else fresh ones, kept before
        they are returned.

        Raises Refusal (keys_unavailable, store_unavailable).
        """
        outcome = Outcome([None] * len(values))
        for places in _pieces(len(values)):
            wanted = await self._wanted(values, contexts, request, places, outcome)
            kinds: dict[int, list[_Wanted]] = {}
            for one in wanted:
                kinds.setdefault(one.kind, []).append(one)
            for kind, some in kinds.items():
                await self._create(store, kind, some, outcome)
        return outcome

    async def _wanted(
        self,
        values: Sequence[str],
        contexts: Contexts,
        request: Request | None,
        places: range,
        outcome: Outcome,
    ) -> Iterable[_Wanted]:
        wanted: dict[tuple[int, bytes], _Wanted] = {}
        for place in places:
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            try:
                self._want(wanted, place, values[place], self._context(contexts, place), request)
            except ItemError as error:
                outcome.fail(place, error)
        return wanted.values()

    async def detokenise(
        self, store: TokenStore, tokens: Sequence[str], contexts: Contexts
    ) -> Outcome:
        """The value of every token in the token's form, or its error.

        Raises Refusal (store_unavailable).
        """
        outcome = Outcome([None] * len(tokens))
        for places in _pieces(len(tokens)):
            await self._detokenise(store, tokens, contexts, places, outcome)
        return outcome

    async def _detokenise(
        self,
        store: TokenStore,
        tokens: Sequence[str],
        contexts: Contexts,
        places: range,
        outcome: Outcome,
    ) -> None:
        kinds: dict[int, dict[bytes, list[tuple[int, object]]]] = {}
        for at in places:
            if at % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            try:
                kind, rank, form = self.format.read_token(tokens[at])
            except ItemError as error:
                outcome.fail(at, error)
                continue
            asked = kinds.setdefault(kind, {})
            asked.setdefault(self._token(kind, rank), []).append((at, form))
        for kind, asked in kinds.items():
            found = await store.find(self.space(kind), list(asked))
            for (token_bytes, asking), entry in zip(asked.items(), found, strict=True):
                for at, form in asking:
                    if at % BREATH == BREATH - 1:
                        await asyncio.sleep(0)
                    try:
                        context = tweak(self._context(contexts, at))
                        canonical = self._seals.open(kind, token_bytes, entry, context)
                        outcome.put(at, self._written(canonical, form))
                    except ItemError as error:
                        outcome.fail(at, error)

    def index(self, canonical: str, context: str | None) -> bytes:
        """What the store finds a convergent token of a value by."""
        mac = self._index.copy()
        mac.update(framed(b"value", canonical.encode()))
        if context is not None:
            mac.update(context.encode())
            mac.update(b"\1")
        return mac.digest()[:INDEX_BYTES]

    def reseal(self, kind: int, entry: Entry) -> bytes | None:
        """The entry's value under the primary key version; None where it is already.

        Raises NotAToken where the entry does not open: damaged, moved, or its key is gone.
        """
        header = Header.read(entry.sealed)
        version = self._seals.version
        if header.version == version:
            return None
        canonical = self._seals.open(kind, entry.token, entry, header.context)
        nonce = os.urandom(NONCE_BYTES)
        return self._seals.seal(
            kind, entry.token, version, canonical, header.created, header.context, nonce
        )

    def canonical(self, kind: int, entry: Entry) -> str | None:
        """The value of an entry, whatever its context; None where it does not open: damaged,
        moved, or its key is gone."""
        try:
            return self._seals.open(kind, entry.token, entry, Header.read(entry.sealed).context)
        except NotAToken:
            return None

    def _kind(self, place: Place) -> int:
        """That of a value's token."""
        return self.format.vaulted_kinds.get(place.kind, place.kind)

    def _context(self, contexts: Contexts, at: int) -> str | None:
        context = context_at(contexts, at)
        if context is None and self._context_required:
            raise ContextRequired(NEEDS_CONTEXT)
        return context

    def _want(
        self,
        wanted: dict[tuple[int, bytes], _Wanted],
        at: int,
        value: str,
        context: str | None,
        request: Request | None,
    ) -> None:
        place, canonical = self.format.read_whole(value)
        kind = self._kind(place)
        if self.convergent:
            index = self.index(canonical, context)
        elif request is not None:
            index = self._fresh(request, at)
        else:
            index = os.urandom(INDEX_BYTES)
        one = wanted.get((kind, index))  # a value may be written in forms of two kinds
        if one is None:
            one = _Wanted(index, canonical, tweak(context), kind, [])
            wanted[kind, index] = one
        one.places.append((at, place.form))

    def _fresh(self, request: Request, at: int) -> bytes:
        mac = self._index.copy()
        who = (request.principal.encode(), request.request_id.encode(), request.fingerprint)
        mac.update(framed(b"request", *who, str(at).encode()))
        return mac.digest()[:INDEX_BYTES]

    async def _create(
        self, store: TokenStore, kind: int, wanted: list[_Wanted], outcome: Outcome
    ) -> None:
        most, version = self._most(kind), self._seals.usable_version()
        for _ in range(DRAWS):
            entries = await self._entries(kind, wanted, version)
            taken = await store.create(self.space(kind), entries, most, version)
            again = []
            for one, token_bytes in zip(wanted, taken, strict=True):
                if token_bytes is None:
                    again.append(one)
                elif token_bytes is FULL:
                    _fail(outcome, one)
                elif token_bytes is OLD:
                    raise Refusal("keys_unavailable", OLD_KEYS)
                else:
                    rank = int.from_bytes(token_bytes)
                    for at, form in one.places:
                        outcome.put(at, self.format.write_token(Place(kind, rank, form)))
            wanted = again
            if not wanted:
                return
        for one in wanted:
            _fail(outcome, one)

    async def _entries(self, kind: int, wanted: list[_Wanted], version: int) -> list[Entry]:
        """A token for each, anywhere in the room but for its last six bits, which are those of
        the index; and the value sealed. One asking for randomness serves all."""
        parts, width = self.format.domain(kind).room // PARTITIONS, self._width(kind)
        size = (parts.bit_length() + 7) // 8 + SPARE_BYTES
        chance = os.urandom(len(wanted) * (size + NONCE_BYTES))
        created = Header.today(time.time())
        entries = []
        for number, one in enumerate(wanted):
            if number % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            at = number * (size + NONCE_BYTES)
            nonce = chance[at + size : at + size + NONCE_BYTES]
            drawn = int.from_bytes(chance[at : at + size]) % parts
            token = (drawn * PARTITIONS + partition_of(one.index)).to_bytes(width)
            sealed = self._seals.seal(
                kind, token, version, one.canonical, created, one.context, nonce
            )
            entries.append(Entry(token, one.index, sealed))
        return entries

    def _most(self, kind: int) -> int:
        """How many tokens a partition may hold."""
        return int(self.format.domain(kind).room // PARTITIONS * self._max_fill)

    def _token(self, kind: int, rank: int) -> bytes:
        return rank.to_bytes(self._width(kind))

    def _width(self, kind: int) -> int:
        """Bytes of each token of a kind."""
        return max(2, ((self.format.domain(kind).room - 1).bit_length() + 7) // 8)

    def _written(self, canonical: str, form: object) -> str:
        try:
            place = self.format.read_value(canonical)
        except InvalidValue:
            words = "the value behind this token is none of the format any more"
            raise NotAToken(words) from None
        return self.format.write_value(place._replace(form=form))


def _pieces(count: int) -> Iterator[range]:
    """A round trip each: what is in memory at once is bounded, and so is a store's work."""
    for start in range(0, count, PIECE):
        yield range(start, min(start + PIECE, count))


def _fail(outcome: Outcome, one: _Wanted) -> None:
    for at, _ in one.places:
        outcome.fail(at, DomainExhausted(FULL_UP))
