"""The description is true to the code: its routes, bodies, answers and codes are the real ones."""

import json
import re
from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from tests.support.asgi import ask
from tests.support.door import CREDENTIAL, SmallDoor
from vault.config import Operation, Server
from vault.errors import Refusal
from vault.web import Application, Holder
from vault.web.json_body import JSON
from vault.web.openapi import CALL_CODES, ITEM_CODES, document
from vault.web.problem import STATUS

SETTINGS = Server(max_items=3)
DOCUMENT = document(SETTINGS)
HEADERS = [("Authorization", f"Bearer {CREDENTIAL}"), ("Content-Type", "application/json")]
OPERATIONS: list[Operation] = ["tokenise", "detokenise", "mask", "match"]
ONE = {"value": "1", "token": "91", "candidate": "1", "context": "c"}
MANY: dict[str, Any] = {name + "s": [text, text] for name, text in ONE.items()}


def post(operation: str) -> dict[str, Any]:
    described: dict[str, Any] = DOCUMENT["paths"][f"/v1/{operation}/{{transformation}}"]["post"]
    return described


def fits(schema: Any, content: Any) -> bool:
    """With the document's components within reach of its references."""
    whole = {**schema, "components": DOCUMENT["components"]}
    return bool(jsonschema.Draft202012Validator(whole).is_valid(content))


def test_the_document_is_openapi_3_1() -> None:
    validate(DOCUMENT)
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


async def test_every_described_path_answers_and_is_described_as_served() -> None:
    app = Application(Holder(SmallDoor()), SETTINGS)
    for path, methods in DOCUMENT["paths"].items():
        for method, described in methods.items():
            open_path = path.replace("{transformation}", "digits")
            body = b'{"value":"1"}' if path.startswith("/v1/tok") else b'{"token":"91"}'
            if "match" in path:
                body = b'{"token":"91","candidate":"8"}'
            reply = await ask(app, method.upper(), open_path, HEADERS, body)
            assert reply is not None
            assert reply.status == 200, path
            media = (reply["content-type"] or "").partition(";")[0]
            answer = described["responses"]["200"]
            assert media in answer["content"]
            if media == "application/json":
                assert fits(answer["content"][media]["schema"], reply.json)
            asks = bool(described.get("security"))
            anonymous = await ask(app, method.upper(), open_path, HEADERS[1:], body)
            assert anonymous is not None
            assert (anonymous.status == 401) is asks
            assert ("401" in described["responses"]) is asks


def test_metrics_are_described_where_they_are() -> None:
    assert "/metrics" in DOCUMENT["paths"]
    assert "/metrics" not in document(Server(metrics_port=9_100))["paths"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_bodies_are_described_as_they_are_read(operation: Operation) -> None:
    """All combinations of all members, and each with a fault."""
    schema = post(operation)["requestBody"]["content"]["application/json"]["schema"]
    codec = JSON(SETTINGS.max_items, 10_000)
    seen = set()
    for body in _bodies():
        try:
            codec.decode(operation, json.dumps(body).encode())
        except Refusal:
            accepted = False
        else:
            accepted = True
        uneven = len({len(value) for value in body.values() if isinstance(value, list)}) > 1
        assert fits(schema, body) is accepted or uneven, body  # JSON Schema cannot compare lengths
        seen.add(accepted)
    assert seen == {True, False}


def _bodies() -> Iterator[dict[str, Any]]:
    whole = ONE | MANY
    for size in range(6):
        for names in combinations(whole, size):
            body = {name: whole[name] for name in names}
            yield body
    for single, faulty in product(whole, ["", [], ["1"] * 4, [None], [""], None, 1, "x" * 257, {}]):
        for rest in ({"value": "1"}, {"values": ["1", "1"]}, {"token": "1"}, {"tokens": ["1"] * 2}):
            yield rest | {single: faulty}
    yield {"value": "1", "other": "1"}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_answers_are_as_described(operation: Operation) -> None:
    app = Application(Holder(SmallDoor()), SETTINGS)
    schema = post(operation)["responses"]["200"]["content"]["application/json"]["schema"]
    item, items = ("value", "values") if operation == "tokenise" else ("token", "tokens")
    bodies: list[dict[str, Any]] = [
        {item: "1" if operation == "tokenise" else "91"},
        {items: ["1", "91", "x"]},
        {items: []},
    ]
    if operation == "match":
        bodies[0]["candidate"] = "1"
        for batch in bodies[1:]:
            batch["candidates"] = ["1"] * len(batch[items])
    for body in bodies:
        path = f"/v1/{operation}/digits"
        reply = await ask(app, "POST", path, HEADERS, json.dumps(body).encode())
        assert reply is not None
        assert reply.status == 200
        assert fits(schema, reply.json), reply.json
        described = post(operation)["responses"]["200"]["headers"]
        assert ("Jeton-Receipt" in described) is (reply["jeton-receipt"] is not None)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("code", sorted(STATUS))
async def test_codes_are_described_with_their_status(operation: Operation, code: str) -> None:
    app = Application(Holder(SmallDoor(refusal=Refusal(code, "why"))), SETTINGS)
    body = b'{"value":"1"}' if operation == "tokenise" else b'{"token":"91"}'
    if operation == "match":
        body = b'{"token":"91","candidate":"8"}'
    reply = await ask(app, "POST", f"/v1/{operation}/digits", HEADERS, body)
    assert reply is not None
    responses = post(operation)["responses"]
    possible = code in CALL_CODES or code in ITEM_CODES[operation]
    described = responses.get(str(reply.status))
    if described is None:
        assert not possible
        return
    schema = described["content"]["application/problem+json"]["schema"]
    assert fits(schema, reply.json) is possible
    if possible:
        named = {name.lower() for name in described["headers"]}
        assert ("retry-after" in named) is (reply["retry-after"] is not None)
        assert ("www-authenticate" in named) is (reply["www-authenticate"] is not None)


def test_every_code_can_come() -> None:
    """Those of no described path apart."""
    text = json.dumps(DOCUMENT["paths"])
    missing = {code for code in STATUS if not re.search(f'"{code}"', text)}
    assert missing == {"not_found", "method_not_allowed"}
