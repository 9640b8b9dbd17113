"""Everything that a service is asked in its life, with values that are found again if it slips."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from click.testing import CliRunner

from benchmarks.population import nirs
from tests.support.arrow import answered, batch, stream
from tests.support.leaks import distinctive_values
from tests.support.service import Service
from tests.support.thief import add_client
from tests.support.watched import Watched
from vault.access.identity import mint
from vault.app import open_vault
from vault.cli import main
from vault.config import load

VAULTED = """
[transformations.kept]
format = "fr-nir"
method = "vaulted"
context = "optional"

[honeytokens]
webhook = "http://127.0.0.1:9/"
"""
"""Nobody is at the webhook: alarms stay where they are kept."""
OPERATIONS = ("detokenise", "mask", "match")
EVERYTHING = [
    f"{operation}:{name}:care"
    for operation in ("tokenise", *OPERATIONS)
    for name in ("fr-nir", "birth-date", "digits", "kept")
]
PEOPLE = 24
RECORDED = ("record", "jeton.db", "jeton.db-wal", "store's rows")
"""Where an end user's id stands, by the contract."""
SMALL = """[server]
max_body = 8192
max_items = 100
arrow_max_body = 65536
body_timeout = 1
header_timeout = 1
"""
LARGE = 1_000_000


def furnish(service: Service) -> None:
    """Clients that may everything, hardly anything, and nothing any more; random tokens, and
    people who do not exist."""
    service.edit(lambda text: f"{text}\n{VAULTED}")
    plenty = {f"{kind}.{span}": LARGE for kind in ("reveal", "match") for span in ("hour", "day")}
    plenty["people.day"] = LARGE
    for name, limits in (
        ("desk", plenty),
        ("poor", {"reveal.hour": 2}),
        ("banned", plenty),
        ("thief", plenty),
    ):
        service.credentials[name] = add_client(service.config, name, EVERYTHING, limits)
    arguments = ["honeytokens", "plant", "--json", "--config", str(service.config), "kept"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0
    (row,) = json.loads(done.stdout)
    _planted(service).write_text(json.dumps(row), "ascii")
    service.edit(lambda text: text.replace("[server]\n", SMALL, 1))


def _planted(service: Service) -> Path:
    """The row of who does not exist, in the data of somebody else."""
    return service.folder.parent / "planted.json"


def fresh_values() -> Iterator[str]:
    """More than anybody needs, all different."""
    return iter(distinctive_values(5_000))


class Story:
    """One walk through all that can be asked for, and through all that is refused."""

    def __init__(self, watched: Watched, values: Iterator[str]) -> None:
        self.watched = watched
        self.values = values
        self.nirs = list(nirs(PEOPLE, seed=23))
        self.contexts = [next(values) for _ in self.nirs]
        self.dates = [f"18{10 + i}-0{1 + i % 9}-{11 + i % 17}" for i in range(PEOPLE)]
        watched.sends("a NIR", *self.nirs)
        watched.sends("a NIR without its key", *(nir[:13] for nir in self.nirs))
        watched.sends("a birth date", *self.dates)
        watched.sends("a context", *self.contexts)

    def tell(self) -> None:
        self._tokenise()
        self._disclose()
        self._arrow()
        self._vaulted()
        self._trapped()
        self._refused()
        self._unknown()

    def _tokenise(self) -> None:
        call, each = self.watched.call, {"contexts": self.contexts}
        self.tokens = call("tokenise", {"values": self.nirs, **each}, "desk").body["tokens"]
        dated = call("tokenise", {"values": self.dates, **each}, "desk", "birth-date")
        self.date_tokens = dated.body["tokens"]
        assert None not in self.tokens + self.date_tokens
        self.watched.sends("a token", *self.tokens)
        self.watched.sends("a birth date's token", *self.date_tokens)
        one = {"value": self.nirs[0], "context": self.contexts[0]}
        assert call("tokenise", one, "desk").body == {"token": self.tokens[0]}
        # A token is no value, nor the other way round: every item fails, and says so.
        assert len(call("tokenise", {"values": self.tokens}, "desk").body["errors"]) == PEOPLE
        assert call("tokenise", {"value": self.tokens[0]}, "desk").status == 422
        assert call("detokenise", {"token": self.nirs[0]}, "desk").status == 422

    def _disclose(self) -> None:
        watched, tokens = self.watched, self.tokens
        for operation in OPERATIONS:
            body = {"tokens": tokens, "contexts": self.contexts}
            one = {"token": tokens[0], "context": self.contexts[0]}
            if operation == "match":
                body["candidates"] = self.nirs[1:] + self.nirs[:1]
                one["candidate"] = self.nirs[0]
            user, request_id = next(self.values), str(uuid.uuid4())
            watched.sends("an end user", user, allowed=RECORDED)
            headers = [("Jeton-On-Behalf-Of", user), ("Jeton-Request-Id", request_id)]
            for _ in range(2):
                assert watched.call(operation, body, "desk", headers=headers).status == 200
            assert watched.call(operation, one, "desk", headers=headers).status == 409
            assert watched.call(operation, one, "desk").status == 200
            wrong = one | {"context": self.contexts[1]}
            assert watched.call(operation, wrong, "desk").status in {200, 422}
        dates = {"tokens": self.date_tokens, "contexts": self.contexts}
        got = watched.call("detokenise", dates, "desk", "birth-date")
        assert got.body["values"] == self.dates

    def _arrow(self) -> None:
        columns = {"token": pa.array(self.tokens), "context": pa.array(self.contexts)}
        for operation in OPERATIONS:
            if operation == "match":
                columns["candidate"] = pa.array(self.nirs)
            body = self.watched.stream(operation, stream(batch(**columns)), "desk", "fr-nir")
            if operation == "detokenise":
                assert answered(body)[0].column(0).to_pylist() == self.nirs

    def _vaulted(self) -> None:
        """The values stand in the store of tokens, sealed."""
        call, each = self.watched.call, {"contexts": self.contexts}
        tokens = call("tokenise", {"values": self.nirs, **each}, "desk", "kept").body["tokens"]
        assert None not in tokens
        self.watched.sends("a random token", *tokens)
        for operation in OPERATIONS:
            more = {"candidates": self.nirs} if operation == "match" else {}
            body = {"tokens": tokens, **each, **more}
            reply = call(operation, body, "desk", "kept")
            assert (reply.status, reply.body["errors"]) == (200, [])
        unknown = call("detokenise", {"tokens": [*tokens, *self.nirs]}, "desk", "kept")
        assert len(unknown.body["errors"]) == 2 * PEOPLE

    def _trapped(self) -> None:
        """An alarm, which is kept until somebody takes it."""
        planted = json.loads(_planted(self.watched.service).read_text("ascii"))["kept"]
        self.watched.sends("a honeytoken", planted)
        reply = self.watched.call("detokenise", {"tokens": [planted]}, "thief", "kept")
        assert (reply.status, reply.body["code"]) == (403, "locked")

    def _refused(self) -> None:
        watched, tokens = self.watched, {"tokens": self.tokens, "contexts": self.contexts}
        assert watched.call("detokenise", tokens, "poor").status == 429
        purpose = next(value for value in self.values if value.isalpha() and value.islower())
        watched.sends("a purpose", purpose)
        assert watched.call("detokenise", tokens, "desk", purpose=purpose).status == 403
        assert watched.call("detokenise", tokens, "intake").status == 403
        asyncio.run(self._lock("banned"))
        assert watched.call("detokenise", tokens, "banned").body["code"] == "locked"

    async def _lock(self, client: str) -> None:
        async with open_vault(load(self.watched.service.config, {})) as vault:
            await vault.ledger.lock(client, None, "drill")

    def _unknown(self) -> None:
        stranger, _ = mint("desk")
        cut = self.watched.service.credentials["desk"][:-1] + "-"
        for credential in (stranger, cut, next(self.values)):
            self.watched.sends("a credential that is none", credential)
            said = self.watched.call("detokenise", {"tokens": self.tokens}, credential)
            assert said.status == 401
