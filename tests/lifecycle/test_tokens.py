"""Erased, expired, rewrapped and verified, in a real store."""

import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.tokens import NIRS, keyset, vaulted
from vault.engine.vaulted import Vaulted
from vault.errors import InvalidValue, Refusal
from vault.lifecycle import tokens as module
from vault.lifecycle.tokens import Lifecycle, nobody, sealed_under
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import Entry

DAY = 86_400.0
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteTokens]:
    opened = SqliteTokens.open(tmp_path / "tokens.db")
    yield opened
    await opened.close()


async def tokens_of(one: Vaulted, store: SqliteTokens, *context: str) -> list[str]:
    outcome = await one.tokenise(store, NIRS, *(context or (None,)))
    return [str(text) for text in outcome.texts]


async def values_of(one: Vaulted, store: SqliteTokens, tokens: list[str]) -> list[str | None]:
    return list((await one.detokenise(store, tokens, None)).texts)


async def test_erased_tokens_open_no_more_and_values_get_others(store: SqliteTokens) -> None:
    one = vaulted()
    life, tokens = Lifecycle(one, store), await tokens_of(one, store)
    asked = [tokens[0], tokens[0], NIRS[3], "no token", tokens[1]]
    assert await life.erase_tokens(asked) == [True, False, False, False, True]
    assert await values_of(one, store, tokens) == [None, None, *NIRS[2:]]
    fresh = await tokens_of(one, store)
    assert fresh[2:] == tokens[2:]
    assert not {*fresh[:2]} & {*tokens}
    assert await life.count() == len(NIRS)


async def test_values_are_erased_as_they_were_tokenised(store: SqliteTokens) -> None:
    one = vaulted()
    life = Lifecycle(one, store)
    plain, bound = await tokens_of(one, store), await tokens_of(one, store, "a")
    spaced = f"{NIRS[0][:13]} {NIRS[0][13:]}"
    assert await life.erase_values([spaced, NIRS[0]], None) == [True, False]
    assert await life.erase_values([NIRS[1]], "a") == [True]
    assert await values_of(one, store, plain) == [None, *NIRS[1:]]
    back = await one.detokenise(store, bound, "a")
    assert back.texts == [NIRS[0], None, *NIRS[2:]]
    with pytest.raises(InvalidValue):
        await life.erase_values(["1"], None)


@pytest.mark.parametrize("convergent", [True, False])
async def test_values_are_found_under_every_context(store: SqliteTokens, convergent: bool) -> None:
    one = vaulted(convergent=convergent)
    life = Lifecycle(one, store)
    for context in ("a", "b", "c"):
        await tokens_of(one, store, context)
    assert await life.erase_everywhere(NIRS[:2], nobody) == 6
    assert await life.count() == 3 * (len(NIRS) - 2)
    assert await life.erase_everywhere(NIRS[:2], nobody) == 0


async def test_what_is_old_expires(store: SqliteTokens) -> None:
    one = vaulted()
    life = Lifecycle(one, store)
    await tokens_of(one, store)
    assert await life.expire(time.time() - DAY, nobody) == 0
    assert await life.expire(time.time() + 3 * DAY, nobody) == len(NIRS)
    assert await life.count() == 0


async def test_values_are_rewrapped_once(store: SqliteTokens) -> None:
    keys = keyset()
    before = vaulted(keys)
    tokens = await tokens_of(before, store)
    rotated = keys.rotate(NOW)
    life = Lifecycle(vaulted(rotated), store)
    (space,) = await life.stats(versions=True)
    assert space.versions == {1: len(NIRS)}
    assert await life.rewrap(nobody) == {"rewrapped": len(NIRS)}
    assert not await life.rewrap(nobody)
    (space,) = await life.stats(versions=True)
    assert space.versions == {2: len(NIRS)}
    assert space.tokens == len(NIRS)
    after = vaulted(rotated.disable(1).destroy(1))
    assert await values_of(after, store, tokens) == NIRS


async def test_who_does_not_know_the_newest_version_seals_nothing_after_a_rewrap(
    store: SqliteTokens,
) -> None:
    """A process that missed the reload would seal under a version that is then destroyed."""
    keys = keyset()
    late = vaulted(keys)
    known = await late.tokenise(store, NIRS[:3], None)
    await Lifecycle(vaulted(keys.rotate(NOW)), store).rewrap(nobody)
    with pytest.raises(Refusal, match="which this process does not know") as info:
        await late.tokenise(store, NIRS, None)
    assert info.value.code == "keys_unavailable"
    again = await late.tokenise(store, NIRS[:3], None)
    assert again.texts == known.texts  # nothing is sealed for those


async def test_values_are_counted_by_key_version_and_none_comes_after(
    store: SqliteTokens,
) -> None:
    keys = keyset()
    first, gone = vaulted(keys), vaulted(keys, name="gone")
    tokens = await tokens_of(first, store)
    await tokens_of(gone, store)
    await Lifecycle(first, store).erase_tokens(tokens[:1])
    count = len(NIRS)
    assert await sealed_under(store, 1, nobody) == {"t": count - 1, "gone": count}
    with pytest.raises(Refusal, match="which this process does not know"):
        await first.tokenise(store, NIRS, None)
    assert await sealed_under(store, 2, nobody) == {}


async def test_many_are_erased_page_by_page(
    store: SqliteTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 10)
    one = vaulted()
    life, tokens = Lifecycle(one, store), await tokens_of(one, store)
    sizes: list[int] = []
    for name in ("erase", "find_index"):
        ask = getattr(store, name)

        async def counted(space: str, items: Sequence[bytes], ask: Any = ask) -> Any:
            sizes.append(len(items))
            return await ask(space, items)

        monkeypatch.setattr(store, name, counted)
    asked = ["no token", *tokens[:13], tokens[0]]
    assert await life.erase_tokens(asked) == [False, *[True] * 13, False]
    assert sizes == [10, 4]
    sizes.clear()
    assert await life.erase_values(NIRS, None) == [False] * 13 + [True] * (len(NIRS) - 13)
    assert sizes == [10, 10, len(NIRS) - 20, 10, len(NIRS) - 23]


async def test_a_rewrap_that_goes_on_tells_what_it_changes(store: SqliteTokens) -> None:
    keys = keyset()
    await tokens_of(vaulted(keys), store)
    after = vaulted(keys.rotate(NOW))
    told: list[tuple[int, int]] = []

    async def hear(gone: int, changed: int = 0) -> None:
        told.append((gone, changed))

    for changed in (len(NIRS), 0):
        await Lifecycle(after, store).rewrap(hear)
        assert tuple(map(sum, zip(*told, strict=True))) == (len(NIRS), changed)
        told.clear()


async def test_erased_tokens_are_counted_as_taken(store: SqliteTokens) -> None:
    one = vaulted()
    life, tokens = Lifecycle(one, store), await tokens_of(one, store)
    await life.erase_tokens(tokens[:5])
    (space,) = await life.stats(versions=False)
    assert (space.tokens, space.taken) == (len(NIRS) - 5, len(NIRS))


async def test_what_does_not_open_is_left_and_counted(store: SqliteTokens) -> None:
    keys = keyset()
    await tokens_of(vaulted(keys), store)
    life = Lifecycle(vaulted(keys.rotate(NOW).disable(1)), store)
    assert await life.rewrap(nobody) == {"failed": len(NIRS)}
    found = await life.verify(nobody)
    assert (found.tokens, found.unopened, found.clean) == (len(NIRS), len(NIRS), False)


async def test_verify_finds_each_kind_of_damage(store: SqliteTokens) -> None:
    one = vaulted()
    life, tokens = Lifecycle(one, store), await tokens_of(one, store)
    await life.erase_tokens(tokens[:1])
    found = await life.verify(nobody)
    assert found.clean
    assert (found.tokens, found.erased) == (len(NIRS) - 1, 1)
    kind, place = one.place(tokens[1]) or (0, b"")
    (entry,) = await store.find(one.space(kind), [place])
    assert entry is not None
    swapped = bytearray(entry.sealed)
    swapped[-1] ^= 1
    await store.replace(one.space(kind), [(place, entry.sealed, bytes(swapped))])
    found = await life.verify(nobody)
    assert (found.unopened, found.without_index, found.without_token) == (1, 0, 0)


async def test_entries_are_all_there_with_the_erased_ones(store: SqliteTokens) -> None:
    one = vaulted()
    life, tokens = Lifecycle(one, store), await tokens_of(one, store)
    await life.erase_tokens(tokens[:2])
    found: list[Entry] = [entry async for _, entry in life.entries()]
    assert len(found) == len(NIRS)
    assert [entry.index for entry in found].count(b"") == 2
