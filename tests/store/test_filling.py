"""Whoever makes tokens tells how full their space gets, and not too often."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.store.tokens_contract import entry
from tests.support.redis import Redis
from vault.errors import Refusal
from vault.store import filling as module
from vault.store import open_tokens
from vault.store.filling import SECONDS, Filling
from vault.store.sqlite_tokens import SqliteTokens
from vault.store.tokens import Count, TokenStore

Facts = Mapping[str, str | int | float]


class Told(list[Facts]):
    def __call__(self, name: str, facts: Facts) -> None:
        if name == "tokens_held":
            self.append(facts)


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = 100.0
    monkeypatch.setattr(module, "monotonic", lambda: now)

    def passed(seconds: float) -> None:
        nonlocal now
        now += seconds

    return passed


async def fills(store: TokenStore, told: Told, pass_time: Callable[[float], None]) -> None:
    entries = [entry(partition) for partition in range(48)]
    await store.create("nir.old.3", entries[:32], 1)
    assert told == [{"key_id": "nir.old", "kind": "3", "share": 0.5}]
    await store.erase("nir.old.3", [entries[0].token])
    await store.create("nir.old.3", entries[32:], 1)
    await store.create("other.0", entries[:1], 64)
    assert [facts["share"] for facts in told] == [0.5, 1 / 64**2]
    pass_time(SECONDS)
    await store.create("nir.old.3", entries[1:], 1)
    assert len(told) == 2, "nothing was made"
    await store.create("nir.old.3", [entry(50)], 1)
    assert told[-1]["share"] == 49 / 64, "what is erased stays taken"
    await store.close()


async def test_sqlite(tmp_path: Path, pass_time: Callable[[float], None]) -> None:
    told = Told()
    await fills(SqliteTokens.open(tmp_path / "tokens.db", told), told, pass_time)


@pytest.mark.system
async def test_redis(redis_server: Redis, pass_time: Callable[[float], None]) -> None:
    redis_server.ask("FLUSHALL")
    told = Told()
    store = await open_tokens(redis_server.settings(), Path(), told)
    await fills(store, told, pass_time)


async def test_what_was_made_is_made_though_nobody_can_say_how_full_it_is(tmp_path: Path) -> None:
    class Away(SqliteTokens):
        async def count(self, space: str) -> Count:
            raise Refusal("store_unavailable", "away", 1)

    told = Told()
    store = Away.open(tmp_path / "tokens.db")
    await Filling(told).look(store, "nir.0", 10)
    assert told == []
    await store.close()
