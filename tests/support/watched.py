"""A service that is watched: what was sent to it on which way, and all that it leaves behind.

    watched = Watched(service)
    watched.sends("as context", context)
    watched.call("tokenise", {"value": value, "context": context}, "intake")
    watched.leaks()  # ["as context: in the record, as base64"]

What is found is named by the way it was sent on, never by itself.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from tests.support.arrow import MEDIA_TYPE, answered, stream
from tests.support.carriers import CARRIERS, CUT, NUMERIC, Carrier, exchange, request
from tests.support.leaks import Search
from tests.support.service import Reply, Service
from tests.support.thief import Headers, send

PAGES = ("livez", "readyz", "metrics", "openapi.json")
AT_ONCE = 16
RESULT = {"tokenise": ("token", "tokens"), "detokenise": ("value", "values")}
"""What an answer is asked for: all the rest of it is looked through."""


class Watched:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.sent: dict[str, str] = {}
        """Every value, and the way it was sent on."""
        self.allowed: dict[str, frozenset[str]] = {}
        """Where a value may be found as it stands, by the contract."""
        self.answers: list[bytes] = []
        self.passing: dict[str, bytes] = {}
        """Files that are there only while it runs."""
        for name, credential in service.credentials.items():
            self.sends(f"the credential of {name}", credential)

    def sends(self, way: str, *values: str, allowed: Iterable[str] = ()) -> None:
        for value in values:
            self.sent[value] = way
            self.allowed[value] = frozenset(allowed)

    # Ways in ------------------------------------------------------------------------------------

    def call(
        self,
        operation: str,
        body: Mapping[str, Any],
        client: str,
        transformation: str = "fr-nir",
        headers: Headers = (),
        purpose: str = "care",
    ) -> Reply:
        """A call as it should be; its answer is kept but for what was asked for."""
        credential = self.service.credentials.get(client, client)
        usual = [("Content-Type", "application/json"), ("Authorization", f"Bearer {credential}")]
        usual.append(("Jeton-Purpose", purpose))
        path = f"/v1/{operation}/{transformation}"
        reply = send(self.service.port, path, body, [*usual, *headers])
        rest = {k: v for k, v in reply.body.items() if k not in RESULT.get(operation, ())}
        self.answers.append(f"{reply.headers}{json.dumps(rest, ensure_ascii=False)}".encode())
        return reply

    def stream(
        self,
        operation: str,
        content: bytes,
        client: str,
        name: str = "digits",
        purpose: str = "care",
    ) -> bytes:
        """An Arrow call; its answer, whose first column is what was asked for and not kept."""
        sent = request(
            f"Bearer {self.service.credentials[client]}",
            content,
            media=MEDIA_TYPE,
            target=f"/v1/{operation}/{name}".encode(),
            headers=((b"Jeton-Purpose", purpose.encode()),),
        )
        answer = asyncio.run(exchange(self.service.port, sent))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        (got,) = answered(body)
        self.answers.append(head + stream(got.drop_columns([got.schema.names[0]])))
        return body

    def asks(self, values: Iterable[str], client: str, *, share: int = 1) -> int:
        """Every carrier with a value of its own, once with and once without a credential that is
        valid; of all of them every `share`th. How many were answered."""
        fresh = iter(values)
        good = f"Bearer {self.service.credentials[client]}"
        sent: list[tuple[bytes, bool]] = []
        for authorization, known in ((good, "known"), ("Bearer jeton_no_such", "unknown")):
            ways: Iterable[tuple[str, Carrier]] = chain(CARRIERS.items(), CUT.items())
            for name, carrier in list(ways)[::share]:
                sent.append(
                    (
                        self._carried(f"{name} ({known})", carrier, next(fresh), authorization),
                        name in CUT,
                    )
                )
            digits = (value for value in fresh if value.isdigit())
            for name, carrier in list(NUMERIC.items())[::share]:
                sent.append(
                    (
                        self._carried(f"{name} ({known})", carrier, next(digits), authorization),
                        False,
                    )
                )
        return asyncio.run(self._exchange(sent))

    def _carried(self, way: str, carrier: Carrier, value: str, authorization: str) -> bytes:
        self.sends(way, value)
        return carrier(value, authorization)

    async def _exchange(self, sent: list[tuple[bytes, bool]]) -> int:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(content: bytes, is_cut: bool) -> list[bytes]:
            async with gate:
                endings = (False, True) if is_cut else (False,)
                return [await exchange(self.service.port, content, hang_up=end) for end in endings]

        answers = await asyncio.gather(*(one(*each) for each in sent))
        self.answers += chain.from_iterable(answers)
        return sum(1 for answer in chain.from_iterable(answers) if answer)

    # What is left behind ------------------------------------------------------------------------

    def visit(self, client: str) -> None:
        """What anybody may look at, and what this client may."""
        credential = f"Bearer {self.service.credentials[client]}"
        targets = [f"/{page}".encode() for page in PAGES] + [b"/v1/transformations"]
        for target in targets:
            got = request(credential, b"", method=b"GET", target=target, media=None)
            self.answers.append(asyncio.run(exchange(self.service.port, got)))

    def end(self) -> None:
        """Stop the service, after a look at what goes away with it."""
        for path in self.service.folder.glob("*.db-*"):
            self.passing[path.name] = path.read_bytes()
        self.service.stop()

    def left(self) -> dict[str, bytes]:
        """Everything, by where it is."""
        folder = self.service.folder
        found = {"answers": b"\n".join(self.answers), "log": self.service.log.read_bytes()}
        found |= self.passing
        for path in folder.rglob("*"):
            if path.is_file() and path != self.service.log:
                place = "record" if path.is_relative_to(folder / "audit") else path.name
                found[place] = found.get(place, b"") + b"\n" + path.read_bytes()
        found["store's rows"] = _rows(folder / "jeton.db")
        found["tokens' rows"] = _rows(folder / "jeton.tokens.db")
        return found

    def leaks(self, left: Mapping[str, bytes] | None = None) -> list[str]:
        """Which way each value came that was found, where, and as what; sorted."""
        search = Search(self.sent)
        return sorted(
            f"{self.sent[value]}: in {place}, as {disguise}"
            for place, data in (left or self.left()).items()
            for value, disguise in search.found(data)
            if not self._is_allowed(value, disguise, place)
        )

    def _is_allowed(self, value: str, disguise: str, place: str) -> bool:
        # A credential is known by its hash: there is nothing to guess.
        is_hash = disguise == "hash" and value in self.service.credentials.values()
        return is_hash or (disguise == "raw" and place in self.allowed[value])


def _rows(path: Path) -> bytes:
    """All that the database holds; a row too long for its page is in pieces in the file."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return "\n".join(connection.iterdump()).encode("utf-8", "surrogatepass")
    except sqlite3.Error:
        return b""
