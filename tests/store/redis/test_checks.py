"""What a server's settings would lose is said before anything is served, against real servers."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.redis import CLIENT, PASSWORD, RIGHTS, VARIABLE, Redis, answers, users
from tests.support.redis_deployments import Cluster, Replicated, running
from vault.config import StoreSettings
from vault.errors import Refusal, SetUpError
from vault.store.redis.checks import Checks, Unsound
from vault.store.redis.link import Link, Script
from vault.store.redis.weaknesses import WEAKNESSES

pytestmark = pytest.mark.system

WORDS = {weakness.name: weakness for weakness in WEAKNESSES}
NOTHING = Script("return 1")


@contextmanager
def having(server: Redis, **settings: str | int) -> Iterator[None]:
    names = {key: key.replace("_", "-") for key in settings}
    before = {key: server.ask("CONFIG GET", name) for key, name in names.items()}
    server.set(**settings)
    try:
        yield
    finally:
        for key, told in before.items():
            [value] = told.values()
            server.set(**{key: value})


async def refusal(settings: StoreSettings) -> str:
    with pytest.raises(SetUpError, match=r"^store\.url: ") as refused:
        await Link.open(settings)
    return str(refused.value)


async def accepted(settings: StoreSettings) -> list[Any]:
    """What is told when a link opens in spite of weaknesses."""
    news: list[Any] = []
    link = await Link.open(settings, lambda name, facts: news.append((name, dict(facts))))
    try:
        assert await link.run(NOTHING, ["{jeton}a"], [], writes=True) == 1
    finally:
        await link.close()
    return [facts for name, facts in news if name == "store_weak"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("no-append-only", {"appendonly": "no"}),
        ("fsync-no", {"appendfsync": "no"}),
        ("fsync-everysec", {"appendfsync": "everysec"}),
        ("eviction", {"maxmemory_policy": "allkeys-lru"}),
        ("eviction", {"maxmemory_policy": "volatile-ttl"}),
    ],
)
async def test_a_weakness_of_a_server_alone(
    redis_server: Redis, name: str, settings: dict[str, str]
) -> None:
    with having(redis_server, **settings):
        said = await refusal(redis_server.settings())
        assert WORDS[name].loses in said
        assert WORDS[name].mend in said
        assert "store.accept" in said
        told = await accepted(redis_server.settings(accept=(name,)))
        assert told == [{"weakness": name, "loses": WORDS[name].loses}]
    assert await accepted(redis_server.settings()) == []


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("no-min-replicas", {"min_replicas_to_write": 0}),
        ("slow-min-replicas", {"min_replicas_max_lag": 11}),
        ("slow-min-replicas", {"min_replicas_max_lag": 0}),
    ],
)
async def test_a_weakness_of_a_primary(
    redis_replicated: Replicated, name: str, settings: dict[str, int]
) -> None:
    with having(redis_replicated.primary, **settings):
        said = await refusal(redis_replicated.settings())
        assert WORDS[name].loses in said
        told = await accepted(redis_replicated.settings(accept=(name,)))
        assert told == [{"weakness": name, "loses": WORDS[name].loses}]


async def test_replicas_make_up_for_a_flush_every_second(redis_replicated: Replicated) -> None:
    with having(redis_replicated.primary, appendfsync="everysec"):
        assert await accepted(redis_replicated.settings()) == []


async def test_every_weakness_is_said_at_once(redis_server: Redis) -> None:
    with having(redis_server, appendonly="no", maxmemory_policy="allkeys-lfu"):
        said = await refusal(redis_server.settings(accept=("fsync-no",)))
        assert WORDS["no-append-only"].loses in said
        assert WORDS["eviction"].loses in said
        told = await accepted(redis_server.settings(accept=("no-append-only", "eviction")))
        assert [facts["weakness"] for facts in told] == ["no-append-only", "eviction"]


async def test_a_failover_without_waiting_for_replicas(redis_replicated: Replicated) -> None:
    settings = redis_replicated.settings(replicas=0)
    assert WORDS["no-replicas"].loses in await refusal(settings)
    told = await accepted(redis_replicated.settings(replicas=0, accept=("no-replicas",)))
    assert [facts["weakness"] for facts in told] == ["no-replicas"]


async def test_a_server_that_is_said_to_be_alone_and_has_replicas(
    redis_replicated: Replicated,
) -> None:
    """Somebody has them for a reason, and may make one of them the primary."""
    primary = redis_replicated.primary
    assert WORDS["no-replicas"].loses in await refusal(primary.settings())
    with having(primary, min_replicas_to_write=0):
        said = await refusal(primary.settings())
        assert WORDS["no-replicas"].loses in said
        assert WORDS["no-min-replicas"].loses in said
    told = await accepted(primary.settings(accept=("no-replicas",)))
    assert [facts["weakness"] for facts in told] == ["no-replicas"]
    assert await accepted(primary.settings(replicas=1)) == []


async def test_a_server_alone_that_should_have_replicas(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.store.redis.link.PATIENCE", 0.3)
    settings = redis_server.settings(replicas=1, accept=("no-min-replicas",))
    said = await refusal(settings)
    assert "0 replicas are connected and store.replicas asks for 1" in said


async def test_a_replica_that_comes_a_little_later_is_waited_for(
    redis_replicated: Replicated,
) -> None:
    primary = redis_replicated.primary
    late = next(one for one in redis_replicated.servers if one is not primary)
    late.kill()
    opening = asyncio.create_task(
        Link.open(redis_replicated.settings(replicas=2, accept=("no-min-replicas",)))
    )
    await asyncio.sleep(0.3)
    assert not opening.done()
    await asyncio.to_thread(late.start)
    await (await opening).close()


async def test_a_replica_is_no_primary(
    redis_replicated: Replicated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.store.redis.link.PATIENCE", 0.3)
    replica = next(one for one in redis_replicated.servers if one is not redis_replicated.primary)
    settings = replica.settings()
    with pytest.raises(SetUpError, match="a replica, not a primary"):
        await Link.open(settings)


async def test_the_kind_of_deployment_is_held_against_the_url(
    redis_server: Redis, redis_cluster: Cluster
) -> None:
    node = redis_cluster.nodes[0].settings(replicas=1)
    assert "store.url must be redis+cluster://" in await refusal(node)
    alone = StoreSettings(url=f"redis+cluster://127.0.0.1:{redis_server.port}", replicas=0)
    assert "not a node of a cluster" in await refusal(alone)
    sentinel = StoreSettings(url=f"redis+sentinel://127.0.0.1:{redis_server.port}/jeton")
    assert "no sentinel names a primary" in await refusal(sentinel)


async def test_a_service_that_sentinel_does_not_know(redis_replicated: Replicated) -> None:
    right = redis_replicated.settings()
    wrong = StoreSettings(url=right.url + "x", password=right.password)
    assert "does not know the service" in await refusal(wrong)


def test_an_old_server_is_refused() -> None:
    with pytest.raises(Unsound, match="older than Redis 7"):
        Checks("standalone", 0, (), print)._version({"redis_version": "6.2.14"})


async def test_settings_that_changed_are_noticed_at_the_next_connection(
    redis_server: Redis,
) -> None:
    link = await Link.open(redis_server.settings())
    try:
        with having(redis_server, appendonly="no"):
            redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
            said = set[str]()
            while not any("settings do not hold" in words for words in said):
                with pytest.raises(Refusal) as refused:
                    await link.run(NOTHING, ["{jeton}a"], [], writes=True)
                said.add(refused.value.detail)
                await asyncio.sleep(0.01)
        assert await answers(lambda: link.run(NOTHING, ["{jeton}a"], [], writes=True)) == 1
    finally:
        await link.close()


# Users


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    config = {k: v for k, v in users().items() if k.startswith("user ")}
    with running(Redis(tmp_path_factory.mktemp("guarded"), config)) as server:
        yield server


@contextmanager
def rights(server: Redis, change: str) -> Iterator[None]:
    server.ask("ACL", "SETUSER", CLIENT, *change.split())
    try:
        yield
    finally:
        server.ask("ACL", "SETUSER", CLIENT, "reset", "on", f">{PASSWORD}", *RIGHTS.split())


async def test_the_rights_of_the_documentation_are_enough(guarded: Redis) -> None:
    assert await accepted(guarded.settings()) == []


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("-wait", ": wait$"),
        ("-info", ": info$"),
        ("-eval", ": eval$"),
        ("-evalsha -script|load", ": evalsha, script$"),
        ("-hset -zadd", ": hset, zadd$"),
        ("resetkeys ~other*", "not on its keys.*: .*get"),
        ("resetkeys ~{jeton}*", "not on its keys.*: .*hget"),
    ],
)
async def test_a_right_that_is_missing_is_named(guarded: Redis, change: str, missing: str) -> None:
    with rights(guarded, change), pytest.raises(SetUpError, match=missing):
        await Link.open(guarded.settings())


async def test_a_server_that_does_not_tell_its_settings(guarded: Redis) -> None:
    with rights(guarded, "-config|get"):
        said = await refusal(guarded.settings())
        assert WORDS["unchecked"].loses in said
        assert "config|get" in said
        told = await accepted(guarded.settings(accept=("unchecked",)))
        assert [facts["weakness"] for facts in told] == ["unchecked"]


async def test_a_right_taken_away_while_serving_is_named(guarded: Redis) -> None:
    link = await Link.open(guarded.settings())
    try:
        script = Script("return redis.call('HSET', KEYS[1], 'a', 1)")
        await link.run(script, ["{jeton}h"], [], writes=True)
        with rights(guarded, "-evalsha"), pytest.raises(Refusal, match="may not run evalsha"):
            await link.run(script, ["{jeton}h"], [], writes=True)
        with rights(guarded, "-hset"), pytest.raises(Refusal) as refused:
            await link.run(script, ["{jeton}h"], [], writes=True)
        assert "{jeton}" not in refused.value.detail
    finally:
        await link.close()


async def test_a_wrong_password_or_user(guarded: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "hunter2")
    said = await refusal(guarded.settings())
    assert "refuses the user's name or password" in said
    assert "hunter2" not in said
    nobody = StoreSettings(url=f"redis://127.0.0.1:{guarded.port}", replicas=0)
    assert "asks for a user and its password" in await refusal(nobody)


async def test_a_password_from_a_file(guarded: Redis, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    assert await accepted(guarded.settings(password=f"file:{file}")) == []
    file.chmod(0o644)
    with pytest.raises(SetUpError, match=r"store\.password: the file is open to everybody"):
        await Link.open(guarded.settings(password=f"file:{file}"))
    with pytest.raises(SetUpError, match=r"store\.password: the file that it names cannot be read"):
        await Link.open(guarded.settings(password=f"file:{tmp_path / 'none'}"))
    with pytest.raises(SetUpError, match=r"store\.password: .* is empty"):
        await Link.open(guarded.settings(password="env:JETON_TEST_NO_SUCH_VARIABLE"))


# TLS


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    folder = tmp_path_factory.mktemp("encrypted")
    authority = Authority.create(folder)
    for name in ("server", "client"):
        authority.issue(name).put(folder / f"{name}.crt", folder / f"{name}.key")
    server = Redis(folder / "redis")
    server.config |= {
        "port": "0",
        "tls-port": str(server.port),
        "tls-ca-cert-file": str(authority.path),
        "tls-cert-file": str(folder / "server.crt"),
        "tls-key-file": str(folder / "server.key"),
        "tls-auth-clients": "yes",
    }
    with running(server):
        yield server


def certified(server: Redis) -> dict[str, Any]:
    folder = server.folder.parent
    return {
        "tls_ca": folder / "authority.pem",
        "tls_certificate": folder / "client.crt",
        "tls_key": folder / "client.key",
    }


async def test_tls_with_a_client_certificate(encrypted: Redis) -> None:
    assert await accepted(encrypted.settings(**certified(encrypted))) == []


async def test_tls_without_what_it_needs(encrypted: Redis, tmp_path: Path) -> None:
    right = certified(encrypted)
    alone = encrypted.settings(tls_ca=right["tls_ca"])
    assert "store.tls_certificate" in await refusal(alone)
    other = Authority.create(tmp_path)
    assert "store.tls_ca" in await refusal(encrypted.settings(**right | {"tls_ca": other.path}))
    plain = StoreSettings(url=f"redis://127.0.0.1:{encrypted.port}", replicas=0)
    assert "rediss://" in await refusal(plain)
    missing = encrypted.settings(**right | {"tls_key": tmp_path / "none"})
    with pytest.raises(SetUpError, match=r"^store\.tls_certificate and store\.tls_key: "):
        await Link.open(missing)


async def test_plain_where_tls_is_expected(redis_server: Redis, encrypted: Redis) -> None:
    settings = StoreSettings(
        url=f"rediss://127.0.0.1:{redis_server.port}", replicas=0, **certified(encrypted)
    )
    assert "rediss://" in await refusal(settings)
