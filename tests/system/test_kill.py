"""Kill -9 at random instants: what was answered stands in the record, no spend is forgotten."""

import json
import random
import threading
from collections.abc import Callable
from http.client import HTTPException

import pytest

from benchmarks.population import nirs
from tests.support.service import Service, jeton

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

KILLS = 20
LIMIT = 6_000
CALLERS = 6


class Load:
    """Callers that reveal until the service dies or refuses; what they were answered."""

    def __init__(self, service: Service, credential: str, tokens: list[str]) -> None:
        self._service, self._credential, self._tokens = service, credential, tokens
        self.receipts: list[str] = []
        self.refused = threading.Event()
        self.some = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        while not self.refused.is_set():
            body = {"token": random.choice(self._tokens)}
            try:
                reply = self._service.post("detokenise/fr-nir", body, self._credential, "drill")
            except (OSError, HTTPException, ValueError):
                return
            if reply.status == 200:
                self.receipts.append(reply.headers["Jeton-Receipt"])
                self.some.set()
            else:
                assert reply.body["code"] == "budget_exhausted", reply.body
                self.refused.set()


def test_killed_twenty_times(new_service: Callable[[], Service]) -> None:
    service = new_service()
    limits = {"reveal.hour": LIMIT, "reveal.day": LIMIT, "people.day": LIMIT}
    credential = service.add_client("drill", ["detokenise:fr-nir:drill"], limits)
    service.start()
    values = {"values": list(nirs(200, seed=3))}
    tokens = service.post("tokenise/fr-nir", values, service.credentials["intake"]).body["tokens"]
    receipts: list[str] = []
    for _ in range(KILLS):
        load = Load(service, credential, tokens)
        load.start()
        load.some.wait(10)
        threading.Event().wait(random.uniform(0, 0.25))
        service.kill()
        load.join()
        receipts += load.receipts
        service.start()
    assert len(receipts) > KILLS
    last = Load(service, credential, tokens)
    last.start()
    last.join()
    receipts += last.receipts
    assert last.refused.is_set()
    service.stop()
    # Every answered reveal was charged: none above the limit, and nothing answered unrecorded.
    assert len(receipts) <= LIMIT
    assert len(set(receipts)) == len(receipts)
    config = ("--config", str(service.config))
    proofs = [
        word
        for receipt in receipts[:: max(1, len(receipts) // 300)]
        for word in ("--receipt", receipt)
    ]
    jeton("audit", "verify", *config, *proofs)
    exported = [json.loads(line) for line in jeton("audit", "export", *config).splitlines()]
    recorded = [entry for entry in exported if entry["kind"] == "disclosure"]
    assert len(receipts) <= len(recorded) <= LIMIT
    written = {(entry["writer"], entry["seq"]) for entry in recorded}
    for receipt in receipts:
        writer, sequence, _ = receipt.split(".")
        assert (writer, int(sequence)) in written
