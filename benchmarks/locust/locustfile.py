"""The hot path under many callers: single tokenise, single detokenise, batches.

    export JETON_URL=http://127.0.0.1:8200
    export JETON_CREDENTIAL=...         # granted tokenise:fr-nir
    export JETON_REVEAL_CREDENTIAL=...  # granted detokenise:fr-nir for JETON_PURPOSE
    locust -f benchmarks/locust/locustfile.py --headless --users 64 --spawn-rate 64 -t 30s

Limits apply to load as to anybody: give the two clients what the run will spend. `python -m
benchmarks.locust.short` does all of this against a service of its own. `thresholds.py` has the
options that end a run with exit code 1.
"""

import os
from itertools import cycle

from locust import FastHttpUser, constant, task

import benchmarks.locust.thresholds  # noqa: F401 (adds its options and listens)
from benchmarks.population import nirs

PEOPLE = list(nirs(10_000, seed=11))
BATCH = 1_000


def _headers(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {os.environ[credential]}"}


class _Caller(FastHttpUser):
    abstract = True
    host = os.environ.get("JETON_URL", "http://127.0.0.1:8200")
    wait_time = constant(0)


class Intake(_Caller):
    """Claims come in: values become tokens, one by one and in batches."""

    weight = 3

    def on_start(self) -> None:
        self.writes = _headers("JETON_CREDENTIAL")
        self.people = cycle(PEOPLE)
        self.batches = cycle(PEOPLE[at : at + BATCH] for at in range(0, len(PEOPLE), BATCH))

    @task(20)
    def tokenise(self) -> None:
        body = {"value": next(self.people)}
        self.client.post("/v1/tokenise/fr-nir", json=body, headers=self.writes, name="tokenise")

    @task(1)
    def tokenise_batch(self) -> None:
        body = {"values": next(self.batches)}
        name = f"tokenise {BATCH}"
        self.client.post("/v1/tokenise/fr-nir", json=body, headers=self.writes, name=name)


class Reimbursement(_Caller):
    """Claims are paid: a token becomes the value, for a purpose, on the record."""

    weight = 1

    def on_start(self) -> None:
        purpose = os.environ.get("JETON_PURPOSE", "reimbursement")
        self.reads = _headers("JETON_REVEAL_CREDENTIAL") | {"Jeton-Purpose": purpose}
        answer = self.client.post(
            "/v1/tokenise/fr-nir",
            json={"values": PEOPLE[:BATCH]},
            headers=_headers("JETON_CREDENTIAL"),
            name="(set-up)",
        )
        self.tokens = cycle(answer.json()["tokens"])

    @task
    def detokenise(self) -> None:
        body = {"token": next(self.tokens)}
        self.client.post("/v1/detokenise/fr-nir", json=body, headers=self.reads, name="detokenise")
