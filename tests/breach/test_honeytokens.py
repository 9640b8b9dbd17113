"""Whoever reveals a person who does not exist is locked, and somebody hears of it."""

import json
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.support.each_worker import each_worker
from tests.support.receiver import Receiver
from tests.support.service import Service, jeton
from vault.ledger.alarms import signature

pytestmark = [pytest.mark.breach, pytest.mark.system]

TRANSFORMATION = """
[transformations.kept]
format = "fr-nir"
method = "vaulted"
"""
GRANTS = [f"{operation}:fr-nir:care" for operation in ("detokenise", "mask", "match")]
GRANTS += ["detokenise:birth-date:care", "detokenise:kept:care", "tokenise:fr-nir"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


class Trap:
    """A service with honeytokens in it, and clients to be tried."""

    def __init__(self, service: Service, receiver: Receiver | None, more: str = "") -> None:
        self.service = service
        webhook = f'webhook = "{receiver.url}"\n' if receiver else ""
        service.edit(lambda text: f"{text}\n{TRANSFORMATION}")
        for name in ("thief", "other"):
            service.add_client(name, GRANTS)
        service.edit(lambda text: f"{text}\n[honeytokens]\n{webhook}{more}\n")
        config = str(service.config)
        arguments = ("--json", "--count", "3", "--config", config, "fr-nir", "birth-date")
        out = jeton("honeytokens", "plant", *arguments)
        self.planted: list[dict[str, str]] = json.loads(out)

    def ask(
        self,
        call: str,
        body: dict[str, Any],
        client: str = "thief",
        via: HTTPConnection | None = None,
    ) -> tuple[int, str | None]:
        purpose = None if call.startswith("tokenise/") else "care"
        reply = self.service.post(call, body, self.service.credentials[client], purpose, via=via)
        return reply.status, reply.body.get("code")

    def wait_for(
        self,
        workers: list[HTTPConnection],
        call: str,
        body: dict[str, Any],
        answer: tuple[int, str | None],
    ) -> None:
        """Every worker hears of it: within a second, where it has the processor."""
        until = time.monotonic() + 60
        for worker in workers:
            while self.ask(call, body, via=worker) != answer:
                assert time.monotonic() < until
                time.sleep(0.02)


LOCKED = (403, "locked")


def test_a_reveal_locks_its_client_everywhere(
    new_service: Callable[[], Service], receiver: Receiver
) -> None:
    receiver.willing.set()
    trap = Trap(new_service(), receiver)
    trap.service.start(workers=2)
    honey, value = trap.planted[0]["fr-nir"], {"value": "284057512345672"}
    real = trap.service.post("tokenise/fr-nir", value, trap.service.credentials["thief"]).body[
        "token"
    ]
    with each_worker(trap.service, 2) as workers:
        for worker in workers:
            assert trap.ask("detokenise/fr-nir", {"token": real}, via=worker) == (200, None)
            assert trap.ask("tokenise/fr-nir", value, via=worker) == (200, None)
        tokens = [real] * 5 + [honey] + [real] * 5
        assert trap.ask("detokenise/fr-nir", {"tokens": tokens}) == LOCKED
        # Every worker refuses reveals at once, and whatever else within a second.
        for worker in workers:
            assert trap.ask("detokenise/fr-nir", {"token": real}, via=worker) == LOCKED
            assert trap.ask("mask/fr-nir", {"token": real}, via=worker) == LOCKED
        trap.wait_for(workers, "tokenise/fr-nir", value, LOCKED)
        for worker in workers * 4:
            assert trap.ask("tokenise/fr-nir", value, via=worker) == LOCKED
            assert trap.ask("detokenise/kept", {"token": real}, via=worker) == LOCKED
            unlocked = trap.ask("detokenise/fr-nir", {"token": real}, "other", worker)
            assert unlocked == (200, None)
    assert receiver.came.acquire(timeout=60)
    _check_alarm(trap, receiver, locked=1)
    config = str(trap.service.config)
    jeton("clients", "unlock", "thief", "--reason", "a drill", "--config", config)
    with each_worker(trap.service, 2) as workers:
        trap.wait_for(workers, "detokenise/fr-nir", {"token": real}, (200, None))


def _check_alarm(trap: Trap, receiver: Receiver, *, locked: int) -> None:
    config = str(trap.service.config)
    key = bytes.fromhex(jeton("honeytokens", "webhook-key", "--config", config).strip())
    (signed, body), *more = receiver.taken
    assert not more
    at = int(signed.partition("=")[2].partition(",")[0])
    assert abs(time.time() - at) < 60
    assert signature(key, body, at) == signed
    said = json.loads(body)
    assert (said["event"], said["principal"], said["locked"]) == ("honeytoken", "thief", locked)
    assert said["purpose"] == "care"
    for one in trap.planted:
        assert not any(token.encode() in body for token in one.values())
    record = jeton("audit", "export", "--config", config)
    assert record.count('"name":"honeytoken"') == 1
    assert record.count('"name":"lock"') == locked
    log = trap.service.log.read_text()
    metrics = trap.service._ask("GET", "/metrics", None, {})
    assert metrics.status == 200
    assert "honeytoken" not in log


def test_a_lock_outlives_a_kill_and_its_alarm_too(
    new_service: Callable[[], Service], receiver: Receiver
) -> None:
    trap = Trap(new_service(), receiver)
    trap.service.start()
    honey = trap.planted[0]
    assert trap.ask("detokenise/fr-nir", {"token": honey["fr-nir"]}) == LOCKED
    assert receiver.asked.acquire(timeout=60)
    trap.service.kill()
    receiver.willing.set()
    trap.service.start()
    assert receiver.came.acquire(timeout=60)
    assert trap.ask("detokenise/fr-nir", {"token": honey["fr-nir"]}) == LOCKED
    until = time.monotonic() + 60
    while list((trap.service.folder / "alarms").glob("*.json")):  # gone once it was confirmed
        assert time.monotonic() < until
        time.sleep(0.02)


def test_dates_of_nobody_lock_under_their_own_context_only(
    new_service: Callable[[], Service],
) -> None:
    trap = Trap(new_service(), None)
    trap.service.start()
    first, second = trap.planted[0], trap.planted[1]
    real = trap.service.post(
        "tokenise/fr-nir", {"value": "284057512345672"}, trap.service.credentials["thief"]
    ).body["token"]
    status, code = trap.ask(
        "detokenise/birth-date", {"token": first["birth-date"], "context": real}
    )
    assert (status, code) in {(200, None), (422, "not_a_token")}
    body = {"token": first["birth-date"], "context": first["fr-nir"]}
    assert trap.ask("detokenise/birth-date", body) == LOCKED
    body = {"token": second["birth-date"], "context": second["fr-nir"]}
    assert trap.ask("detokenise/birth-date", body, "other") == LOCKED


def test_masks_and_matches_raise_the_alarm_and_lock_where_configured(
    new_service: Callable[[], Service], receiver: Receiver
) -> None:
    receiver.willing.set()
    trap = Trap(new_service(), receiver)
    trap.service.start()
    honey = trap.planted[0]["fr-nir"]
    assert trap.ask("mask/fr-nir", {"token": honey}) == (200, None)
    assert receiver.came.acquire(timeout=60)
    _check_alarm(trap, receiver, locked=0)
    trap.service.stop()
    trap.service.edit(
        lambda text: text.replace("[honeytokens]", '[honeytokens]\nmask_and_match = "lock"')
    )
    trap.service.start()
    guess = {"token": honey, "candidate": "284057512345672"}
    assert trap.ask("match/fr-nir", guess) == LOCKED
    assert trap.ask("mask/fr-nir", {"token": honey}, "other") == LOCKED


def test_an_exempt_client_goes_through_all_there_is(new_service: Callable[[], Service]) -> None:
    trap = Trap(new_service(), None, 'exempt = ["thief"]')
    trap.service.start()
    tokens = [one["fr-nir"] for one in trap.planted]
    assert trap.ask("detokenise/fr-nir", {"tokens": tokens}) == (200, None)
    assert trap.ask("detokenise/fr-nir", {"tokens": tokens}, "other") == LOCKED
