"""Random tokens of a real service, over HTTP, with two workers: what callers are promised."""

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings

from benchmarks.population import nirs
from tests.support.arrow import MEDIA_TYPE, answered, batch, rows, stream
from tests.support.calls import Place
from tests.support.service import Reply, Service, jeton
from tests.support.thief import add_client, send

pytestmark = pytest.mark.system

TRANSFORMATIONS = """
[transformations.kept]
format = "fr-nir"
method = "vaulted"
context = "optional"

[transformations.born]
format = "birth-date"
method = "vaulted"
context = "required"
person = "context:kept"

[transformations.once]
format = "fr-nir"
method = "vaulted"
convergent = false

[transformations.few]
format = "alphabet"
alphabet = "0123456789"
min_length = 6
max_length = 6
method = "vaulted"
max_fill = 0.0001
"""
NAMES = ("kept", "born", "once", "few")
GRANTS = [
    f"{operation}:{name}:care"
    for operation in ("tokenise", "detokenise", "mask", "match")
    for name in NAMES
]
LARGE = 1_000_000
PLENTY = {f"{kind}.hour": LARGE for kind in ("tokenise", "reveal", "match")}
PLENTY |= {"reveal.day": LARGE, "people.day": LARGE}
NIRS = list(nirs(12, seed=41))
DATES = [f"19{60 + n}-0{1 + n % 9}-{11 + n}" for n in range(12)]
KILLS = 20 if settings.get_current_profile_name() == "long" else 3
SOME = 500
"""People more for the callers after each of them."""
DRAWN = 4
"""What the client `spender` may tokenise in an hour."""


def furnished(service: Service) -> Service:
    service.edit(lambda text: f"{text}\n{TRANSFORMATIONS}")
    clients: dict[str, Mapping[str, int]] = {
        "desk": PLENTY,
        "doctor": PLENTY | {"people.day": 2},
        "spender": PLENTY | {"tokenise.hour": DRAWN},
    }
    for name, limits in clients.items():
        service.credentials[name] = add_client(service.config, name, GRANTS, limits)
    return service


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = furnished(Service.create(tmp_path_factory.mktemp("vaulted")))
    made.start(workers=2)
    yield made
    made.kill()


def ask(
    house: Service, call: str, body: Mapping[str, Any], client: str = "desk", *more: tuple[str, str]
) -> Reply:
    headers = [
        ("Content-Type", "application/json"),
        ("Authorization", f"Bearer {house.credentials[client]}"),
        ("Jeton-Purpose", "care"),
    ]
    return send(house.port, f"/v1/{call}", body, [*headers, *more])


def tokens_of(house: Service, name: str, values: Sequence[str], **more: object) -> list[str]:
    reply = ask(house, f"tokenise/{name}", {"values": values, **more})
    assert reply.status == 200
    assert reply.body["errors"] == []
    return list(reply.body["tokens"])


def same(got: Sequence[object], wanted: Sequence[object]) -> bool:
    """Not `==`: a failing assertion shows neither."""
    return list(got) == list(wanted)


def test_one_and_many_come_back(house: Service) -> None:
    token = ask(house, "tokenise/kept", {"value": NIRS[0]}).body["token"]
    tokens = tokens_of(house, "kept", NIRS)
    assert same(tokens[:1], [token])
    assert len({*tokens, *NIRS}) == 2 * len(NIRS)
    refused = ask(house, "tokenise/kept", {"values": tokens})
    assert [error["code"] for error in refused.body["errors"]] == ["invalid_value"] * len(NIRS)
    opened = ask(house, "detokenise/kept", {"token": token})
    assert same([opened.body["value"]], NIRS[:1])
    assert opened.headers["Jeton-Receipt"]
    opened = ask(house, "detokenise/kept", {"tokens": [*tokens, "3", NIRS[0]]})
    assert same(opened.body["values"], [*NIRS, None, None])
    assert [(e["index"], e["code"]) for e in opened.body["errors"]] == [
        (12, "not_a_token"),
        (13, "not_a_token"),
    ]


def test_contexts_are_bound(house: Service) -> None:
    plain, bound = (
        tokens_of(house, "kept", NIRS[:2]),
        tokens_of(house, "kept", NIRS[:2], context="a"),
    )
    each = tokens_of(house, "kept", NIRS[:2], contexts=["a", "b"])
    assert same(each[:1], bound[:1])
    assert len({*plain, *bound, *each}) == 5
    opened = ask(house, "detokenise/kept", {"tokens": each, "contexts": ["a", "b"]})
    assert same(opened.body["values"], NIRS[:2])
    for wrong in ({"token": each[0]}, {"token": each[0], "context": "b"}):
        reply = ask(house, "detokenise/kept", wrong)
        assert (reply.status, reply.body["code"]) == (422, "not_a_token")
    unknown = ask(house, "detokenise/kept", {"token": tokens_of(house, "once", NIRS[:1])[0]})
    assert unknown.body["detail"] == reply.body["detail"], "unknown and foreign, in the same words"
    missing = ask(house, "tokenise/born", {"value": DATES[0]})
    assert (missing.status, missing.body["code"]) == (422, "context_required")


def test_mask_and_match(house: Service) -> None:
    tokens = tokens_of(house, "kept", NIRS[:2])
    masked = ask(house, "mask/kept", {"tokens": tokens}).body["masked"]
    assert same(masked, [nir[:3] + "*" * 12 for nir in NIRS[:2]])
    matched = ask(house, "match/kept", {"tokens": tokens, "candidates": [NIRS[0]] * 2})
    assert matched.body["matches"] == [True, False]


def test_arrow_with_entries_and_nulls(house: Service) -> None:
    entries = pa.DictionaryArray.from_arrays(
        pa.array([1, None, 0, 1, 2], pa.int8()), pa.array([*NIRS[:2], "no number"])
    )
    got = arrow(house, "tokenise/kept", stream(batch(value=entries)))
    assert [code for _, code in got] == [None] * 4 + ["invalid_value"]
    tokens = [token for token, _ in got]
    first, second = tokens_of(house, "kept", NIRS[:2])
    assert same(tokens, [second, None, first, second, None])
    texts = pa.array([*tokens[:4], "3"]).dictionary_encode()
    opened = arrow(house, "detokenise/kept", stream(batch(token=texts)))
    assert same([text for text, _ in opened], [NIRS[1], None, NIRS[0], NIRS[1], None])
    assert [code for _, code in opened] == [None] * 4 + ["not_a_token"]


def arrow(house: Service, call: str, body: bytes) -> list[tuple[Any, Any]]:
    connection = Place(house.port).connect()
    headers = {"Authorization": f"Bearer {house.credentials['desk']}", "Jeton-Purpose": "care"}
    connection.request("POST", f"/v1/{call}", body, {**headers, "Content-Type": MEDIA_TYPE})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200
    return rows(answered(content))


def test_fresh_tokens_and_their_request_ids(house: Service) -> None:
    """Each time others; under one id the same, charged once, and on the record each time."""
    body, one = {"values": NIRS[:2]}, {"value": NIRS[0]}
    fresh = [token for _ in range(3) for token in tokens_of(house, "once", NIRS[:2])]
    assert len(set(fresh)) == 6
    chosen = str(uuid.uuid4())
    header = ("Jeton-Request-Id", chosen)
    replies = [ask(house, "tokenise/once", body, "spender", header) for _ in range(6)]
    assert [reply.status for reply in replies] == [200] * 6
    assert all(reply.body == replies[0].body for reply in replies)
    assert not {*replies[0].body["tokens"]} & {*fresh}
    reused = ask(house, "tokenise/once", one, "spender", header)
    assert (reused.status, reused.body["code"]) == (409, "request_id_reused")
    opened = ask(house, "detokenise/once", {"tokens": [*replies[0].body["tokens"], *fresh]})
    assert same(opened.body["values"], NIRS[:2] * 4)
    others = [ask(house, "tokenise/once", one, "spender").status for _ in range(DRAWN - 1)]
    assert others == [200] * (DRAWN - 2) + [429], "charged once"
    recorded = [entry for entry in record(house) if entry.get("request_id") == chosen]
    assert [(e["operation"], e["transformation"], e["items"]) for e in recorded] == [
        ("tokenise", "once", 2)
    ] * 6
    assert sorted(bool(entry.get("duplicate")) for entry in recorded) == [False] + [True] * 5


def record(house: Service) -> list[dict[str, Any]]:
    exported = jeton("audit", "export", "--config", str(house.config))
    return [json.loads(line) for line in exported.splitlines()]


def test_a_full_format_says_so(house: Service) -> None:
    values = [f"{n:06d}" for n in range(300)]
    many = ask(house, "tokenise/few", {"values": values})
    assert many.status == 200
    assert {error["code"] for error in many.body["errors"]} == {"domain_exhausted"}
    failed = {error["index"] for error in many.body["errors"]}
    assert 300 - 64 <= len(failed) < 300
    alone = ask(house, "tokenise/few", {"value": values[min(failed)]})
    assert (alone.status, alone.body["code"]) == (507, "domain_exhausted")
    kept = min({*range(300)} - failed)
    again = ask(house, "tokenise/few", {"value": values[kept]})
    assert same([again.body["token"]], [many.body["tokens"][kept]])


def test_a_number_and_its_date_are_one_person(house: Service) -> None:
    """`doctor` may see two people a day."""
    tokens = tokens_of(house, "kept", NIRS[3:6])
    dates = tokens_of(house, "born", DATES[3:6], contexts=tokens)
    for number in (0, 1):
        opened = ask(house, "detokenise/kept", {"token": tokens[number]}, "doctor")
        assert same([opened.body["value"]], [NIRS[3 + number]])
        date = {"token": dates[number], "context": tokens[number]}
        opened = ask(house, "detokenise/born", date, "doctor")
        assert same([opened.body["value"]], [DATES[3 + number]])
    third = {"token": dates[2], "context": tokens[2]}
    refused = ask(house, "detokenise/born", third, "doctor")
    assert (refused.status, refused.body["code"]) == (429, "budget_exhausted")
    assert ask(house, "detokenise/born", third).status == 200
    assert ask(house, "detokenise/kept", {"token": tokens[0]}, "doctor").status == 200


def test_transformations_say_how(house: Service) -> None:
    listed = house.get("v1/transformations", house.credentials["desk"]).body["transformations"]
    assert {one["name"]: one["method"] for one in listed} == dict.fromkeys(NAMES, "vaulted")


def test_a_hundred_callers_race_for_one_token(house: Service) -> None:
    callers = 100
    start = threading.Barrier(callers)
    (value,) = nirs(1, seed=43)
    headers = {
        "Authorization": f"Bearer {house.credentials['desk']}",
        "Content-Type": "application/json",
        "Jeton-Purpose": "care",
    }

    def call(_: int) -> str:
        connection = Place(house.port).connect()
        connection.connect()
        start.wait(30)
        connection.request("POST", "/v1/tokenise/kept", json.dumps({"value": value}), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        connection.close()
        assert answer.status == 200
        return str(body["token"])

    with ThreadPoolExecutor(callers) as pool:
        tokens = set(pool.map(call, range(callers)))
    assert len(tokens) == 1


class Load:
    """Callers that tokenise until the service dies; which tokens they were answered."""

    def __init__(self, house: Service, people: Sequence[str]) -> None:
        self._house, self._people = house, people
        self.acknowledged: list[tuple[str, str]] = []
        self.some = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(4)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def _call(self, start: int) -> None:
        while True:
            values = [self._people[(start + n) % len(self._people)] for n in range(10)]
            start += 5  # so that callers race, and values come again
            try:
                reply = ask(self._house, "tokenise/kept", {"values": values})
            except (OSError, HTTPException, ValueError):
                return
            assert reply.status == 200
            self.acknowledged += zip(values, reply.body["tokens"], strict=True)
            self.some.release()


def test_killed_under_load(new_service: Callable[[], Service]) -> None:
    house = furnished(new_service()).start(workers=2)
    people, chance = list(nirs(KILLS * SOME + 1_000, seed=47)), Random(47)
    known: dict[str, str] = {}
    for kill in range(KILLS):
        with Load(house, people[kill * SOME :]) as load:
            for _ in range(40 + chance.randrange(20)):
                load.some.acquire(timeout=30)
            house.kill()
        house.start(workers=2)
        for value, token in load.acknowledged:
            assert same([known.setdefault(value, token)], [token]), "a value with two tokens"
        tokens = list(known.values())
        opened = ask(house, "detokenise/kept", {"tokens": tokens})
        assert same(opened.body["values"], list(known))
    values_known, tokens_known = len(known), len({*known.values()})
    assert tokens_known == values_known > 100
    print(f"{KILLS} times killed: {len(known)} values, none lost, none with two tokens")
    found = json.loads(jeton("vault", "verify", "kept", "--json", "--config", str(house.config)))
    assert found.pop("tokens") >= len(known)
    assert set(found.values()) == {0}
