"""What happens in the demonstration, as facts: fill, read, rob, look at the record.

Nothing here prints. Every number in a `Story` was counted from answers of the running
service, from the bytes of the database, or from the record.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from vault.access.limits import ceilings, end_user_ceilings
from vault.config import load
from vault.demo import claims
from vault.demo.claims import Row
from vault.demo.client import OK, Caller, Reply, initialise, jeton, running
from vault.demo.population import Person, population
from vault.errors import SetUpError

SHOWN: Final = 10
STEP: Final = 50
"""How many tokens a thief asks for at a time."""
CLERK: Final = "clerk-0042"

Tell = Callable[[str], None]
"""Is told what begins."""


@dataclass(frozen=True, slots=True)
class Line:
    """One insured person as three viewers see them."""

    stored: Row
    reimbursement: Row
    phished: Row
    remark: str


@dataclass(frozen=True, slots=True)
class Phished:
    """What the phished account, a clerk's, got."""

    rows: int
    """People in the database that it copied."""
    identifiers_in_copy: int
    """Real NIRs and birth dates found in the bytes of the copy."""
    asked: int
    """Tokens that it asked the service to turn back."""
    values: int
    refused: dict[str, int]
    """How often it was refused, by status and code."""
    masked_people: int
    """People of whom its screen would still show sex and year of birth."""
    refusal: str
    """What stopped that."""
    stopped_by: str
    limit: int


@dataclass(frozen=True, slots=True)
class Stolen:
    """What a thief of a machine's credential got."""

    client: str
    operation: str
    people: int
    """Of whom it was answered until it was stopped."""
    refusal: str
    """What stopped it, by status and code."""
    stopped_by: str
    """The limit that was spent (`people.day`); empty where it may not do that at all."""
    limit: int
    """How much that limit allows."""
    end_users: int = 0
    """How many end users the thief invented."""


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
    phished: Phished
    stolen: list[Stolen]
    """The credentials of `reimbursement`, `portal` and `intake`, in this order."""
    record: Record


def play(count: int, tell: Tell) -> Story:
    """Run the whole demonstration in a temporary folder that is removed at the end.

    Raises SetUpError where the service cannot be started or refuses its own population.
    """
    with tempfile.TemporaryDirectory(prefix="jeton-demo-") as name:
        folder = Path(name)
        tell("making keys, a configuration and credentials")
        config, credentials = initialise(folder / "jeton-data")
        tell("starting the service")
        with running(config) as port:
            scene = _Scene(folder / "claims.db", config, port, credentials, list(population(count)))
            tell(f"tokenising the NIRs and birth dates of {count:,} people")
            made = scene.fill()
            tell("reading ten rows as three viewers")
            lines, receipt = scene.lines()
            tell("phishing an account: it walks the whole database")
            phished = scene.phish()
            tell("stealing the credentials of machines")
            stolen = [
                scene.steal("reimbursement", "reimbursement"),
                scene.steal_masks(),
                scene.steal("intake", "reimbursement"),
            ]
        tell("reading the record")
        record = _record(config, receipt)
    return Story(count, made, lines, phished, stolen, record)


@dataclass(frozen=True, slots=True)
class _Scene:
    """The running service, the database beside it, and those who call."""

    database: Path
    config: Path
    port: int
    credentials: dict[str, str]
    people: list[Person]

    def caller(self, client: str, purpose: str | None = None) -> Caller:
        return Caller(self.port, self.credentials[client], purpose)

    def fill(self) -> int:
        """Returns the number of claims."""
        intake, people = self.caller("intake"), self.people
        nirs = intake.tokenise("fr-nir", [person.nir for person in people])
        dates = intake.tokenise("birth-date", [person.birth_date for person in people], nirs)
        stored = zip(people, nirs, dates, strict=True)
        rows = ((p.first_name, nir, born, p.insurer) for p, nir, born in stored)
        return claims.fill(self.database, rows)

    def lines(self) -> tuple[list[Line], str]:
        """Ten rows as three viewers see them, and the receipt of a reveal."""
        ids = _chosen(self.people)
        stored = claims.rows(self.database, ids)
        tokens = [row.nir for row in stored]
        machine = self.caller("reimbursement", "reimbursement")
        nirs = machine.call("detokenise", "fr-nir", {"tokens": tokens})
        born = {"tokens": [row.birth_date for row in stored], "contexts": tokens}
        dates = machine.call("detokenise", "birth-date", born)
        screen = self.caller("portal", "display")
        masked = screen.call("mask", "fr-nir", {"tokens": tokens}, CLERK)
        for reply in (nirs, dates, masked):
            if reply.status != OK:
                raise SetUpError(f"the service refused an honest caller: {reply.refusal}")
        lines = []
        for at, row in enumerate(stored):
            seen = replace(row, nir=nirs.body["values"][at], birth_date=dates.body["values"][at])
            shown = replace(row, nir=masked.body["masked"][at])
            lines.append(Line(row, seen, shown, self.people[ids[at] - 1].remark))
        return lines, nirs.receipt

    def phish(self) -> Phished:
        """A clerk's account: it has no credential of its own, and a screen that masks for it."""
        rows = claims.rows(self.database)
        tokens = [row.nir for row in rows]
        refused: Counter[str] = Counter()
        values = 0
        for caller in (Caller(self.port, None, "display"), self.caller("portal", "display")):
            for at in range(0, len(tokens), STEP):
                body = {"tokens": tokens[at : at + STEP]}
                reply = caller.call("detokenise", "fr-nir", body, CLERK)
                values += len(reply.body.get("values", ()))
                if reply.refusal:
                    refused[reply.refusal] += 1
        masked, stopped = _walk(tokens, self.caller("portal", "display"), "mask", CLERK)
        return Phished(
            rows=len(rows),
            identifiers_in_copy=_identifiers_in(self.database.read_bytes(), self.people),
            asked=2 * len(tokens),
            values=values,
            refused=dict(refused),
            masked_people=masked,
            refusal=stopped.refusal,
            stopped_by=stopped.limit,
            limit=self._limit("portal", stopped),
        )

    def steal(self, client: str, purpose: str) -> Stolen:
        """Detokenise with a client's credential, as fast as it can."""
        people, stopped = _walk(self._tokens(), self.caller(client, purpose), "detokenise")
        return self._stolen(client, "detokenise", people, stopped)

    def steal_masks(self) -> Stolen:
        """With the portal's credential the thief says for whom it asks, and invents end users."""
        tokens, caller = self._tokens(), self.caller("portal", "display")
        people, invented = 0, 0
        while True:
            end_user = f"invented-{invented + 1}"
            got, stopped = _walk(tokens[people:], caller, "mask", end_user)
            if got == 0 or people + got == len(tokens):
                stolen = self._stolen("portal", "mask", people + got, stopped)
                return replace(stolen, end_users=invented)
            people, invented = people + got, invented + 1

    def _stolen(self, client: str, operation: str, people: int, stopped: Reply) -> Stolen:
        limit = self._limit(client, stopped)
        return Stolen(client, operation, people, stopped.refusal, stopped.limit, limit)

    def _tokens(self) -> list[str]:
        return [row.nir for row in claims.rows(self.database)]

    def _limit(self, client: str, stopped: Reply) -> int:
        """What the configuration says of the limit that stopped somebody."""
        limits = load(self.config, {}).clients[client].limits
        name = stopped.limit.removeprefix("end_user.")
        said = ceilings(limits) if name == stopped.limit else end_user_ceilings(limits)
        return said.get(name, 0)


def _chosen(people: list[Person]) -> list[int]:
    """Ten row numbers: the first two of every remark, then the first rows."""
    special: list[int] = []
    taken: Counter[str] = Counter()
    for number, person in enumerate(people, 1):
        if person.remark and taken[person.remark] < 2:
            taken[person.remark] += 1
            special.append(number)
    others = [number for number, person in enumerate(people, 1) if not person.remark]
    return sorted([*special, *others][:SHOWN])


def _walk(
    tokens: Sequence[str], caller: Caller, operation: str, end_user: str | None = None
) -> tuple[int, Reply]:
    """Ask for the tokens in order, in batches and at last one by one, until refused.

    Returns how many were answered, and the last reply.
    """
    got, step = 0, STEP
    while True:
        asked = tokens[got : got + step]
        reply = caller.call(operation, "fr-nir", {"tokens": asked}, end_user)
        if reply.status == OK:
            got += len(asked)
        if got == len(tokens) or (reply.status != OK and len(asked) == 1):
            return got, reply
        if reply.status != OK:
            step = 1


def _identifiers_in(content: bytes, people: list[Person]) -> int:
    """How many people's NIRs (with or without key) and birth dates stand in the bytes."""
    return sum(
        (person.nir[:13].encode() in content) + (person.birth_date.encode() in content)
        for person in people
    )


def _record(config: Path, receipt: str) -> Record:
    at = ("--config", str(config))
    verified = jeton("audit", "verify", *at, "--receipt", receipt).returncode == 0
    kinds: Counter[str] = Counter()
    people: dict[str, set[str]] = {}
    refusals: Counter[str] = Counter()
    for text in jeton("audit", "export", *at).stdout.splitlines():
        entry: dict[str, Any] = json.loads(text)
        kinds[entry["kind"]] += 1
        if entry["kind"] == "disclosure":
            people.setdefault(entry["principal"], set()).update(entry["persons"])
        elif entry["kind"] == "refusals":
            refusals[f"{entry['principal']}: {entry['code']}"] += entry["count"]
    counted = {client: len(persons) for client, persons in sorted(people.items())}
    return Record(verified, dict(kinds), counted, dict(sorted(refusals.items())), receipt)
