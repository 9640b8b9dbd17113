"""A limit is a number: not one more over processes, and all of it usable."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from benchmarks.population import nirs
from tests.support.service import Service, jeton

pytestmark = pytest.mark.system

LIMIT = 1_000
CALLERS = 200
CALLS = 8
TO_THE_FIRST = 0.97


def test_four_processes_two_hundred_callers_one_limit(
    new_service: Callable[[], Service],
) -> None:
    first = new_service()
    limits = {"reveal.hour": LIMIT, "reveal.day": 100_000, "people.day": 100_000}
    credential = first.add_client("crowd", ["detokenise:fr-nir:drill"], limits)
    services = [first, *(Service(first.config, first.credentials) for _ in range(3))]
    try:
        for service in services:
            service.start()
        values = {"values": list(nirs(50, seed=5))}
        intake = first.credentials["intake"]
        tokens = first.post("tokenise/fr-nir", values, intake).body["tokens"]
        outcomes: Counter[object] = Counter()
        lock = threading.Lock()

        def call(number: int) -> None:
            lucky = number < CALLERS * TO_THE_FIRST
            service = first if lucky else services[1 + number % 3]
            for at in range(CALLS):
                body = {"token": tokens[(number + at) % len(tokens)]}
                reply = service.post("detokenise/fr-nir", body, credential, "drill")
                with lock:
                    outcomes[reply.body.get("code", reply.status)] += 1

        threads = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for service in services:
            service.stop()
    assert outcomes == {200: LIMIT, "budget_exhausted": CALLERS * CALLS - LIMIT}
    jeton("audit", "verify", "--config", str(first.config))
