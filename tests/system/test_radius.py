"""What `jeton check-config` prints is what thieves get from the service: all of it, no more."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Service, jeton
from tests.support.thief import House, Thief

pytestmark = pytest.mark.system

FILES = """
[transformations.files]
format = "digits"
context = "required"
person = "context"

"""
SHARED = "every file"
"""The one context that all numbers of files are tokenised under, so that all are one person."""

CLIENTS: Mapping[str, tuple[Sequence[str], Mapping[str, int]]] = {
    "everything": (
        ["detokenise:fr-nir", "mask:fr-nir", "match:fr-nir", "detokenise:birth-date"],
        {
            "reveal.hour": 60,
            "reveal.day": 90,
            "match.hour": 25,
            "people.day": 70,
            "end_user.people.day": 10,
            "end_user.reveal.hour": 10,
        },
    ),
    "values": (
        ["mask:fr-nir", "match:fr-nir"],
        {"reveal.hour": 20, "match.hour": 15, "people.day": 1_000},
    ),
    "daily": (["detokenise:fr-nir"], {"reveal.day": 30}),
    "hourly": (
        ["detokenise:fr-nir", "match:fr-nir"],
        {"people.hour": 12, "reveal.hour": 30, "match.hour": 30},
    ),
    "files": (["detokenise:files"], {"reveal.hour": 50, "people.day": 3}),
    "both": (
        ["detokenise:files", "detokenise:fr-nir"],
        {"reveal.hour": 40, "people.day": 5, "end_user.people.day": 2},
    ),
    "tokeniser": (["tokenise:fr-nir"], {}),
}
PEOPLE = 900
THIEVES = 4
WORKERS = 2


@dataclass
class Data:
    """The stolen database: of each person the tokens of number, birth date and file."""

    house: House
    dates: list[str]
    files: list[str]
    names: Iterator[int] = field(default_factory=lambda: count(1))

    def body(self, transformation: str, people: Sequence[int]) -> dict[str, Any]:
        nirs = [self.house.tokens[one] for one in people]
        if transformation == "birth-date":
            return {"tokens": [self.dates[one] for one in people], "contexts": nirs}
        if transformation == "files":
            return {"tokens": [self.files[one] for one in people], "context": SHARED}
        return {"tokens": nirs}


@dataclass
class Loot:
    people: set[int] = field(default_factory=set)
    values: int = 0
    guesses: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, operation: str, people: Sequence[int]) -> None:
        with self.lock:
            self.people.update(people)
            if operation == "match":
                self.guesses += len(people)
            else:
                self.values += len(people)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Data]:
    service = Service.create(tmp_path_factory.mktemp("radius"))
    service.edit(lambda text: text.replace("[clients.intake]", f"{FILES}[clients.intake]"))
    for name, (grants, limits) in CLIENTS.items():
        purpose = "" if name == "tokeniser" else ":theft"
        service.add_client(name, [f"{grant}{purpose}" for grant in grants], limits)
    registry = service.add_client("registry", ["tokenise:files"])
    service.start(WORKERS)
    try:
        house = House(service)
        house.fill(PEOPLE)
        days = [f"19{40 + at % 60}-0{1 + at % 9}-{10 + at % 19}" for at in range(PEOPLE)]
        numbers = {"values": [f"{at:012d}" for at in range(PEOPLE)], "context": SHARED}
        files = service.post("tokenise/files", numbers, registry).body["tokens"]
        yield Data(house, house.dates(house.tokens, days), files)
    finally:
        service.stop()


@pytest.fixture(scope="module")
def printed(data: Data) -> dict[str, Any]:
    said = jeton("check-config", "--json", "--config", str(data.house.service.config))
    clients: dict[str, Any] = json.loads(said)["clients"]
    return clients


def steal(data: Data, client: str) -> Loot:
    """Several thieves at once: first everybody new, then those known already, until not even
    one more value is answered; nobody asks twice for the same end user."""
    loot, strangers = Loot(), count()
    grants = [grant.split(":") for grant in CLIENTS[client][0]]

    def rob() -> None:
        thief = data.house.thief(client, "theft")
        for known in (False, True):
            for operation, transformation in grants:
                step = 5
                while step:
                    if known:
                        people = (sorted(loot.people) * step)[:step]
                    else:
                        people = [next(strangers) for _ in range(step)]
                    if ask(data, thief, operation, transformation, people):
                        loot.add(operation, people)
                    else:
                        step //= 2

    threads = [threading.Thread(target=rob) for _ in range(THIEVES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert next(strangers) < PEOPLE
    return loot


def ask(
    data: Data, thief: Thief, operation: str, transformation: str, people: Sequence[int]
) -> bool:
    body = data.body(transformation, people)
    if operation == "match":
        body["candidates"] = [data.house.nirs[one] for one in people]
    reply = thief.ask(operation, body, f"nobody-{next(data.names)}", transformation=transformation)
    if reply.status == 200:
        assert reply.body["errors"] == []
        return True
    assert reply.body["code"] == "budget_exhausted"
    assert data.house.leaks(reply) == []
    return False


@pytest.mark.parametrize("client", ["everything", "values", "daily", "hourly", "files"])
def test_thieves_get_what_is_printed(data: Data, printed: dict[str, Any], client: str) -> None:
    loot, said = steal(data, client), printed[client]
    assert len(loot.people) == said["people_per_hour"] <= said["people_per_day"]
    assert loot.values <= said["reveals_per_hour"] <= said["reveals_per_day"]
    assert loot.guesses <= said["matches_per_hour"] <= said["matches_per_day"]
    assert loot.values + loot.guesses == said["reveals_per_hour"] + said["matches_per_hour"]


def test_where_some_count_as_one_and_others_do_not(data: Data, printed: dict[str, Any]) -> None:
    loot, said = steal(data, "both"), printed["both"]
    assert 5 < len(loot.people) <= said["people_per_hour"] == 40
    assert loot.values == 40
    assert "files" in said["uncounted"]


def test_who_may_only_tokenise_reveals_nobody(data: Data, printed: dict[str, Any]) -> None:
    thief = data.house.thief("tokeniser", "theft")
    for operation in ("detokenise", "mask", "match"):
        body = data.body("fr-nir", [0]) | ({"candidates": ["x"]} if operation == "match" else {})
        assert thief.ask(operation, body).body["code"] == "not_allowed"
    assert printed["tokeniser"]["people_per_day"] == 0
    assert printed["tokeniser"]["tables"][0]["seconds"] == 0


def test_a_gate_for_pipelines(data: Data, tmp_path: Path) -> None:
    config = str(data.house.service.config)
    jeton("check-config", "--config", config, "--max-people-per-day", "3000")
    with pytest.raises(AssertionError, match=r"exit 2\n(.*\n)*.*reimbursement \(2,000\)"):
        jeton("check-config", "--config", config, "--max-people-per-day", "1999")
