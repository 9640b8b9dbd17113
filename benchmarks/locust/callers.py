"""Ways to the service that users of the locustfile share: HTTP, and the Python client.

Each call's latency counts from when it was due; see schedule.py.
"""

import os
from collections.abc import Callable
from functools import lru_cache
from threading import Lock

from locust import FastHttpUser, User

import jeton
from benchmarks.locust.schedule import Schedule
from benchmarks.population import nirs

URL = os.environ.get("JETON_URL", "http://127.0.0.1:8200")
WRITE, READ = "JETON_CREDENTIAL", "JETON_REVEAL_CREDENTIAL"
PURPOSE = os.environ.get("JETON_PURPOSE", "reimbursement")
PEOPLE = list(nirs(10_000, seed=11))
BATCH = 1_000
FORMAT = "fr-nir"
ALL_WELL = b'"errors":[]'
"""In the answer to a batch, which is 200 where items failed too."""

_alone = Lock()


class Caller(User):
    """A user with a schedule. Its calls are `tokenise`, `tokenise_batch` and `detokenise`."""

    abstract = True
    host = URL
    reveals = False
    """It needs tokens, which are made before its first call is due."""

    def on_start(self) -> None:
        if self.reveals:
            token(0)
        self.schedule = Schedule(getattr(self.environment.parsed_options, "arrivals", 0.0))

    def tokenise(self, value: str) -> None:
        raise NotImplementedError

    def tokenise_batch(self, values: list[str]) -> None:
        raise NotImplementedError

    def detokenise(self, token: str) -> None:
        raise NotImplementedError


class OverHttp(Caller, FastHttpUser):
    abstract = True

    def tokenise(self, value: str) -> None:
        self._post("tokenise", {"value": value}, WRITE)

    def tokenise_batch(self, values: list[str]) -> None:
        self._post("tokenise", {"values": values}, WRITE, f"tokenise {BATCH}")

    def detokenise(self, token: str) -> None:
        self._post("detokenise", {"token": token}, READ)

    def _post(self, operation: str, body: object, credential: str, name: str = "") -> None:
        headers = {"Authorization": f"Bearer {os.environ.get(credential, '')}"}
        if credential == READ:
            headers["Jeton-Purpose"] = PURPOSE
        due = self.schedule.wait()
        with self.client.post(
            f"/v1/{operation}/{FORMAT}",
            json=body,
            headers=headers,
            name=name or operation,
            catch_response=True,
        ) as answer:
            answer.request_meta["response_time"] = self.schedule.since(due)
            if answer.status_code == 200 and name and ALL_WELL not in answer.content:
                answer.failure("items failed")


class OverSdk(Caller):
    """All users of a process share the clients, as an application's threads do: calls that are in
    flight together travel as one batch."""

    abstract = True

    def tokenise(self, value: str) -> None:
        self._timed("SDK tokenise", lambda: client(WRITE).tokenise(FORMAT, value))

    def tokenise_batch(self, values: list[str]) -> None:
        name = f"SDK tokenise {BATCH}"
        self._timed(name, lambda: client(WRITE).tokenise(FORMAT, values).all())

    def detokenise(self, token: str) -> None:
        self._timed("SDK detokenise", lambda: client(READ).detokenise(FORMAT, token))

    def _timed(self, name: str, call: Callable[[], object]) -> None:
        due, failed = self.schedule.wait(), None
        try:
            call()
        except jeton.JetonError as error:
            failed = error
        self.environment.events.request.fire(
            request_type="SDK",
            name=name,
            response_time=self.schedule.since(due),
            response_length=0,
            exception=failed,
            context={},
        )


@lru_cache
def client(credential: str) -> jeton.Client:
    purpose = PURPOSE if credential == READ else None
    return jeton.Client(URL, os.environ[credential], purpose=purpose)


def token(person: int) -> str:
    """Of one of the people. The first to ask has all made."""
    with _alone:
        return _tokens()[person]


@lru_cache
def _tokens() -> list[str]:
    return list(client(WRITE).tokenise(FORMAT, PEOPLE).all())
