"""What happens in the demonstration, as facts: fill, read, rob, look at the record.

Nothing here prints. Every number in a `Story` was counted from answers of the running
service, from the bytes of the database, or from the record.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vault.demo import claims
from vault.demo.claims import Row
from vault.demo.client import Caller, Reply, initialise, running
from vault.demo.population import Person, population

SHOWN = 10
STEP = 50
"""How many tokens a thief asks for at a time."""
CLERK = "clerk-0042"
OK = 200

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Line:
    """One insured person as three viewers see them."""

    stored: Row
    reimbursement: Row
    phished: Row
    remark: str


@dataclass(frozen=True, slots=True)
class Breach:
    """What each thief tried and got, in people."""

    database_rows: int
    values_in_database: int
    attempts: dict[str, int]
    """Answers to the phished account's attempts to reveal, by status and code."""
    phished_values: int
    masked_people: int
    """People of whom the phished account's screen would still show sex and year of birth."""
    masked_refusal: str
    machine_people: int
    machine_limit: int
    machine_refusal: str


@dataclass(frozen=True, slots=True)
class Record:
    """What the tamper-evident record says afterwards."""

    verified: bool
    entries: dict[str, int]
    people_by_client: dict[str, int]
    refusals: dict[str, int]
    receipt: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the demonstration found out."""

    people: int
    claims: int
    lines: list[Line]
    breach: Breach
    record: Record


def play(count: int, tell: Tell) -> Story:
    """Run the whole demonstration in a temporary folder that is removed at the end.

    Raises SetUpError where the service cannot be started or refuses its own population.
    """
    with tempfile.TemporaryDirectory(prefix="jeton-demo-") as name:
        folder = Path(name)
        tell("making keys, a configuration and credentials")
        config, credentials = initialise(folder / "jeton-data")
        with running(config) as port:
            people = list(population(count))
            tell(f"tokenising {count:,} people through the running service")
            made = _fill(folder / "claims.db", people, Caller(port, credentials["intake"]))
            tell("reading ten rows as three different viewers")
            machine = Caller(port, credentials["reimbursement"], "reimbursement")
            portal = Caller(port, credentials["portal"], "display")
            lines, receipt = _lines(folder / "claims.db", people, machine, portal)
            tell("replaying the breach")
            breach = _breach(folder / "claims.db", people, config, (port, credentials, portal))
        tell("reading the record")
        record = _record(config, receipt)
    return Story(count, made, lines, breach, record)


def _fill(path: Path, people: list[Person], intake: Caller) -> int:
    nirs = intake.tokenise("fr-nir", [person.nir for person in people])
    dates = intake.tokenise("birth-date", [person.birth_date for person in people], nirs)
    stored = zip(people, nirs, dates, strict=True)
    return claims.fill(path, ((p.first_name, nir, born, p.insurer) for p, nir, born in stored))


def _chosen(people: list[Person]) -> list[int]:
    """Ten row numbers: the first of every remark, then the first rows."""
    first: dict[str, int] = {}
    for number, person in enumerate(people, 1):
        first.setdefault(person.remark, number)
    special = [number for remark, number in first.items() if remark]
    others = [number for number in range(1, len(people) + 1) if number not in special]
    return sorted([*special, *others][:SHOWN])


def _lines(
    path: Path, people: list[Person], machine: Caller, portal: Caller
) -> tuple[list[Line], str]:
    ids = _chosen(people)
    stored = claims.rows(path, ids)
    tokens = [row.nir for row in stored]
    nirs = machine.call("detokenise", "fr-nir", {"tokens": tokens})
    born = {"tokens": [row.birth_date for row in stored], "contexts": tokens}
    dates = machine.call("detokenise", "birth-date", born)
    masked = portal.call("mask", "fr-nir", {"tokens": tokens}, end_user=CLERK)
    lines = []
    for at, row in enumerate(stored):
        seen = replace(row, nir=nirs.body["values"][at], birth_date=dates.body["values"][at])
        screen = replace(row, nir=masked.body["masked"][at])
        lines.append(Line(row, seen, screen, people[ids[at] - 1].remark))
    return lines, nirs.receipt


def _breach(
    path: Path,
    people: list[Person],
    config: Path,
    service: tuple[int, dict[str, str], Caller],
) -> Breach:
    port, credentials, portal = service
    rows = claims.rows(path)
    tokens = [row.nir for row in rows]
    attempts: Counter[str] = Counter()
    values = 0
    nobody = Caller(port, None, "display")
    for at in range(0, len(tokens), STEP):
        body = {"tokens": tokens[at : at + STEP]}
        for reply in (
            nobody.call("detokenise", "fr-nir", body),
            portal.call("detokenise", "fr-nir", body, end_user=CLERK),
        ):
            attempts[f"{reply.status} {reply.code}"] += 1
            values += len(reply.body.get("values", []))
    masked, no_more = _steal(tokens, portal, "mask", CLERK)
    machine = Caller(port, credentials["reimbursement"], "reimbursement")
    stolen, refusal = _steal(tokens, machine, "detokenise")
    raw = path.read_bytes()
    return Breach(
        database_rows=len(rows),
        values_in_database=sum(person.nir[:13].encode() in raw for person in people),
        attempts=dict(attempts),
        phished_values=values,
        masked_people=masked,
        masked_refusal=f"{no_more.status} {no_more.code}",
        machine_people=stolen,
        machine_limit=_people_limit(config),
        machine_refusal=f"{refusal.status} {refusal.code}",
    )


def _steal(
    tokens: list[str], caller: Caller, operation: str, end_user: str | None = None
) -> tuple[int, Reply]:
    """Walk the tokens until refused, in batches and then one by one; returns how many were
    answered, and the last reply."""
    stolen, step = 0, STEP
    while True:
        body = {"tokens": tokens[stolen : stolen + step]}
        reply = caller.call(operation, "fr-nir", body, end_user)
        if reply.status == OK:
            stolen += len(body["tokens"])
        elif step > 1:
            step = 1
        if stolen >= len(tokens) or (reply.status != OK and step == 1 and len(body["tokens"]) == 1):
            return stolen, reply


def _people_limit(config: Path) -> int:
    from vault.config import load  # noqa: PLC0415 - the one place that looks inside

    limits = load(config, {}).clients["reimbursement"].limits.people
    return limits.day if limits is not None and limits.day is not None else 0


def _jeton(config: Path, *verb: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "vault", *verb, "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _record(config: Path, receipt: str) -> Record:
    verified = _jeton(config, "audit", "verify", "--receipt", receipt).returncode == 0
    kinds: Counter[str] = Counter()
    people: dict[str, set[str]] = {}
    refusals: Counter[str] = Counter()
    for text in _jeton(config, "audit", "export").stdout.splitlines():
        entry: dict[str, Any] = json.loads(text)
        kinds[entry["kind"]] += 1
        if entry["kind"] == "disclosure":
            people.setdefault(entry["principal"], set()).update(entry["persons"])
        elif entry["kind"] == "refusals":
            refusals[f"{entry['principal']}: {entry['code']}"] += entry["count"]
    counted = {client: len(persons) for client, persons in people.items()}
    return Record(verified, dict(kinds), counted, dict(refusals), receipt)
