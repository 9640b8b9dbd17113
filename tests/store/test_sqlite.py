"""The embedded store keeps the contract, and comes back from whatever happens to its file."""

# ruff: noqa: ASYNC240 - a test may keep its own loop waiting for the disk

import asyncio
import fcntl
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from tests.store.contract import HOUR, MARK, T0, OpenStore, StoreContract, charge, left, person
from tests.store.model import machine
from vault.config import StoreSettings
from vault.errors import Refusal, SetUpError
from vault.store import Store, checkpointing, open_store, turn
from vault.store.base import Charge, Limit, Verdict
from vault.store.sqlite import SqliteStore


class TestSqlite(StoreContract):
    @pytest.fixture
    def open_another(self, tmp_path: Path) -> OpenStore:
        async def opened() -> Store:
            return SqliteStore.open(tmp_path / "jeton.db")

        return opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jeton.db"


async def refused(store: SqliteStore) -> Refusal:
    with pytest.raises(Refusal) as info:
        await store.commit([charge()], MARK, T0)
    assert info.value.code == "store_unavailable"
    assert info.value.retry_after == 1
    return info.value


async def spend(store: SqliteStore, items: int = 1) -> None:
    assert await store.commit([charge(items)], MARK, T0) == [Verdict()]


# Opening


async def test_the_address_is_relative_to_the_base(tmp_path: Path) -> None:
    await (await open_store(StoreSettings("sqlite:some.db"), tmp_path)).close()
    assert (tmp_path / "some.db").exists()


@pytest.mark.parametrize("url", ["", "sqlite", "sqlite:", "http://localhost", "some.db"])
async def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SetUpError, match="sqlite:PATH"):
        await open_store(StoreSettings(url), tmp_path)


async def test_all_files_are_the_owners_alone(path: Path) -> None:
    path.touch(0o644)
    store = SqliteStore.open(path)
    await spend(store)
    files = sorted(path.parent.iterdir())
    assert [file.name[len(path.name) :] for file in files] == ["", "-shm", "-wal", ".lock"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await store.close()


def test_another_schema_is_refused(path: Path) -> None:
    asyncio.run(SqliteStore.open(path).close())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(SetUpError, match="schema 7, not 1"):
        SqliteStore.open(path)


def test_another_programs_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE claims (id)")
    with pytest.raises(SetUpError, match="name another file"):
        SqliteStore.open(path)


def test_what_is_no_database_is_refused_with_advice(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(SetUpError, match=r"SQLITE_NOTADB.*Put a backup back"):
        SqliteStore.open(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(SetUpError, match="EISDIR"):
        SqliteStore.open(path)
    with pytest.raises(SetUpError, match="ENOENT"):
        SqliteStore.open(path.parent / "missing" / "jeton.db")


async def test_a_new_file_has_an_epoch_of_its_own(tmp_path: Path) -> None:
    stores = [SqliteStore.open(tmp_path / name) for name in ("a.db", "b.db")]
    epochs = {(await store.state()).epoch for store in stores}
    assert len(epochs) == 2
    for store in stores:
        await store.close()


# Coming back


async def test_a_file_taken_away_is_missed_and_taken_up_again(path: Path) -> None:
    store = SqliteStore.open(path)
    await spend(store, 4)
    away = path.rename(path.with_suffix(".away"))
    assert "ENOENT" in (await refused(store)).detail
    assert not path.exists(), "a lost budget is no fresh one"
    away.rename(path)
    assert await left(store, HOUR, T0) == 6
    await spend(store)
    await store.close()


async def test_something_else_in_its_place(path: Path) -> None:
    store = SqliteStore.open(path)
    await spend(store, 4)
    away = path.rename(path.with_suffix(".away"))
    path.mkdir()
    await refused(store)
    path.rmdir()
    path.write_bytes(b"garbage!" * 1024)
    assert "SQLITE_NOTADB" in (await refused(store)).detail
    path.unlink()
    away.rename(path)
    assert await left(store, HOUR, T0) == 6
    await store.close()


async def test_an_older_file_is_not_served_from(path: Path) -> None:
    store = SqliteStore.open(path)
    await spend(store)
    await store.close()
    shutil.copy(path, path.with_suffix(".old"))
    store = SqliteStore.open(path)
    await spend(store)
    away = path.rename(path.with_suffix(".away"))
    path.with_suffix(".old").rename(path)
    assert "restart the service" in (await refused(store)).detail
    away.rename(path)
    assert await left(store, HOUR, T0) == 8
    await store.close()


async def test_a_fresh_file_is_not_served_from(path: Path) -> None:
    store = SqliteStore.open(path)
    await spend(store)
    path.rename(path.with_suffix(".away"))
    await refused(store)
    newcomer = SqliteStore.open(path)
    for _ in range(10):
        await spend(newcomer)
    assert "restart the service" in (await refused(store)).detail
    await store.close()
    await newcomer.close()


async def test_pages_damaged_while_serving(path: Path) -> None:
    store = SqliteStore.open(path)
    await spend(store, 4)
    await store.close()
    good = path.read_bytes()
    store = SqliteStore.open(path)
    store._file.drop()  # as after any other trouble: nothing is cached
    path.write_bytes(good[:4096] + b"\xff" * (len(good) - 4096))
    assert "SQLITE_CORRUPT" in (await refused(store)).detail
    path.write_bytes(good)
    assert await left(store, HOUR, T0) == 6
    await store.close()


async def test_counts_that_cannot_be_read(path: Path) -> None:
    store = SqliteStore.open(path)
    await spend(store, 4)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        [good] = connection.execute("SELECT counts FROM windows").fetchone()
        connection.execute("UPDATE windows SET counts = 'x'")
        await refused(store)
        connection.execute("UPDATE windows SET counts = ?", (good,))
    assert await left(store, HOUR, T0) == 6
    await store.close()


async def test_a_failure_in_the_middle_leaves_nothing(path: Path) -> None:
    store = SqliteStore.open(path)
    await spend(store, 4)
    before = await store.state()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "CREATE TRIGGER fault BEFORE INSERT ON persons BEGIN SELECT RAISE(FAIL, 'fault'); END"
        )
        once = charge(1, 1, request_id="a", fingerprint=b"x")
        with pytest.raises(Refusal):
            await store.commit([charge(2), once], MARK, T0 + 600)
        connection.execute("DROP TRIGGER fault")
    assert await store.state() == before
    assert await left(store, HOUR, T0) == 6
    other = charge(1, 1, request_id="a", fingerprint=b"y")
    assert await store.commit([other], MARK, T0) == [Verdict()]
    await store.close()


async def test_one_who_writes_out_of_turn(path: Path) -> None:
    store = SqliteStore.open(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert "SQLITE_BUSY" in (await refused(store)).detail
        connection.execute("ROLLBACK")
    await spend(store)
    await store.close()


# Turns


async def take_lock(path: Path) -> int:
    descriptor = os.open(path.with_name("jeton.db.lock"), os.O_RDWR)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(0.001)
        else:
            return descriptor


async def test_the_loop_goes_on_while_others_have_the_turn(path: Path) -> None:
    store = SqliteStore.open(path)
    others = await take_lock(path)
    commits = [asyncio.create_task(spend(store)) for _ in range(3)]
    done, _ = await asyncio.wait(commits, timeout=0.05)
    assert not done
    os.close(others)
    await asyncio.gather(*commits)
    assert await left(store, HOUR, T0) == 7
    await store.close()


async def test_a_turn_that_never_comes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "PATIENCE", 0.02)
    store = SqliteStore.open(path)
    others = await take_lock(path)
    assert "other processes" in (await refused(store)).detail
    with pytest.raises(SetUpError, match="other processes"):
        SqliteStore.open(path)
    os.close(others)
    monkeypatch.setattr(turn, "PATIENCE", 30.0)
    await spend(store)
    os.close(await take_lock(path))  # nobody has kept the turn that came too late
    await store.close()


async def test_one_who_stops_waiting_leaves_no_turn_taken(path: Path) -> None:
    store = SqliteStore.open(path)
    others = await take_lock(path)
    waiting = asyncio.create_task(spend(store))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    os.close(others)
    await spend(store)
    assert await left(store, HOUR, T0) == 9
    await store.close()


# Checkpoints


async def test_the_log_is_moved_into_the_file_beside_the_commits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointing, "EVERY_SECONDS", 0)
    monkeypatch.setattr(checkpointing, "LONG_LOG", 1)
    store = SqliteStore.open(path)
    for _ in range(10):
        await spend(store)
    running = store._checkpointer._running
    assert running is not None
    running.result()
    await store.commit([], MARK, T0)
    running = store._checkpointer._running
    assert running is not None
    running.result()
    alone = shutil.copy(path, path.with_suffix(".alone"))
    with closing(sqlite3.connect(alone)) as connection:
        [counts] = connection.execute("SELECT counts FROM windows").fetchone()
    assert counts == b'{"30000000":10}'
    await spend_nothing_more(store)
    await store.close()


async def spend_nothing_more(store: SqliteStore) -> None:
    [verdict] = await store.commit([charge()], MARK, T0)
    assert verdict.code == "budget_exhausted"


# Sweeping


async def test_what_has_left_is_swept_out(path: Path) -> None:
    store = SqliteStore.open(path)
    for number in range(50):
        scope = f"portal/{number}"
        limit, people = Limit(scope, "reveal.hour", 3600, 9), Limit(scope, "people.day", 86400, 20)
        persons = frozenset(person(each) for each in range(20))
        await store.commit(
            [Charge("portal", None, 1, (limit,), persons, (people,), f"id-{number}", b"x")],
            MARK,
            T0,
        )
    with closing(sqlite3.connect(path)) as connection:

        def sizes() -> list[int]:
            tables = ("windows", "persons", "requests")
            return [connection.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0] for t in tables]

        assert sizes() == [100, 1000, 50]
        for number in range(10):
            assert await store.commit([charge()], MARK, T0 + 3599 + number / 4) == [Verdict()]
        assert sizes() == [101, 1000, 0]
        for second in range(10):
            await store.commit([charge()], MARK, T0 + 87840 + second)
        assert sizes() == [1, 0, 0]
    await store.close()


async def test_sweeping_keeps_what_still_counts(path: Path) -> None:
    store = SqliteStore.open(path)
    people = Limit("portal", "people.day", 86400, 600)
    everybody = [person(number) for number in range(600)]
    await store.commit([Charge("portal", None, 1, (), frozenset(everybody), (people,))], MARK, T0)
    again = frozenset(everybody[::2])
    await store.commit([Charge("portal", None, 1, (), again, (people,))], MARK, T0 + 43200)
    for second in range(10):
        await store.commit([charge()], MARK, T0 + 87840 + second)
    with closing(sqlite3.connect(path)) as connection:
        kept = {row[0] for row in connection.execute("SELECT person FROM persons")}
    assert kept == again
    await store.close()


# The model


def two_stores() -> tuple[list[OpenStore], Callable[[], None]]:
    folder = TemporaryDirectory()

    async def opened() -> Store:
        return SqliteStore.open(Path(folder.name) / "jeton.db")

    return [opened, opened], folder.cleanup


TestModel = machine(two_stores).TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40)
