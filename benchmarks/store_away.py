"""What tokenising keeps of its rate while Redis is slow, then silent.

    python -m benchmarks run store_away

A real service behind a proxy whose network goes wrong: as it is, with 500 ms of delay each way,
with nothing arriving at all, healed, and again: single tokenise calls answered a second beside
those as it is, how many were refused, and how long a reveal took to be refused.
"""

import http.client
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result
from tests.support.fault_proxy import FaultProxy
from tests.support.redis import Redis
from tests.support.redis_deployments import running
from tests.support.redis_services import on_redis
from tests.support.service import Service
from vault.config import StoreSettings

PLENTY = 10**11
PHASES = ("as it is", "500 ms of delay", "silent")
CALLERS = 8
_COMMAND = COMMAND.format("store_away")


def measure(service: Service, seconds: float) -> Counter[int]:
    found: Counter[int] = Counter()
    over = time.monotonic() + seconds
    headers = {"Authorization": f"Bearer {service.credentials['mint']}"}
    headers["Content-Type"] = "application/json"
    [value] = nirs(1)
    body = json.dumps({"value": value})

    def call(_: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        while time.monotonic() < over:
            connection.request("POST", "/v1/tokenise/fr-nir", body, headers)
            answer = connection.getresponse()
            answer.read()
            found[answer.status] += 1

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(call, range(CALLERS)))  # a caller that failed is raised here
    return found


def refused_after(service: Service, token: str) -> float:
    """Milliseconds until a reveal is refused; ends the run where it is not."""
    began = time.perf_counter()
    credential = service.credentials["desk"]
    reply = service.post("detokenise/fr-nir", {"token": token}, credential, "drill")
    if reply.status != 503:
        raise SystemExit(f"a reveal without the store was answered {reply.status}")
    return (time.perf_counter() - began) * 1e3


def figures(service: Service, proxy: FaultProxy, rounds: int, seconds: float) -> Iterator[Result]:
    [value] = nirs(1)
    mint = service.credentials["mint"]
    token = service.post("tokenise/fr-nir", {"value": value}, mint).body["token"]
    measure(service, 1.0)
    rates: dict[str, list[float]] = {phase: [] for phase in PHASES}
    refused: dict[str, list[float]] = {phase: [] for phase in PHASES}
    reveals: list[float] = []
    for _ in range(rounds):
        await_minute(service, 3 * seconds + 5)
        for phase in PHASES:
            switch(proxy, phase)
            found = measure(service, seconds)
            rates[phase].append(found[200] / seconds)
            refused[phase].append(found.total() - found[200])
        if refused[PHASES[0]][-1]:
            raise SystemExit("calls were refused while Redis answered: nothing to compare with")
        reveals.append(refused_after(service, token))
        proxy.heal()
        time.sleep(1.0)
    for phase in PHASES[1:]:
        name = f"single tokenise while Redis is away, {phase}"
        yield result(name, "calls/s", rates[phase], _COMMAND, rates[PHASES[0]])
        yield result(f"{name}: refused", "calls", refused[phase], _COMMAND)
    yield result("a reveal is refused while Redis is silent, after", "ms", reveals, _COMMAND)


def await_minute(service: Service, needed: float) -> None:
    """A share ends with its minute, and the next one has to be there before the store is away."""
    if (left := 60 - time.time() % 60) < needed:
        time.sleep(left)
    measure(service, 1.0)


def switch(proxy: FaultProxy, phase: str) -> None:
    if phase == "500 ms of delay":
        proxy.delay = 0.5
    elif phase == "silent":
        proxy.black_hole = True


def store_away(pace: Pace) -> Iterator[Result]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Redis(Path(folder) / "redis")) as server,
        FaultProxy(server.port) as proxy,
    ):
        service = Service.create(Path(folder))
        url = f"redis://127.0.0.1:{proxy.port}"
        on_redis(service, StoreSettings(url=url, timeout=0.5, replicas=0))
        plenty = {"tokenise.hour": PLENTY, "tokenise.day": PLENTY}
        service.add_client("mint", ["tokenise:fr-nir"], plenty)
        service.add_client("desk", ["detokenise:fr-nir:drill"])
        service.start()
        try:
            yield from figures(service, proxy, pace.of(3, 1), pace.of(3, 1))
        finally:
            service.stop()
