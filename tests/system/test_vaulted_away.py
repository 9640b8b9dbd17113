"""Random tokens of a service whose Redis is slow, then silent: refused in time, and memory flat."""

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from benchmarks.population import nirs
from tests.support.fault_proxy import FaultProxy
from tests.support.redis import Redis
from tests.support.redis_services import on_redis
from tests.support.service import Service
from vault.config import StoreSettings

pytestmark = [pytest.mark.system, pytest.mark.slow]

CALLS = 20_000 if settings.get_current_profile_name() == "long" else 500
DEADLINE, SLACK = 0.5, 1.0
"""Seconds: `store.timeout`, and what a busy machine takes for the rest of a call."""
PLENTY = 10**9
TRANSFORMATION = """
[transformations.kept]
format = "fr-nir"
method = "vaulted"
"""
[VALUE, OTHER] = nirs(2)


@pytest.fixture
def proxy(redis_server: Redis) -> Iterator[FaultProxy]:
    redis_server.ask("FLUSHALL")
    with FaultProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def behind(proxy: FaultProxy, tmp_path: Path) -> Iterator[Service]:
    service = Service.create(tmp_path)
    service.edit(lambda text: f"{text}\n{TRANSFORMATION}")
    url = f"redis://127.0.0.1:{proxy.port}"
    on_redis(service, StoreSettings(url=url, timeout=DEADLINE, replicas=0))
    plenty = {f"{kind}.{window}": PLENTY for kind in ("tokenise", "reveal") for window in _WINDOWS}
    grants = ["tokenise:kept", "detokenise:kept:drill"]
    service.add_client("desk", grants, plenty | {"people.day": PLENTY})
    service.start()
    yield service
    service.kill()


_WINDOWS = ("hour", "day")


def tokenise(service: Service, value: str) -> tuple[int, str, float]:
    began = time.monotonic()
    reply = service.post("tokenise/kept", {"value": value}, service.credentials["desk"])
    return reply.status, reply.body.get("code", reply.body.get("token")), time.monotonic() - began


def detokenise(service: Service, token: str) -> tuple[int, str, float]:
    began, desk = time.monotonic(), service.credentials["desk"]
    reply = service.post("detokenise/kept", {"token": token}, desk, "drill")
    return reply.status, reply.body.get("code", ""), time.monotonic() - began


def memory(service: Service) -> int:
    assert service.process is not None
    return int(psutil.Process(service.process.pid).memory_info().rss)


def test_slow_then_silent_then_back(behind: Service, proxy: FaultProxy) -> None:
    status, token, _ = tokenise(behind, VALUE)
    assert status == 200
    for fault in ("slow", "silent"):
        if fault == "slow":
            proxy.delay = 0.5
        else:
            proxy.black_hole = True
        for _ in range(5):  # until the breaker is open, and after
            for call, item in ((tokenise, VALUE), (tokenise, OTHER), (detokenise, token)):
                status, code, seconds = call(behind, item)
                assert (status, code) == (503, "store_unavailable")
                assert seconds < DEADLINE + SLACK
        assert seconds < DEADLINE, "not at once"
    away(behind, token, CALLS)  # what is made once
    before = memory(behind)
    away(behind, token, CALLS)
    assert memory(behind) - before < 1024 * 1024
    proxy.heal()
    deadline = time.monotonic() + 20
    while detokenise(behind, token)[0] != 200:
        assert time.monotonic() < deadline, "it has not come back"
        time.sleep(0.05)
    assert tokenise(behind, VALUE)[:2] == (200, token)
    assert tokenise(behind, OTHER)[0] == 200


def away(service: Service, token: str, calls: int) -> None:
    for _ in range(calls // 2):
        assert tokenise(service, VALUE)[0] == 503
        assert detokenise(service, token)[0] == 503
