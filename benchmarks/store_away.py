"""What tokenising keeps of its rate while Redis is slow, then silent.

    python -m benchmarks.store_away [--seconds 3] [--callers 8]

A real service behind a proxy whose network goes wrong: as it is, with 500 ms of delay each way,
with nothing arriving at all, healed, and again. Prints the single tokenise calls answered per
second (medians, and of the shares of each round), how many were refused, and how long a reveal took
to be refused.
"""

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median

from benchmarks.population import nirs
from tests.support.fault_proxy import FaultProxy
from tests.support.redis import Redis
from tests.support.redis_deployments import running
from tests.support.redis_services import on_redis
from tests.support.service import Service
from vault.config import StoreSettings

PLENTY = 10**11
PHASES = ("as it is", "500 ms of delay", "silent")
ROUNDS = 5


def measure(service: Service, seconds: float, callers: int) -> Counter[int]:
    found: Counter[int] = Counter()
    over = time.monotonic() + seconds
    headers = {"Authorization": f"Bearer {service.credentials['mint']}"}
    headers["Content-Type"] = "application/json"
    [value] = nirs(1)
    body = json.dumps({"value": value})

    def call() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", service.port)
        while time.monotonic() < over:
            connection.request("POST", "/v1/tokenise/fr-nir", body, headers)
            answer = connection.getresponse()
            answer.read()
            found[answer.status] += 1

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def refused_after(service: Service, token: str) -> str:
    began = time.perf_counter()
    credential = service.credentials["desk"]
    reply = service.post("detokenise/fr-nir", {"token": token}, credential, "drill")
    return f"{reply.status} after {(time.perf_counter() - began) * 1e3:,.1f} ms"


def run(service: Service, proxy: FaultProxy, seconds: float, callers: int) -> None:
    [value] = nirs(1)
    mint = service.credentials["mint"]
    token = service.post("tokenise/fr-nir", {"value": value}, mint).body["token"]
    measure(service, 1.0, callers)
    rates: dict[str, list[float]] = {phase: [] for phase in PHASES}
    refused: Counter[str] = Counter()
    reveals: dict[str, str] = {}
    for _ in range(ROUNDS):
        await_minute(service, 3 * seconds + 10, callers)
        for phase in PHASES:
            switch(proxy, phase)
            found = measure(service, seconds, callers)
            rates[phase].append(found[200] / seconds)
            refused[phase] += sum(found.values()) - found[200]
            reveals[phase] = refused_after(service, token)
        proxy.heal()
        time.sleep(1.0)
    alone = rates[PHASES[0]]
    for phase, reached in rates.items():
        share = median(one / before for one, before in zip(reached, alone, strict=True))
        print(
            f"{phase:16}{median(reached):10,.0f} calls/s  {share:5.2f} of as it is"
            f" {refused[phase]:6} refused   reveal: {reveals[phase]}"
        )


def await_minute(service: Service, needed: float, callers: int) -> None:
    """A share ends with its minute, and the next one has to be there before the store is away."""
    if (left := 60 - time.time() % 60) < needed:
        time.sleep(left)
    measure(service, 1.0, callers)


def switch(proxy: FaultProxy, phase: str) -> None:
    if phase == "500 ms of delay":
        proxy.delay = 0.5
    elif phase == "silent":
        proxy.black_hole = True


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--seconds", type=float, default=3.0)
    asked.add_argument("--callers", type=int, default=8)
    given = asked.parse_args()
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
            run(service, proxy, given.seconds, given.callers)
        finally:
            service.stop()


if __name__ == "__main__":
    main()
