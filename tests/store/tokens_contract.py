"""What every store of vaulted tokens must do: one suite, run against each implementation.

A test class of the implementation inherits `TokensContract` and gives the fixture
`open_another`: it opens the same store once more, as another process would. Every test has a
space of its own, so that one server serves them all.
"""

import asyncio
import os
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from vault.store.tokens import FULL, OLD, PARTITIONS, Count, Entry, TokenStore, partition_of

OpenTokens = Callable[[], Awaitable[TokenStore]]
PLENTY = 10**6
SOME = (0, 1, 7, 19, 42, 63)
"""Partitions for what may lie anywhere: on all nodes of a cluster, and few, for scans cost."""


def entry(partition: int | None = None, *, width: int = 5, sealed: int = 48) -> Entry:
    """A new one of random bytes, in some partition or the one that is wanted."""
    token, index = os.urandom(width), os.urandom(16)
    low = random.choice(SOME) if partition is None else partition
    token = token[:-1] + bytes([token[-1] & ~(PARTITIONS - 1) | low])
    return Entry(token, index[:-1] + bytes([low]), os.urandom(sealed))


def under(old: Entry, token: bytes) -> Entry:
    """The same under another token of the partition."""
    return replace(old, token=token)


async def scanned(store: TokenStore, space: str, most: int = 7) -> list[Entry]:
    found: list[Entry] = []
    after = b""
    while True:
        page, after = await store.scan(space, after, most)
        found += page
        if not after:
            return found


async def scanned_index(store: TokenStore, space: str, most: int = 7) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    after = b""
    while True:
        page, after = await store.scan_index(space, after, most)
        found += page
        if not after:
            return found


async def check_whole(store: TokenStore, space: str) -> dict[bytes, Entry]:
    """Both directions agree with each other and with the count; returns what stands."""
    everything = await scanned(store, space, 1_000)
    live = {one.token: one for one in everything if one.index}
    assert len(everything) == len({one.token for one in everything}), "a token twice"
    indexes = await scanned_index(store, space, 1_000)
    assert len(indexes) == len(dict(indexes)), "an index twice"
    back = {one.index: token for token, one in live.items()}
    alone = len(back.items() - dict(indexes).items()), len(dict(indexes).items() - back.items())
    assert alone == (0, 0), f"{alone} tokens and indexes do not lead to each other"
    assert (await store.count(space)).tokens == len(live)
    return live


class TokensContract:
    large = 12_000
    """Tokens of a batch that is more than one piece."""

    @pytest.fixture
    async def store(self, open_another: OpenTokens) -> AsyncIterator[TokenStore]:
        opened = await open_another()
        yield opened
        await opened.close()

    @pytest.fixture
    def space(self) -> str:
        return f"space-{uuid.uuid4().hex[:8]}.0"

    async def test_a_store_that_is_there_has_nothing_to_say(self, store: TokenStore) -> None:
        await store.check()

    # Creating and finding

    async def test_what_is_kept_is_found_both_ways(self, store: TokenStore, space: str) -> None:
        entries = [entry(n % 16 * 4 + 1) for n in range(300)]
        tokens = [one.token for one in entries]
        assert await store.create(space, entries, PLENTY) == tokens
        assert await store.find(space, tokens) == entries
        assert await store.find_index(space, [one.index for one in entries]) == tokens
        assert await check_whole(store, space) == {one.token: one for one in entries}

    async def test_answers_keep_length_and_order(self, store: TokenStore, space: str) -> None:
        for call in (store.find, store.find_index, store.erase, store.replace):
            assert await call(space, []) == []
        assert await store.create(space, [], PLENTY) == []
        known, unknown = entry(3), entry(3)
        await store.create(space, [known], PLENTY)
        asked = [unknown.token, known.token, unknown.token, known.token]
        assert await store.find(space, asked) == [None, known, None, known]
        indexes = [known.index, unknown.index, known.index]
        assert await store.find_index(space, indexes) == [known.token, None, known.token]

    async def test_an_index_keeps_its_token(self, store: TokenStore, space: str) -> None:
        first = entry(9)
        second = replace(entry(9), index=first.index)
        assert await store.create(space, [first], PLENTY) == [first.token]
        assert await store.create(space, [second], PLENTY) == [first.token]
        assert await store.find(space, [first.token, second.token]) == [first, None]

    async def test_a_taken_token_is_never_overwritten(self, store: TokenStore, space: str) -> None:
        first, other = entry(9), entry(9)
        await store.create(space, [first], PLENTY)
        assert await store.create(space, [under(other, first.token)], PLENTY) == [None]
        assert await store.find(space, [first.token]) == [first]
        assert await store.find_index(space, [other.index]) == [None]
        assert (await store.count(space)).tokens == 1

    async def test_entries_of_one_call_see_those_before(
        self, store: TokenStore, space: str
    ) -> None:
        first, second = entry(5), entry(5)
        again = replace(entry(5), index=first.index)
        asked = [first, again, under(second, first.token), second, first]
        answers = await store.create(space, asked, PLENTY)
        assert answers == [first.token, first.token, None, second.token, first.token]
        assert await check_whole(store, space) == {first.token: first, second.token: second}

    @pytest.mark.parametrize(("width", "sealed"), [(2, 0), (2, 29), (4, 64), (16, 1_024)])
    async def test_any_width_and_any_bytes(
        self, store: TokenStore, space: str, width: int, sealed: int
    ) -> None:
        entries = [entry(n % 3, width=width, sealed=sealed) for n in range(60)]
        special = entry(0, width=width)
        special = replace(special, token=bytes(width), sealed=b"\r\n\0" * (sealed // 3))
        entries = list({one.token: one for one in [*entries, special]}.values())
        assert await store.create(space, entries, PLENTY) == [one.token for one in entries]
        assert await store.find(space, [one.token for one in entries]) == entries
        assert await check_whole(store, space) == {one.token: one for one in entries}

    async def test_tokens_that_look_like_numbers_or_words(
        self, store: TokenStore, space: str
    ) -> None:
        tokens = [b"full@", b"12345", b"00012", b"-1234", b"\xff\xff\xff\xff\xff", b"nil  "]
        entries = [under(entry(partition_of(token)), token) for token in tokens]
        answers = await store.create(space, entries, PLENTY)
        assert answers == tokens
        assert not any(answer is FULL for answer in answers)
        four = under(entry(partition_of(b"full")), b"full")
        [answer] = await store.create(f"{space}4", [four], PLENTY)
        assert answer == b"full"
        assert answer is not FULL
        assert await store.find(space, tokens) == entries

    async def test_spaces_are_apart(self, store: TokenStore, space: str) -> None:
        one = entry()
        other = replace(one, sealed=b"another")
        assert await store.create(space, [one], PLENTY) == [one.token]
        assert await store.create(f"{space}0", [other], PLENTY) == [one.token]
        assert await store.find(f"{space}0", [one.token]) == [other]
        assert await store.erase(f"{space}0", [one.token]) == [True]
        assert await store.find(space, [one.token]) == [one]
        assert (await store.count(space)).tokens == 1
        assert await scanned(store, f"{space}00") == []
        assert await store.find(f"{space}00", [one.token]) == [None]

    async def test_a_large_batch(self, store: TokenStore, space: str) -> None:
        entries = [entry(n % PARTITIONS) for n in range(self.large)]
        tokens = [one.token for one in entries]
        assert await store.create(space, entries, PLENTY) == tokens
        assert await store.create(space, entries, PLENTY) == tokens
        assert await store.find(space, tokens) == entries
        assert all(await store.replace(space, [(e.token, e.sealed, b"new") for e in entries]))
        assert (await store.count(space)).tokens == self.large
        assert all(await store.erase(space, tokens))
        assert (await store.count(space)).tokens == 0

    # Full partitions

    async def test_a_full_partition_takes_no_new_index(self, store: TokenStore, space: str) -> None:
        entries = [entry(7) for _ in range(5)]
        answers = await store.create(space, entries, 3)
        assert answers[:3] == [one.token for one in entries[:3]]
        assert all(answer is FULL for answer in answers[3:])
        [known, taken, elsewhere] = await store.create(
            space, [entries[0], under(entries[4], entries[0].token), entry(8)], 3
        )
        assert known == entries[0].token
        assert taken is FULL
        assert isinstance(elsewhere, bytes)
        assert (await store.count(space)).tokens == 4
        [room] = await store.create(space, [entries[3]], 4)
        assert room == entries[3].token

    async def test_erased_tokens_take_up_room(self, store: TokenStore, space: str) -> None:
        entries = [entry(7) for _ in range(3)]
        await store.create(space, entries[:2], 2)
        await store.erase(space, [entries[0].token])
        [answer] = await store.create(space, entries[2:], 2)
        assert answer is FULL
        assert await store.count(space) == Count(tokens=1, taken=2)

    async def test_a_version_that_is_retired_seals_nothing_more(
        self, store: TokenStore, space: str
    ) -> None:
        known, late, unasked, newer = (entry(n) for n in (4, 5, 6, 7))
        assert await store.create(space, [known], PLENTY, 1) == [known.token]
        await store.retire(space, 2)
        await store.retire(space, 1)  # it is not unlearned
        again = replace(entry(4), index=known.index)
        [kept, old, taken] = await store.create(
            space, [again, late, under(entry(4), known.token)], PLENTY, 1
        )
        assert kept == known.token
        assert old is OLD
        assert taken is OLD
        assert await store.find(space, [late.token]) == [None]
        assert await store.create(space, [unasked], PLENTY) == [unasked.token]
        assert await store.create(space, [newer], PLENTY, 2) == [newer.token]
        assert await store.create(f"{space}0", [late], PLENTY, 1) == [late.token]
        assert await check_whole(store, space) == {
            one.token: one for one in (known, unasked, newer)
        }

    async def test_all_spaces_that_hold_anything_are_named(
        self, store: TokenStore, space: str
    ) -> None:
        before = set(await store.spaces())
        await store.retire(f"{space}3", 1)
        for name in (f"{space}1", space):
            await store.create(name, [entry(2), entry(40)], PLENTY)
        await store.erase(f"{space}2", [entry(2).token])
        found = await store.spaces()
        assert found == sorted(found)
        assert set(found) - before == {space, f"{space}1", f"{space}2"}

    # Changing

    async def test_replace_only_where_the_old_stands(self, store: TokenStore, space: str) -> None:
        one, gone, unknown = entry(), entry(), entry()
        await store.create(space, [one, gone], PLENTY)
        await store.erase(space, [gone.token])
        new = os.urandom(48)
        answers = await store.replace(
            space,
            [
                (one.token, b"another", b"x"),
                (one.token, one.sealed, new),
                (one.token, one.sealed, b"x"),
                (gone.token, gone.sealed, b"x"),
                (gone.token, b"", b"x"),
                (unknown.token, unknown.sealed, b"x"),
                (unknown.token, b"", b"x"),
                (one.token, new, one.sealed),
                (one.token, one.sealed, new),
            ],
        )
        assert answers == [False, True, False, False, False, False, False, True, True]
        assert await store.find(space, [one.token, gone.token, unknown.token]) == [
            replace(one, sealed=new),
            None,
            None,
        ]
        assert await store.find_index(space, [one.index]) == [one.token]

    async def test_erase_takes_out_both_directions(self, store: TokenStore, space: str) -> None:
        one, stays, unknown = entry(), entry(), entry()
        await store.create(space, [one, stays], PLENTY)
        asked = [one.token, unknown.token, one.token]
        assert await store.erase(space, asked) == [True, False, False]
        assert await store.find(space, [one.token, stays.token]) == [None, stays]
        assert await store.find_index(space, [one.index, stays.index]) == [None, stays.token]
        assert (await store.count(space)).tokens == 1
        assert await check_whole(store, space) == {stays.token: stays}

    async def test_an_erased_token_stays_taken(self, store: TokenStore, space: str) -> None:
        one, other, never_there = entry(2), entry(2), entry(2)
        await store.create(space, [one], PLENTY)
        await store.erase(space, [one.token, never_there.token])
        refused = [one, under(other, one.token), never_there]
        assert await store.create(space, refused, PLENTY) == [None] * 3
        bare = {found.token: found for found in await scanned(store, space)}
        assert bare == {token: Entry(token, b"", b"") for token in (one.token, never_there.token)}
        again = under(one, other.token)
        assert await store.create(space, [again], PLENTY) == [other.token]
        assert await check_whole(store, space) == {other.token: again}

    async def test_compacting_keeps_what_stands(self, store: TokenStore, space: str) -> None:
        entries = [entry() for _ in range(50)]
        await store.create(space, entries, PLENTY)
        await store.erase(space, [one.token for one in entries[:25]])
        await store.compact()
        assert await check_whole(store, space) == {one.token: one for one in entries[25:]}

    # Scanning

    @pytest.mark.parametrize("most", [1, 10, 10_000])
    async def test_a_scan_is_complete_and_its_pages_are_bounded(
        self, store: TokenStore, space: str, most: int
    ) -> None:
        entries = [entry(n % 3) for n in range(150)]
        await store.create(space, entries, PLENTY)
        assert {one.token for one in await scanned(store, space, most)} == {
            one.token for one in entries
        }
        assert dict(await scanned_index(store, space, most)) == {
            one.index: one.token for one in entries
        }
        page, _ = await store.scan(space, b"", most)
        pairs, _ = await store.scan_index(space, b"", most)
        assert max(len(page), len(pairs)) <= most + 10

    async def test_a_scan_under_changes_finds_all_that_stands(
        self, store: TokenStore, space: str
    ) -> None:
        stay = [entry() for _ in range(400)]
        go = [entry() for _ in range(200)]
        await store.create(space, stay + go, PLENTY)
        found: set[bytes] = set()
        indexes: set[bytes] = set()
        after = after_index = b""
        while True:
            page, after = await store.scan(space, after, 40)
            found.update(one.token for one in page)
            await store.create(space, [entry() for _ in range(5)], PLENTY)
            await store.erase(space, [one.token for one in go[:5]])
            del go[:5]
            if not after:
                break
        while True:
            pairs, after_index = await store.scan_index(space, after_index, 40)
            indexes.update(index for index, _ in pairs)
            await store.create(space, [entry() for _ in range(5)], PLENTY)
            if not after_index:
                break
        assert found >= {one.token for one in stay}
        assert indexes >= {one.index for one in stay}

    # Races

    async def test_a_hundred_writers_on_one_index_get_one_token(
        self, open_another: OpenTokens, space: str
    ) -> None:
        stores = [await open_another() for _ in range(4)]
        one = entry(11)
        asked = [replace(entry(11), index=one.index) for _ in range(100)]
        answers = await asyncio.gather(
            *[stores[n % 4].create(space, [each], PLENTY) for n, each in enumerate(asked)]
        )
        [token] = {answer for [answer] in answers}
        assert token in {each.token for each in asked}
        assert await stores[0].find_index(space, [one.index]) == [token]
        assert list(await check_whole(stores[0], space)) == [token]
        for store in stores:
            await store.close()

    async def test_racing_draws_of_one_token(self, open_another: OpenTokens, space: str) -> None:
        stores = [await open_another() for _ in range(2)]
        asked = [under(entry(1), b"one\x01") for _ in range(40)]
        answers = await asyncio.gather(
            *[stores[n % 2].create(space, [each], PLENTY) for n, each in enumerate(asked)]
        )
        assert Counter(answer for [answer] in answers) == {None: 39, b"one\x01": 1}
        await asyncio.gather(*[store.close() for store in stores])

    async def test_racing_changes_of_everything(self, open_another: OpenTokens, space: str) -> None:
        """Whatever comes together, both directions agree afterwards."""
        stores = [await open_another() for _ in range(3)]
        pools = [[entry(n) for _ in range(6)] for n in range(2)]
        chance = random.Random(5)

        async def change(store: TokenStore) -> None:
            for _ in range(40):
                one, other = chance.sample(chance.choice(pools), 2)
                match chance.randrange(4):
                    case 0:
                        await store.create(space, [one, replace(other, index=one.index)], 9)
                    case 1:
                        await store.erase(space, [other.token])
                    case 2:
                        await store.replace(space, [(one.token, one.sealed, other.sealed)])
                    case 3:
                        fresh = entry(partition_of(one.index))
                        await store.create(space, [replace(fresh, index=one.index)], 30)

        await asyncio.gather(*[change(stores[n % 3]) for n in range(9)])
        await check_whole(stores[0], space)
        await asyncio.gather(*[store.close() for store in stores])
