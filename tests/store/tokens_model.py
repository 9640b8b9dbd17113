"""A store of vaulted tokens beside a naive model: the two agree, move by move.

The world is small (a few tokens and indexes in two partitions), so that everything meets.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.store.tokens_contract import OpenTokens, scanned, scanned_index
from vault.store.tokens import FULL, Count, Entry, TokenStore, partition_of

TOKENS = [bytes([high, low]) for high in range(3) for low in (0, 65)]
INDEXES = [bytes([high]) * 15 + bytes([low]) for high in range(3) for low in (128, 1)]
SEALED = [b"", b"one", b"another"]

ENTRIES = st.builds(
    Entry, st.sampled_from(TOKENS), st.sampled_from(INDEXES), st.sampled_from(SEALED)
).filter(lambda entry: partition_of(entry.token) == partition_of(entry.index))
Prepared = tuple[Sequence[OpenTokens], str, Callable[[], None]]


@dataclass
class Model:
    """`standing`: every token that is taken, with None for an erased one."""

    standing: dict[bytes, Entry | None]

    def create(self, entry: Entry, most: int) -> bytes | None:
        known = self.find_index(entry.index)
        if known is not None:
            return known
        partition = partition_of(entry.token)
        if sum(partition_of(token) == partition for token in self.standing) >= most:
            return FULL
        if entry.token in self.standing:
            return None
        self.standing[entry.token] = entry
        return entry.token

    def find_index(self, index: bytes) -> bytes | None:
        return next(
            (one.token for one in self.standing.values() if one and one.index == index), None
        )

    def replace(self, token: bytes, old: bytes, new: bytes) -> bool:
        one = self.standing.get(token)
        if one is None or one.sealed != old:
            return False
        self.standing[token] = Entry(token, one.index, new)
        return True

    def erase(self, token: bytes) -> bool:
        there = self.standing.get(token) is not None
        self.standing[token] = None
        return there


class TokensMachine(RuleBasedStateMachine):
    """`prepared`: two openings of one store, a space that nothing is in, a clean-up."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        opens, self.space, self.clean_up = prepared
        self.runner = asyncio.Runner()
        self.stores: list[TokenStore] = [self.runner.run(opened()) for opened in opens]
        self.model = Model({})

    @rule(entries=st.lists(ENTRIES, max_size=6), most=st.integers(1, 4), which=st.integers(0, 1))
    def create(self, entries: list[Entry], most: int, which: int) -> None:
        answers = self.runner.run(self.stores[which].create(self.space, entries, most))
        expected = [self.model.create(entry, most) for entry in entries]
        assert answers == expected
        assert [one is FULL for one in answers] == [one is FULL for one in expected]

    @rule(
        changes=st.lists(
            st.tuples(st.sampled_from(TOKENS), st.sampled_from(SEALED), st.sampled_from(SEALED)),
            max_size=4,
        )
    )
    def replace(self, changes: list[tuple[bytes, bytes, bytes]]) -> None:
        answers = self.runner.run(self.stores[0].replace(self.space, changes))
        assert answers == [self.model.replace(*change) for change in changes]

    @rule(tokens=st.lists(st.sampled_from(TOKENS), max_size=4))
    def erase(self, tokens: list[bytes]) -> None:
        answers = self.runner.run(self.stores[1].erase(self.space, tokens))
        assert answers == [self.model.erase(token) for token in tokens]

    @rule(most=st.integers(1, 9))
    def scan(self, most: int) -> None:
        found = self.runner.run(scanned(self.stores[0], self.space, most))
        assert {one.token: one if one.index else None for one in found} == self.model.standing
        indexes = dict(self.runner.run(scanned_index(self.stores[1], self.space, most)))
        assert indexes == {one.index: one.token for one in self.model.standing.values() if one}

    @invariant()
    def all_is_found(self) -> None:
        store, standing = self.stores[0], self.model.standing
        found = self.runner.run(store.find(self.space, TOKENS))
        assert found == [standing.get(token) for token in TOKENS]
        indexes = self.runner.run(store.find_index(self.space, INDEXES))
        assert indexes == [self.model.find_index(index) for index in INDEXES]
        live = sum(one is not None for one in standing.values())
        assert self.runner.run(store.count(self.space)) == Count(live, len(standing))

    def teardown(self) -> None:
        for store in self.stores:
            self.runner.run(store.close())
        self.runner.close()
        self.clean_up()


def machine(prepare: Callable[[], Prepared]) -> type[RuleBasedStateMachine]:
    class OfStore(TokensMachine):
        def __init__(self) -> None:
            super().__init__(prepare())

    return OfStore
