"""Vaulted tokens in SQLite keep the contract, and come back from what happens to their file."""

# ruff: noqa: ASYNC240 - a test may keep its own loop waiting for the disk

import asyncio
import fcntl
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from tests.store.tokens_contract import (
    PLENTY,
    OpenTokens,
    TokensContract,
    check_whole,
    entry,
)
from tests.store.tokens_model import Prepared, machine
from vault.config import StoreSettings
from vault.errors import Refusal, SetUpError
from vault.store import open_tokens, turn
from vault.store.sqlite import SqliteStore
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import TokenStore


class TestSqlite(TokensContract):
    @pytest.fixture
    def open_another(self, tmp_path: Path) -> OpenTokens:
        async def open_it() -> TokenStore:
            return SqliteTokens.open(tmp_path / "jeton.tokens.db")

        return open_it


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jeton.tokens.db"


async def refused(store: SqliteTokens) -> str:
    with pytest.raises(Refusal) as info:
        await store.create("space", [entry()], PLENTY)
    assert (info.value.code, info.value.retry_after) == ("store_unavailable", 1)
    return info.value.detail


# Opening


async def test_the_file_lies_beside_the_store(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    store = await open_tokens(StoreSettings(url="sqlite:data/some.db"), tmp_path)
    await store.close()
    assert (tmp_path / "data" / "some.tokens.db").exists()


async def test_all_files_are_the_owners_alone(path: Path) -> None:
    path.touch(0o644)
    store = SqliteTokens.open(path)
    await store.create("space", [entry()], PLENTY)
    files = sorted(path.parent.iterdir())
    assert [file.name[len(path.name) :] for file in files] == ["", "-shm", "-wal", ".lock", ".mark"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await store.close()


def test_what_cannot_be_used_is_refused_with_advice(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(SetUpError, match=r"SQLITE_NOTADB.*no vaulted token can be opened"):
        SqliteTokens.open(path)
    with pytest.raises(SetUpError, match="ENOENT"):
        SqliteTokens.open(path.parent / "missing" / "jeton.tokens.db")
    asyncio.run(SqliteStore.open(path.with_name("jeton.db")).close())
    with closing(sqlite3.connect(path.with_name("jeton.db"))) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(SetUpError, match="schema 7, not 2"):
        SqliteTokens.open(path.with_name("jeton.db"))


# What happens to the file


async def test_a_file_taken_away_is_missed_and_taken_up_again(path: Path) -> None:
    store, first, second = SqliteTokens.open(path), entry(), entry()
    await store.create("space", [first], PLENTY)
    away = path.rename(path.with_suffix(".away"))
    assert "ENOENT" in await refused(store)
    with pytest.raises(Refusal, match="ENOENT"):
        await store.check()
    assert not path.exists(), "an empty file would open no token"
    away.rename(path)
    assert await store.create("space", [second], PLENTY) == [second.token]
    assert await store.find("space", [first.token]) == [first]
    await store.close()


async def test_another_file_is_not_served_from(path: Path) -> None:
    """A copy may be older: tokens that were given since would be missing."""
    store = SqliteTokens.open(path)
    await store.create("space", [entry()], PLENTY)
    copy = shutil.copy(path, path.with_suffix(".copy"))
    Path(copy).rename(path)
    assert "restart the service" in await refused(store)
    with pytest.raises(Refusal, match="restart the service"):
        await store.find("space", [entry().token])
    await store.close()


async def test_an_older_file_is_noticed_at_the_next_start(path: Path) -> None:
    """Erased values would open again, and tokens that were given since would open to nothing."""
    mark = path.with_name(f"{path.name}.mark")
    one, other = SqliteTokens.open(path), SqliteTokens.open(path)
    await one.create("space", [entry()], PLENTY)
    await one.close()
    copy = shutil.copy(path, path.with_suffix(".copy"))
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(copy)) as to:
        connection.backup(to)
    await other.create("space", [entry()], PLENTY)
    await other.close()
    await SqliteTokens.open(path).close()
    newest = path.rename(path.with_suffix(".newest"))
    for older in (copy, None):
        if older is not None:
            Path(older).rename(path)
        with pytest.raises(SetUpError, match=rf"is older than .* delete {mark.name}"):
            SqliteTokens.open(path)
        path.unlink()
    newest.rename(path)
    again = SqliteTokens.open(path)
    assert (await again.count("space")).tokens == 2
    await again.close()
    path.unlink()
    mark.unlink()
    await SqliteTokens.open(path).close()


async def test_a_full_disk_and_room_again(path: Path) -> None:
    store, first = SqliteTokens.open(path), entry()
    await store.create("space", [first], PLENTY)
    connection = store._written.connected()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    entries = [entry() for _ in range(2_000)]
    with pytest.raises(Refusal, match="SQLITE_FULL"):
        await store.create("space", entries, PLENTY)
    assert await check_whole(store, "space") == {first.token: first}
    assert None not in await store.create("space", entries, PLENTY)
    await store.close()


async def test_others_who_keep_it_locked_keep_neither_readers_nor_the_loop(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "PATIENCE", 0.2)
    store, first = SqliteTokens.open(path), entry()
    await store.create("space", [first], PLENTY)
    with path.with_name(f"{path.name}.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = asyncio.create_task(refused(store))
        assert await store.find("space", [first.token]) == [first]
        assert not waiting.done()
        assert "other processes keep it locked" in await waiting
    assert None not in await store.create("space", [entry()], PLENTY)
    await store.close()


# The model


def prepare() -> Prepared:
    folder = TemporaryDirectory()

    async def opened() -> TokenStore:
        return SqliteTokens.open(Path(folder.name) / "jeton.tokens.db")

    return [opened, opened], "space", folder.cleanup


TestModel = machine(prepare).TestCase
TestModel.settings = settings(
    max_examples=max(10, settings.default.max_examples // 5), stateful_step_count=25
)
