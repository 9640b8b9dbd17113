"""Whoever holds a stolen credential: asks for what it likes, and counts what it got.

house = House.open(folder, {"desk": (["mask:fr-nir:display"], {"people.day": 20})}, people=30)
thief = house.thief("desk", "display")
got, stopped = thief.walk("mask", house.tokens)
assert (got, stopped.body["code"]) == (20, "budget_exhausted")
house.service.stop()
"""

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from click.testing import CliRunner

from benchmarks.population import nirs
from tests.support.service import Reply, Service, jeton
from vault.cli import main

Headers = Sequence[tuple[str, str]]
Clients = Mapping[str, tuple[Sequence[str], Mapping[str, int]]]
"""Name -> grants and limits, as `jeton clients add` takes them."""

WITHIN_AN_HOUR = {"reveal.hour": 100_000, "reveal.day": 100_000, "match.hour": 100_000}
"""Limits that stop nobody, where a drill is about another one."""


@dataclass
class House:
    """A running service with people in it: their NIRs, and the tokens of these."""

    service: Service
    nirs: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, folder: Path, clients: Clients, people: int, workers: int = 1) -> Self:
        """Started, and filled by the client `intake`."""
        service = Service.create(folder)
        for name, (grants, limits) in clients.items():
            service.credentials[name] = add_client(service.config, name, grants, limits)
        house = cls(service)
        try:
            service.start(workers)
            house.fill(people)
        except BaseException:
            service.kill()
            raise
        return house

    def fill(self, people: int) -> None:
        self.nirs = list(nirs(people, seed=11))
        intake = self.service.credentials["intake"]
        reply = self.service.post("tokenise/fr-nir", {"values": self.nirs}, intake)
        assert reply.status == 200, reply.body
        self.tokens = reply.body["tokens"]

    def thief(self, client: str, purpose: str | None = None) -> "Thief":
        """Who stole the credential of that client."""
        return Thief(self, self.service.credentials[client], purpose)

    def dates(self, tokens: Sequence[str], dates: Sequence[str]) -> list[str]:
        """Birth date tokens of the people whose NIR tokens are the contexts."""
        body = {"values": list(dates), "contexts": list(tokens)}
        reply = self.service.post("tokenise/birth-date", body, self.service.credentials["intake"])
        assert reply.status == 200, reply.body
        found: list[str] = reply.body["tokens"]
        return found

    def record(self) -> list[dict[str, Any]]:
        """All entries; those that are summed up are there for sure once the service stopped."""
        exported = jeton("audit", "export", "--config", str(self.service.config))
        return [json.loads(line) for line in exported.splitlines()]

    def leaks(self, reply: Reply) -> list[str]:
        """The NIRs that stand in an answer's body or headers."""
        said = json.dumps(reply.body) + str(reply.headers)
        return [nir for nir in self.nirs if nir[:13] in said]


def add_client(
    config: Path, name: str, grants: Sequence[str], limits: Mapping[str, int], *options: str
) -> str:
    """`jeton clients add` without a process of its own: its credential."""
    arguments = ["clients", "add", name, "--config", str(config), "--json", *options]
    for grant in grants:
        arguments += ["--grant", grant]
    for key, limit in limits.items():
        arguments += ["--limit", f"{key}={limit}"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    credential: str = json.loads(done.stdout)["credential"]
    return credential


@dataclass
class Thief:
    house: House
    credential: str | None
    purpose: str | None = None

    def ask(
        self,
        operation: str,
        body: Mapping[str, Any],
        end_user: str | None = None,
        *,
        transformation: str = "fr-nir",
        headers: Headers = (),
    ) -> Reply:
        """One call; `headers` beside the usual ones, also such as come twice."""
        sent = [("Content-Type", "application/json")]
        if self.credential is not None:
            sent.append(("Authorization", f"Bearer {self.credential}"))
        if self.purpose is not None:
            sent.append(("Jeton-Purpose", self.purpose))
        if end_user is not None:
            sent.append(("Jeton-On-Behalf-Of", end_user))
        return send(
            self.house.service.port, f"/v1/{operation}/{transformation}", body, [*sent, *headers]
        )

    def walk(
        self,
        operation: str,
        tokens: Sequence[str],
        end_user: str | None = None,
        *,
        step: int = 100,
        candidates: Sequence[str] | None = None,
    ) -> tuple[int, Reply]:
        """Ask for tokens in order, in batches, at last one by one, until refused.

        Returns how many were answered, and the last reply.
        """
        got = 0
        while True:
            asked = slice(got, got + step)
            body: dict[str, Any] = {"tokens": list(tokens[asked])}
            if candidates is not None:
                body["candidates"] = list(candidates[asked])
            reply = self.ask(operation, body, end_user)
            if reply.status == 200:
                got += len(body["tokens"])
            elif step > 1:
                step = 1
                continue
            if reply.status != 200 or got >= len(tokens):
                return got, reply


def send(port: int, path: str, body: Mapping[str, Any], headers: Headers) -> Reply:
    """A POST with exactly these headers, in this order and case, beside Host and a length."""
    content = json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest("POST", path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
        answer = connection.getresponse()
        return Reply(answer.status, json.loads(answer.read()), answer.headers)
    finally:
        connection.close()
