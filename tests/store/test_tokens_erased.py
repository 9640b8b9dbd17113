"""What was erased is in no file of the store any more."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.store.tokens_contract import PLENTY, check_whole, entry
from tests.support.redis import Redis
from tests.support.redis_deployments import Replicated, running
from vault.errors import Refusal
from vault.store import open_tokens
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import Entry, TokenStore


def found(folder: Path, entries: Iterable[Entry]) -> list[int]:
    """Which entries have their index or their sealed bytes in a file."""
    texts = [file.read_bytes() for file in folder.iterdir()]
    return [
        number
        for number, one in enumerate(entries)
        if any(one.index in text or one.sealed in text for text in texts)
    ]


async def filled(store: TokenStore) -> tuple[list[Entry], list[Entry]]:
    """Entries that stand, and others that were erased or sealed anew since."""
    entries = [entry(n % 8) for n in range(1_200)]
    await store.create("space", entries, PLENTY)
    stays, goes, changed = entries[::3], entries[1::3], entries[2::3]
    new = [entry() for _ in changed]
    changes = [(old.token, old.sealed, one.sealed) for old, one in zip(changed, new, strict=True)]
    assert all(await store.replace("space", changes))
    assert all(await store.erase("space", [one.token for one in [*goes, *changed]]))
    return stays, [*goes, *changed, *new]


async def test_gone_from_the_file_of_sqlite(tmp_path: Path) -> None:
    """With another process on the file, and its log beside it."""
    store, other = (SqliteTokens.open(tmp_path / "tokens.db") for _ in range(2))
    stays, gone = await filled(store)
    await other.count("space")
    assert found(tmp_path, gone), "the log still has it: else there is nothing to test"
    await store.compact()
    assert found(tmp_path, gone) == []
    assert len(found(tmp_path, stays)) == len(stays)
    assert await check_whole(other, "space") == {one.token: one for one in stays}
    await store.close()
    await other.close()


async def test_a_reader_in_the_way_is_waited_for_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.store.sqlite_tokens.COMPACT_SECONDS", 0.1)
    store = SqliteTokens.open(tmp_path / "tokens.db")
    _, gone = await filled(store)
    reader = store._read.connected()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM tokens").fetchone()
    with pytest.raises(Refusal, match="locked"):
        await store.compact()
    reader.execute("COMMIT")
    await store.compact()
    assert found(tmp_path, gone) == []
    await store.close()


@pytest.mark.slow
async def test_gone_from_the_append_only_file_of_redis(tmp_path: Path) -> None:
    with running(Redis(tmp_path / "redis")) as server:
        store = await open_tokens(server.settings(), Path())
        stays, gone = await filled(store)
        folder = server.folder / "appendonlydir"
        assert found(folder, gone), "its log still has it: else there is nothing to test"
        await store.compact()
        assert found(folder, gone) == []
        assert len(found(folder, stays)) == len(stays)
        assert await check_whole(store, "space") == {one.token: one for one in stays}
        await store.close()


@pytest.mark.slow
async def test_the_primarys_file_under_sentinels(redis_replicated: Replicated) -> None:
    redis_replicated.primary.ask("FLUSHALL")
    store = await open_tokens(redis_replicated.settings(), Path())
    _, gone = await filled(store)
    await store.compact()
    folder = redis_replicated.primary.folder / "appendonlydir"
    assert found(folder, gone) == []
    await store.close()
