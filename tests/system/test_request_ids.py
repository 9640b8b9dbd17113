"""Request ids over two processes, a restart and a kill: charged once, recorded each time.

Two services serve one folder. The tests share them, so each has a client of its own, and what
was charged is what its limit still lets through. In tests/breach/ others try to use the ids.
"""

import asyncio
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.support.service import Reply, Service
from tests.support.thief import Clients, House, send
from vault.app import open_vault
from vault.audit.entry import Disclosure
from vault.audit.reading import entries
from vault.config import load
from vault.store.base import FREE_REPETITIONS

pytestmark = pytest.mark.system

GRANTS = [
    f"{op}:fr-nir:{why}" for op in ("detokenise", "mask", "match") for why in ("care", "audit")
]
LIMIT = 4
LIMITS = {"reveal.hour": LIMIT, "match.hour": LIMIT}
NAMES = (
    "twice",
    "racer",
    "rival",
    "changer",
    "refused",
    "locked",
    "restarted",
    "killed",
    "repeater",
)
CLIENTS: Clients = {
    **dict.fromkeys(NAMES, (GRANTS, LIMITS)),
    "neighbour": (GRANTS, LIMITS),
    "demoted": (["detokenise:fr-nir:care", "mask:fr-nir:audit"], LIMITS),
    "halted": (["tokenise:fr-nir", "detokenise:fr-nir:care"], {}),
    "tokeniser": (["tokenise:fr-nir", "detokenise:fr-nir:care"], LIMITS),
}


class Pair:
    """Two service processes on one folder: one configuration, one store, one record."""

    def __init__(self, house: House) -> None:
        self.house = house
        first = house.service
        self.services = [first, Service(first.config, first.credentials)]
        self.services[1].start()

    def ask(
        self,
        client: str,
        request_id: str | None,
        body: Mapping[str, Any] | None = None,
        *,
        service: int = 0,
        operation: str = "detokenise",
        purpose: str | None = "care",
        end_user: str = "clerk",
    ) -> Reply:
        """By default: the first person's value."""
        headers = [
            ("Authorization", f"Bearer {self.house.service.credentials[client]}"),
            ("Content-Type", "application/json"),
            ("Jeton-On-Behalf-Of", end_user),
        ]
        if purpose is not None:
            headers.append(("Jeton-Purpose", purpose))
        if request_id is not None:
            headers.append(("Jeton-Request-Id", request_id))
        sent = {"token": self.house.tokens[0]} if body is None else body
        port = self.services[service].port
        reply = send(port, f"/v1/{operation}/fr-nir", sent, headers)
        assert (reply.status == 200) or not self.house.leaks(reply)
        return reply

    def left(self, client: str) -> int:
        """How much of the limit is there still; then it is spent."""
        for count in range(LIMIT + 1):
            if self.ask(client, None).status != 200:
                return count
        raise AssertionError("more than the limit")

    def recorded(self, request_id: str) -> list[bool]:
        """Of each disclosure under this id whether it was a duplicate."""
        found = (entry for _, entry in entries(self.house.service.folder / "audit"))
        return [
            entry.duplicate
            for entry in found
            if isinstance(entry, Disclosure) and entry.request_id == request_id
        ]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    house = House.open(tmp_path_factory.mktemp("house"), CLIENTS, people=LIMIT + 1)
    services = [house.service]
    try:
        both = Pair(house)
        services = both.services
        yield both
    finally:
        for service in services:
            service.kill()


@pytest.fixture
def request_id() -> str:
    return str(uuid.uuid4())


def _code(reply: Reply) -> object:
    return reply.body.get("code", reply.status)


def test_twice_in_a_row_is_charged_once_and_recorded_twice(pair: Pair, request_id: str) -> None:
    first = pair.ask("twice", request_id)
    again = pair.ask("twice", request_id)
    assert first.body == again.body == {"value": pair.house.nirs[0]}
    assert first.headers["Jeton-Request-Id"] == again.headers["Jeton-Request-Id"] == request_id
    assert first.headers["Jeton-Receipt"] != again.headers["Jeton-Receipt"]
    assert pair.ask("twice", request_id, service=1).status == 200, "the other process knows it"
    assert pair.recorded(request_id) == [False, True, True]
    assert pair.left("twice") == LIMIT - 1
    assert pair.ask("twice", request_id).status == 200, "what was paid for, with nothing left"


def test_at_once_in_two_processes_it_is_charged_once(pair: Pair, request_id: str) -> None:
    callers = 12
    start = threading.Barrier(callers)

    def call(number: int) -> Reply:
        start.wait(10)
        return pair.ask("racer", request_id, service=number % 2)

    with ThreadPoolExecutor(callers) as pool:
        replies = list(pool.map(call, range(callers)))
    assert [_code(reply) for reply in replies] == [200] * callers
    assert sorted(pair.recorded(request_id)) == [False] + [True] * (callers - 1)
    assert {reply.headers["Jeton-Receipt"].split(".")[0] for reply in replies} == {"w0", "w1"}
    assert pair.left("racer") == LIMIT - 1


def test_at_once_for_two_things_it_is_one_of_them(pair: Pair, request_id: str) -> None:
    callers = 12
    start = threading.Barrier(callers)

    def call(number: int) -> tuple[str, object]:
        operation = ("mask", "detokenise")[number % 2]
        start.wait(10)
        reply = pair.ask("rival", request_id, service=number % 2, operation=operation)
        return operation, _code(reply)

    with ThreadPoolExecutor(callers) as pool:
        outcomes = list(pool.map(call, range(callers)))
    codes = [{code for each, code in outcomes if each == name} for name in ("mask", "detokenise")]
    assert codes in ([{200}, {"request_id_reused"}], [{"request_id_reused"}, {200}])
    assert sorted(pair.recorded(request_id)) == [False] + [True] * (callers // 2 - 1)
    assert pair.left("rival") == LIMIT - 1


def test_whatever_is_another_request_is_refused_and_disturbs_nothing(
    pair: Pair, request_id: str
) -> None:
    token, other = pair.house.tokens[:2]
    assert pair.ask("changer", request_id, operation="mask").status == 200
    changes: list[dict[str, Any]] = [
        {},  # a mask's id for a reveal
        {"operation": "match", "body": {"token": token, "candidate": pair.house.nirs[0]}},
        {"operation": "mask", "purpose": "audit"},
        {"operation": "mask", "end_user": "clerk-2"},
        {"operation": "mask", "body": {"token": other}},
        {"operation": "mask", "body": {"tokens": [token]}},
        {"operation": "mask", "body": {"token": token, "context": "a context"}},
    ]
    for service in (0, 1):
        for change in changes:
            reply = pair.ask("changer", request_id, service=service, **change)
            assert (reply.status, reply.body["code"]) == (409, "request_id_reused"), change
    assert pair.ask("changer", request_id, operation="mask", service=1).status == 200
    assert pair.recorded(request_id) == [False, True]
    assert pair.ask("neighbour", request_id).status == 200, "another principal's id is its own"
    assert pair.recorded(request_id) == [False, True, False]
    assert pair.left("changer") == pair.left("neighbour") == LIMIT - 1


def test_a_refused_request_leaves_its_id_free(pair: Pair, request_id: str) -> None:
    too_many = {"tokens": pair.house.tokens[: LIMIT + 1]}
    refusals = [
        (pair.ask("refused", request_id, too_many), "budget_exhausted"),
        (pair.ask("refused", request_id, {"token": 1}), "malformed_request"),
        (pair.ask("refused", request_id, purpose="display"), "not_allowed"),
        (pair.ask("refused", request_id, operation="tokenise", body={"value": "x"}), "not_allowed"),
        (pair.ask("refused", request_id, operation="detokenize"), "not_found"),
    ]
    assert [_code(reply) for reply, _ in refusals] == [code for _, code in refusals]
    assert pair.ask("refused", request_id, service=1).status == 200
    assert pair.recorded(request_id) == [False]
    assert pair.left("refused") == LIMIT - 1


def _lock(pair: Pair, client: str, *, end_user: str | None, locked: bool) -> None:
    """As an operator's command does: another process on the same folder."""

    async def change() -> None:
        async with open_vault(load(pair.house.service.config, os.environ)) as vault:
            if locked:
                await vault.ledger.lock(client, end_user, "a drill")
            else:
                assert await vault.ledger.unlock(client, end_user)

    asyncio.run(change())


def _soon(ask: Callable[[], Reply], status: int) -> Reply:
    """Services read the locks every second: the first answer of that status."""
    deadline = time.monotonic() + 10
    while (reply := ask()).status != status:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return reply


@pytest.mark.parametrize("end_user", [None, "clerk"])
def test_a_lock_between_refuses_the_repetition(
    pair: Pair, request_id: str, end_user: str | None
) -> None:
    assert pair.ask("locked", request_id).status == 200
    _lock(pair, "locked", end_user=end_user, locked=True)
    for service in (0, 1):
        reply = pair.ask("locked", request_id, service=service)
        assert (reply.status, reply.body["code"]) == (403, "locked")
        unlocked = pair.ask("locked", None, end_user="clerk-2", service=service)
        assert _code(unlocked) == ("locked" if end_user is None else 200)
    assert pair.recorded(request_id) == [False]
    _lock(pair, "locked", end_user=end_user, locked=False)
    _soon(lambda: pair.ask("locked", request_id, service=1), 200)
    assert pair.recorded(request_id) == [False, True]
    _soon(lambda: pair.ask("locked", request_id, service=0), 200)


def test_a_lock_stops_shares_in_hand_and_comes_before_grants(pair: Pair) -> None:
    """Tokenise does not ask the store each time: it is stopped within a second all the same."""
    body = {"value": pair.house.nirs[0]}

    def tokenise(service: int) -> Reply:
        return pair.ask("halted", None, body, operation="tokenise", purpose=None, service=service)

    assert [tokenise(service).status for service in (0, 1) for _ in range(5)] == [200] * 10
    _lock(pair, "halted", end_user=None, locked=True)
    for service in (0, 1):
        reply = _soon(partial(tokenise, service), 403)
        assert reply.body["code"] == "locked"
        not_granted = pair.ask("halted", None, operation="mask", service=service)
        assert not_granted.body["code"] == "locked"
    _lock(pair, "halted", end_user=None, locked=False)
    for service in (0, 1):
        assert _soon(partial(tokenise, service), 200).body == {"token": pair.house.tokens[0]}


def test_repetitions_are_free_so_often_and_then_charged(pair: Pair, request_id: str) -> None:
    codes = [_code(pair.ask("repeater", request_id, service=n % 2)) for n in range(21)]
    assert codes == [200] * (1 + FREE_REPETITIONS + LIMIT - 1) + ["budget_exhausted"]
    assert pair.recorded(request_id) == [False] + [True] * FREE_REPETITIONS + [False] * (LIMIT - 1)


def test_tokenise_is_the_same_whatever_its_id(pair: Pair, request_id: str) -> None:
    """It is convergent: there is nothing to deduplicate, and nothing to refuse."""
    for nir, token in zip(pair.house.nirs, pair.house.tokens, strict=True):
        body = {"value": nir}
        reply = pair.ask("tokeniser", request_id, body, operation="tokenise", purpose=None)
        assert reply.body == {"token": token}
        assert reply.headers["Jeton-Request-Id"] == request_id
    assert pair.ask("tokeniser", request_id).status == 200, "nor has it taken the id"
    assert pair.recorded(request_id) == [False]


def test_known_after_a_restart_and_after_a_kill(pair: Pair) -> None:
    """Of both processes, so nothing is left but what is on the disk; and what is no longer
    granted is not given for having been paid for."""
    service, ids = pair.house.service, {name: str(uuid.uuid4()) for name in CLIENTS}
    for client in ("restarted", "demoted"):
        assert pair.ask(client, ids[client]).status == 200
    for each in pair.services:
        each.stop()
    service.edit(_without_its_reveals)
    for each in pair.services:
        each.start()
    _is_known(pair, "restarted", ids["restarted"])
    reply = pair.ask("demoted", ids["demoted"])
    assert (reply.status, reply.body["code"]) == (403, "not_allowed")
    assert pair.recorded(ids["demoted"]) == [False]
    assert pair.ask("killed", ids["killed"], service=1).status == 200
    for each in pair.services:
        each.kill()
    for each in pair.services:
        each.start()
    _is_known(pair, "killed", ids["killed"])


def _is_known(pair: Pair, client: str, request_id: str) -> None:
    for service in (0, 1):
        assert pair.ask(client, request_id, service=service).body == {"value": pair.house.nirs[0]}
        reply = pair.ask(client, request_id, {"token": pair.house.tokens[1]}, service=service)
        assert (reply.status, reply.body["code"]) == (409, "request_id_reused")
    assert pair.recorded(request_id) == [False, True, True]
    assert pair.left(client) == LIMIT - 1


def _without_its_reveals(config: str) -> str:
    before, name, after = config.partition("[clients.demoted]")
    assert name
    changed = after.replace('operation = "detokenise"', 'operation = "match"', 1)
    assert changed != after
    return before + name + changed
