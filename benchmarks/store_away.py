"""What tokenising keeps of its rate while Redis is slow, then silent.

    python -m benchmarks.store_away [--seconds 5] [--callers 8]

A real service behind a proxy whose network goes wrong: as it is, with 500 ms of delay each way,
with nothing arriving at all, and healed. Prints the single tokenise calls answered per second,
how many were refused, and how long a reveal took to be refused.
"""

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from benchmarks.population import nirs
from tests.support.fault_proxy import FaultProxy
from tests.support.redis import Redis
from tests.support.redis_deployments import running
from tests.support.redis_services import on_redis
from tests.support.service import Service
from vault.config import StoreSettings

PLENTY = 10**11
PHASES = ("as it is", "500 ms of delay", "silent", "healed")


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
    if (left := 60 - time.time() % 60) < 4 * seconds + 8:  # a share ends with its minute
        time.sleep(left)
        measure(service, 1.0, callers)
    before = 0.0
    for phase in PHASES:
        if phase == "500 ms of delay":
            proxy.delay = 0.5
        elif phase == "silent":
            proxy.black_hole = True
        elif phase == "healed":
            proxy.heal()
            time.sleep(1.0)
        found = measure(service, seconds, callers)
        rate = found[200] / seconds
        before = before or rate
        refused = sum(found.values()) - found[200]
        print(
            f"{phase:16}{rate:10,.0f} calls/s  {rate / before:5.2f} of before {refused:6} refused"
            f"   reveal: {refused_after(service, token)}"
        )


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--seconds", type=float, default=5.0)
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
