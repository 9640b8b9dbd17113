"""Services on Redis: away, slow, cut off, failed over. Limits hold, tokenising goes on, and all
of it comes back by itself."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import settings

from benchmarks.population import nirs
from tests.store.contract import charge
from tests.support.fault_proxy import FaultProxy
from tests.support.redis import CLIENT, Redis
from tests.support.redis_deployments import Replicated, cut_off, heal
from tests.support.redis_services import Machines, crowd, on_redis
from tests.support.service import Service, jeton
from tests.support.thief import add_client
from vault.cli import main
from vault.config import StoreSettings
from vault.errors import Refusal
from vault.store.base import Limit, Mark
from vault.store.redis.guard import RedisStore
from vault.store.redis.link import Link

pytestmark = [pytest.mark.system, pytest.mark.slow]

LONG = settings.get_current_profile_name() == "long"
CALLERS, LIMIT, WORKERS = (500, 10_000, 4) if LONG else (40, 100, 2)
EXACT, FAILED_OVER = ([f"{name}-{number}" for number in range(4)] for name in ("exact", "over"))
CUT_OFF = "cut-off"
PLENTY = 10**9
[VALUE] = nirs(1)
BACK_SECONDS = 15.0


@pytest.fixture
def proxy(redis_server: Redis) -> Iterator[FaultProxy]:
    redis_server.ask("FLUSHALL")
    with FaultProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def behind(proxy: FaultProxy, tmp_path: Path) -> Iterator[Service]:
    """A service whose way to Redis can go wrong."""
    service = Service.create(tmp_path)
    url = f"redis://127.0.0.1:{proxy.port}"
    on_redis(service, StoreSettings(url=url, timeout=0.5, replicas=0))
    mint = {"tokenise.hour": PLENTY, "tokenise.day": PLENTY}
    service.credentials["mint"] = add_client(service.config, "mint", ["tokenise:fr-nir"], mint)
    grants = ["detokenise:fr-nir:drill"]
    service.credentials["desk"] = add_client(service.config, "desk", grants, {})
    service.start()
    yield service
    service.kill()


class Caller:
    """Tokenises all the time, and knows when that failed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.codes: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Caller":
        self._thread.start()
        self.more(100)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def more(self, calls: int) -> None:
        """Until so many more were answered."""
        wanted, deadline = len(self.codes) + calls, time.monotonic() + 20
        while len(self.codes) < wanted:
            assert time.monotonic() < deadline, "tokenising has stopped"
            time.sleep(0.01)

    def _run(self) -> None:
        credential = self.service.credentials["mint"]
        while not self._over.is_set():
            reply = self.service.post("tokenise/fr-nir", {"value": VALUE}, credential)
            self.codes.append(reply.status)


def _within_a_bucket() -> None:
    """A share is good until the end of a minute: what follows should not meet one."""
    if (left := 60 - time.time() % 60) < 40:  # twice what it takes on a busy machine
        time.sleep(left)


def _reveal(service: Service, token: str) -> tuple[int, str, float]:
    began = time.monotonic()
    credential = service.credentials["desk"]
    reply = service.post("detokenise/fr-nir", {"token": token}, credential, "drill")
    return reply.status, reply.body.get("code", ""), time.monotonic() - began


def _metric(service: Service, name: str) -> float:
    import urllib.request  # noqa: PLC0415

    with urllib.request.urlopen(f"{service.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def _is_back(service: Service, token: str) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while _reveal(service, token)[0] != 200:
        assert time.monotonic() < deadline, "it has not come back"
        time.sleep(0.05)


def test_slow_then_silent_then_back(behind: Service, proxy: FaultProxy) -> None:
    value, intake = {"value": VALUE}, behind.credentials["intake"]
    token = behind.post("tokenise/fr-nir", value, intake).body["token"]
    assert _reveal(behind, token)[0] == 200
    _within_a_bucket()
    with Caller(behind) as caller:
        for fault in ("slow", "silent"):
            if fault == "slow":
                proxy.delay = 0.5
            else:
                proxy.black_hole = True
            status, code, seconds = _reveal(behind, token)
            assert (status, code) == (503, "store_unavailable")
            assert seconds < 1.5, "its deadline is half a second"
            for _ in range(10):
                status, code, seconds = _reveal(behind, token)
                assert (status, code) == (503, "store_unavailable")
            assert seconds < 1.0
            caller.more(100)
            reply = behind.post("tokenise/fr-nir", value, intake)
            assert (reply.status, reply.body["code"]) == (503, "store_unavailable"), "not leased"
            ready = behind.get("readyz")
            assert (ready.status, ready.body["code"]) == (503, "store_unavailable")
            operations = ready.body["operations"]
            assert operations.pop("tokenise") is True
            assert set(operations.values()) == {False}
        assert _metric(behind, "jeton_store_away") >= 1
        proxy.heal()
        _is_back(behind, token)
        caller.more(100)
    assert set(caller.codes) == {200}, "leased tokenising noticed nothing"
    ready = behind.get("readyz")
    assert ready.status == 200
    assert all(ready.body["operations"].values())
    assert _metric(behind, "jeton_store_away") == 0
    assert behind.stop() == 0
    jeton("audit", "verify", "--config", str(behind.config))


@pytest.fixture(scope="module")
def machines(
    shared_replicated: Replicated, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machines]:
    """Two services of some workers on a primary with replicas; principals for each test."""
    shared_replicated.restore()
    shared_replicated.primary.ask("FLUSHALL")
    limits = {"reveal.hour": LIMIT, "reveal.day": 10**6, "people.day": 10**6}
    clients = dict.fromkeys((*EXACT, *FAILED_OVER, CUT_OFF), limits)
    # What is late is charged for nothing: a machine that is busy with 500 threads is late.
    store = shared_replicated.settings(timeout=5.0 if LONG else 1.0)
    made = Machines.create(tmp_path_factory.mktemp("machines"), store, clients)
    try:
        yield made.start(WORKERS)
    finally:
        made.kill()


def _until_spent(machines: Machines, client: str, number: int) -> object | None:
    try:
        reply = machines.reveal(client, number)
    except OSError:
        return "no answer"
    if reply.status == 503:
        time.sleep(0.05)
    if reply.body.get("code") == "budget_exhausted":
        return None
    return reply.body.get("code", reply.status)


def test_exactly_the_limit_over_two_machines(machines: Machines) -> None:
    outcomes = crowd(CALLERS, EXACT, lambda *asked: _until_spent(machines, *asked))
    assert outcomes == {client: {200: LIMIT} for client in EXACT}
    folders = []
    for service in machines.services:
        config = ("--config", str(service.config))
        jeton("audit", "verify", *config, environment=service.environment)
        folders += ["--folder", service.environment["JETON__AUDIT__FOLDER"]]
    jeton("audit", "verify", *config, *folders)
    missing = CliRunner().invoke(main, ["audit", "verify", *config, *folders[:2]])
    assert missing.exit_code == 1
    assert missing.output.count("missing_writer") == WORKERS


def test_never_one_above_with_a_failover_in_the_middle(
    machines: Machines, redis_replicated: Replicated
) -> None:
    old, asked = redis_replicated.primary, 0

    def ask(client: str, number: int) -> object | None:
        nonlocal asked
        asked += 1
        if asked == len(FAILED_OVER) * LIMIT // 2:
            old.kill()
        return _until_spent(machines, client, number)

    outcomes = crowd(CALLERS, FAILED_OVER, ask)
    revealed = {client: found[200] for client, found in outcomes.items()}
    assert all(count <= LIMIT for count in revealed.values())
    assert all(count >= LIMIT - 2 * CALLERS for count in revealed.values()), "and nearly all of it"
    assert any(found["store_unavailable"] for found in outcomes.values())
    assert redis_replicated.primary is not old


def test_the_cut_off_primary_admits_nothing(
    machines: Machines, redis_replicated: Replicated
) -> None:
    """Partitioned from its replicas and sentinels, with clients left on it."""
    old = redis_replicated.primary
    client, spent = CUT_OFF, 0
    for number in range(20):
        spent += machines.reveal(client, number).status == 200
    assert spent == 20
    alone = StoreSettings(
        url=f"redis://{CLIENT}@127.0.0.1:{old.port}",
        password=redis_replicated.settings().password,
        replicas=1,
        timeout=0.5,
    )

    async def left_on_it() -> list[str]:
        store = await RedisStore.open(await Link.open(alone))
        cut_off(old)
        codes = []
        roomy = Limit("somebody", "reveal.hour", 3600, 1_000)
        for _ in range(20):
            try:
                await store.commit([charge(1, limits=(roomy,))], Mark("w9", 0, ""), time.time())
                codes.append("admitted")
            except Refusal as refusal:
                codes.append(refusal.code)
            await asyncio.sleep(0.05)
        await store.close()
        return codes

    assert set(asyncio.run(left_on_it())) == {"store_unavailable"}
    outcomes = crowd(20, [client], lambda *asked: _until_spent(machines, *asked))
    spent += outcomes[client][200]
    heal(old)
    redis_replicated.await_whole()
    more = crowd(4, [client], lambda *asked: _until_spent(machines, *asked))
    assert spent + more[client][200] <= LIMIT
    assert spent >= LIMIT - 60
