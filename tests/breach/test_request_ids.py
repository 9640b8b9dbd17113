"""A request id is its principal's own: to know one gives nobody anything."""

import uuid
from typing import Any

import pytest

from tests.support.service import Reply
from tests.support.thief import Clients, House

pytestmark = [pytest.mark.breach, pytest.mark.system]

ONE = {"people.day": 1, "reveal.hour": 3}
CLIENTS: Clients = {
    "owner": (["detokenise:fr-nir:care", "mask:fr-nir:care"], ONE),
    "neighbour": (["detokenise:fr-nir:care"], ONE),
    "stranger": (["mask:fr-nir:care"], ONE),
    "spender": (["detokenise:fr-nir:care"], ONE),
    "changer": (
        ["detokenise:fr-nir:care", "detokenise:fr-nir:audit", "mask:fr-nir:care"],
        {"people.day": 1},
    ),
}
PEOPLE = 5
WORKERS = 2


def _ask(
    house: House,
    client: str,
    request_id: str,
    person: int = 0,
    operation: str = "detokenise",
    purpose: str = "care",
) -> Reply:
    body: dict[str, Any] = {"token": house.tokens[person]}
    headers = [("Jeton-Request-Id", request_id)]
    return house.thief(client, purpose).ask(operation, body, headers=headers)


def test_somebody_elses_request_id_gives_nothing(house: House) -> None:
    request_id = str(uuid.uuid4())
    assert _ask(house, "owner", request_id).body == {"value": house.nirs[0]}
    refused = _ask(house, "stranger", request_id)
    assert (refused.status, refused.body["code"]) == (403, "not_allowed")
    assert house.leaks(refused) == []
    # Who has the grant as well pays as for any request: it was no repetition of their own.
    assert _ask(house, "neighbour", request_id).status == 200
    other = _ask(house, "neighbour", str(uuid.uuid4()), person=1)
    assert (other.status, other.body["code"]) == (429, "budget_exhausted")


def test_ones_own_id_is_charged_once_and_only_for_the_same_request(house: House) -> None:
    request_id = str(uuid.uuid4())
    for sent in (request_id, request_id.upper(), *[request_id] * 8):
        assert _ask(house, "spender", sent).body == {"value": house.nirs[0]}
    changed = _ask(house, "spender", request_id, person=1)
    assert (changed.status, changed.body["code"]) == (409, "request_id_reused")
    assert house.leaks(changed) == []


def test_an_id_buys_nothing_else_than_it_paid_for(house: House) -> None:
    request_id = str(uuid.uuid4())
    assert _ask(house, "changer", request_id, operation="mask").status == 200
    for reply in (
        _ask(house, "changer", request_id),
        _ask(house, "changer", request_id, operation="mask", person=1),
        _ask(house, "changer", request_id, purpose="audit"),
    ):
        assert (reply.status, reply.body["code"]) == (409, "request_id_reused")
        assert house.leaks(reply) == []


def test_a_refused_id_is_refused_again(house: House) -> None:
    assert _ask(house, "owner", str(uuid.uuid4())).status == 200
    request_id = str(uuid.uuid4())
    for _ in range(3):
        reply = _ask(house, "owner", request_id, person=2)
        assert (reply.status, reply.body["code"]) == (429, "budget_exhausted")


def test_no_id_but_a_uuid(house: House) -> None:
    for sent in ("", "1", "0" * 32, str(uuid.uuid4()) + "0", "{" + str(uuid.uuid4()) + "}"):
        reply = _ask(house, "owner", sent)
        assert (reply.status, reply.body["code"]) == (400, "malformed_request")
