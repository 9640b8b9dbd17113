"""The Sigma rules find what they are for, in real events in a real database, and nothing else."""

import importlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from benchmarks.population import nirs
from tests.monitoring.rules import FOLDER
from tests.support.components import need_module
from tests.support.records import disclosure
from tests.support.service import Service, jeton
from vault.audit.entry import Entry, Event, Refusals, Tokenised, timestamp
from vault.audit.ocsf import event

SIGMA = FOLDER / "sigma"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def at(seconds: float, start: datetime = NOON) -> str:
    return timestamp((start + timedelta(seconds=seconds)).timestamp())


def shown(number: int = 1, every: float = 1, start: datetime = NOON, **said: Any) -> list[Entry]:
    found: list[Entry] = [
        disclosure(**{"seq": place + 1, "time": at(place * every, start)} | said)
        for place in range(number)
    ]
    return found


def refused(number: int, every: float = 1, **said: Any) -> list[Entry]:
    facts: dict[str, Any] = {"principal": "portal", "code": "not_allowed", "count": 3}
    return [Refusals(time=at(place * every), **facts | said) for place in range(number)]


def flat(told: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, Mapping):
            row |= flat(value, f"{prefix}{name}.")
        else:
            row[f"{prefix}{name}"] = json.dumps(value) if isinstance(value, list) else value
    return row


def found(file: Path, entries: Sequence[Entry]) -> int:
    """How many alarms the rules of a file raise over the events of these entries."""
    return alarms(file, [event("w0", entry) for entry in (*entries, *CALM)])


def alarms(file: Path, events: Sequence[Mapping[str, Any]]) -> int:
    need_module("sigma.backends.sqlite")
    collection = importlib.import_module("sigma.collection").SigmaCollection
    backend = importlib.import_module("sigma.backends.sqlite").sqliteBackend()
    rows = [flat(one) for one in events]
    columns = sorted({"unmapped.end_user", *(name for row in rows for name in row)})
    database = sqlite3.connect(":memory:")
    names = ", ".join(f'"{name}"' for name in ("timestamp", *columns))
    database.execute(f"CREATE TABLE logs ({names})")
    for row in rows:
        values = [row["metadata.original_time"], *(row.get(name) for name in columns)]
        database.execute(f"INSERT INTO logs VALUES ({', '.join('?' * len(values))})", values)
    queries = backend.convert(collection.from_yaml(file.read_text("utf-8")))
    assert queries
    raised = sum(
        len(database.execute(query.replace("<TABLE_NAME>", "logs")).fetchall()) for query in queries
    )
    database.close()
    return raised


CALM: list[Entry] = [
    *shown(20, every=20),
    *refused(5, every=30),
    Tokenised(time=at(0), principal="portal", transformation="fr-nir", items=50_000),
    Event(time=at(0), name="start"),
    Event(time=at(0), name="lock", detail={"principal": "portal"}),
]  # fmt: skip
"""A day at work: no rule says anything of it."""

NIGHT, MORNING = NOON + timedelta(hours=10), NOON + timedelta(hours=17)
TRAPPED = Event(time=at(0), name="honeytoken", detail={"principal": "portal", "locked": 1})
UNLOCKED = Event(time=at(0), name="unlock", detail={"principal": "honeytoken"})
HIT: dict[str, list[list[Entry]]] = {
    "bulk_reveal": [shown(60), shown(items=1_001), shown(60, every=4, operation="mask")],
    "new_principal": [shown(principal="stranger"), shown(principal="portal2", operation="match")],
    "off_hours": [shown(start=NIGHT, end_user="dr-who"), shown(2, start=NIGHT, end_user="x")],
    "burst_of_refusals": [refused(12), refused(12, every=20, principal="reimbursement")],
    "honeytoken": [[TRAPPED]],
}
MISS: dict[str, list[list[Entry]]] = {
    "bulk_reveal": [
        shown(60, every=20),
        shown(items=1_000),
        [*shown(30), *shown(30, principal="portal")],
    ],
    "new_principal": [shown(principal="portal"), refused(1, principal="stranger")],
    "off_hours": [
        shown(start=NIGHT),
        shown(start=NOON, end_user="dr-who"),
        shown(start=MORNING, end_user="dr-who"),
    ],
    "burst_of_refusals": [
        refused(12, every=60, principal="reimbursement"),
        [*refused(4), *refused(9, principal="reimbursement")],
    ],
    "honeytoken": [[UNLOCKED]],
}
RULES = sorted(path.stem for path in SIGMA.glob("*.yml"))


@pytest.mark.parametrize("name", RULES)
def test_a_rule_finds_what_it_is_for_and_nothing_else(name: str) -> None:
    file = SIGMA / f"{name}.yml"
    assert found(file, []) == 0
    for entries in HIT[name]:
        assert found(file, entries) > 0
    for entries in MISS[name]:
        assert found(file, entries) == 0


def test_they_are_five_with_ids_of_their_own() -> None:
    assert set(RULES) == HIT.keys() == MISS.keys()
    assert len(RULES) == 5
    ids = [
        rule["id"]
        for path in SIGMA.glob("*.yml")
        for rule in yaml.safe_load_all(path.read_text("utf-8"))
    ]
    assert len(set(ids)) == len(ids)


def test_they_ask_for_fields_that_events_have() -> None:
    have = set[str]()
    sample: list[Entry] = [*CALM, *HIT["honeytoken"][0], *shown(end_user="x")]
    for entry in sample:
        have |= flat(event("w0", entry)).keys()
    for path in SIGMA.glob("*.yml"):
        for rule in yaml.safe_load_all(path.read_text("utf-8")):
            for name, part in rule.get("detection", {}).items():
                if name != "condition":
                    assert {field.partition("|")[0] for field in part} <= have


@pytest.mark.system
def test_they_find_what_a_real_service_recorded_and_ship_sent(tmp_path: Path) -> None:
    service = Service.create(tmp_path)
    grants = ["tokenise:fr-nir", "detokenise:fr-nir:care"]
    desk = service.add_client("desk", grants, {"reveal.hour": 5_000, "people.day": 5_000})
    planted = jeton(
        "honeytokens", "plant", "--json", "--count", "1", "--config", str(service.config), "fr-nir"
    )
    service.start()
    try:
        values = list(nirs(1_001))
        tokens = service.post("tokenise/fr-nir", {"values": values}, desk).body["tokens"]
        for _ in range(51):
            body = {"token": tokens[0]}
            assert service.post("detokenise/fr-nir", body, desk, "care").status == 200
        assert service.post("detokenise/fr-nir", {"tokens": tokens}, desk, "care").status == 200
        honey = {"token": json.loads(planted)[0]["fr-nir"]}
        assert service.post("detokenise/fr-nir", honey, desk, "care").status == 403
    finally:
        service.stop()
    with Events() as events:
        jeton(
            *("audit", "ship", "--once", "--config", str(service.config)),
            *("--to", events.url, "--cursor", str(tmp_path / "cursor")),
        )
    for name in ("bulk_reveal", "new_principal", "honeytoken"):
        assert alarms(SIGMA / f"{name}.yml", events.taken) > 0, name


class Events(HTTPServer):
    """A SIEM's way in: keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Events)
        self.taken: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def __enter__(self) -> "Events":
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Events(BaseHTTPRequestHandler):
    server: Events

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken += map(json.loads, body.splitlines())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...
