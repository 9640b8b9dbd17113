"""What the soak sends: every call, good ones and refused ones, with the answer each must get.

Requests are ready bytes, drawn by weight and seed. Their request ids and end users are new all
the time, so that whatever is kept for one of them would pile up.
"""

import json
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.http import ARROW, Clients, arrow_stream

GRANTS: Clients = {
    "writer": (("tokenise:fr-nir", "tokenise:birth-date", "tokenise:digits"), ()),
    "reader": (
        ("detokenise:fr-nir:soak", "mask:fr-nir:soak", "match:fr-nir:soak"),
        ("end_user.reveal.day=1000000", "end_user.people.day=1000000"),
    ),
    "poor": (("detokenise:fr-nir:soak",), ("reveal.hour=1",)),
}
"""The clients: their grants, and limits beside boundless ones."""


@dataclass(frozen=True)
class Request:
    """The bytes to send, and the status of the answer."""

    sent: bytes
    status: int


Kind = Callable[[], Request]


class Traffic:
    """An endless mixture for one service; `tokens` are those of `values`."""

    def __init__(
        self, credentials: Mapping[str, str], values: Sequence[str], tokens: Sequence[str]
    ) -> None:
        self._credentials = credentials
        self._values = values
        self._tokens = tokens
        self._chance = random.Random(20)
        self._arrow = [arrow_stream(list(values[at : at + 2_000])) for at in (0, 500)]
        kinds: Mapping[Kind, int] = {
            self._tokenise: 250,
            self._tokenise_batch: 60,
            self._tokenise_large: 2,
            self._tokenise_arrow: 2,
            self._birth_date: 60,
            partial(self._disclose, "detokenise"): 200,
            partial(self._disclose, "mask"): 100,
            self._disclose_batch: 40,
            self._match: 80,
            self._page: 40,
            self._refused: 160,
        }
        self._kinds, self._weights = list(kinds), list(kinds.values())

    def __iter__(self) -> Iterator[Request]:
        while True:
            for kind in self._chance.choices(self._kinds, self._weights, k=1_000):
                yield kind()

    def _tokenise(self) -> Request:
        return self._post("writer", "tokenise/fr-nir", {"value": self._one(self._values)})

    def _tokenise_batch(self) -> Request:
        return self._post("writer", "tokenise/fr-nir", {"values": self._some(self._values, 20)})

    def _tokenise_large(self) -> Request:
        """Enough to be computed in a thread."""
        return self._post("writer", "tokenise/fr-nir", {"values": self._some(self._values, 2_000)})

    def _tokenise_arrow(self) -> Request:
        return self._raw("writer", "tokenise/fr-nir", self._chance.choice(self._arrow), ARROW)

    def _birth_date(self) -> Request:
        chance = self._chance
        year, month, day = (chance.randrange(*each) for each in ((1904, 2026), (1, 13), (1, 29)))
        body = {"value": f"{year}-{month:02d}-{day:02d}", "context": self._one(self._tokens)}
        return self._post("writer", "tokenise/birth-date", body)

    def _disclose(self, operation: str) -> Request:
        return self._post("reader", f"{operation}/fr-nir", {"token": self._one(self._tokens)})

    def _disclose_batch(self) -> Request:
        return self._post("reader", "detokenise/fr-nir", {"tokens": self._some(self._tokens, 20)})

    def _match(self) -> Request:
        token, candidate = self._one(self._tokens), self._one(self._values)
        return self._post("reader", "match/fr-nir", {"token": token, "candidate": candidate})

    def _page(self) -> Request:
        path = self._chance.choice(["/v1/transformations", "/livez", "/readyz", "/metrics"])
        credential = self._credentials["reader"]
        sent = f"GET {path} HTTP/1.1\r\nhost: soak\r\nauthorization: Bearer {credential}\r\n\r\n"
        return Request(sent.encode(), 200)

    def _refused(self) -> Request:
        token = {"token": self._one(self._tokens)}
        kind = self._chance.randrange(8)
        if kind == 0:
            return self._post(f"{uuid.uuid4()}", "detokenise/fr-nir", token, 401)
        if kind == 1:
            return self._post("reader", f"detokenise/{uuid.uuid4()}", token, 404)
        if kind == 2:
            return self._raw("reader", "mask/fr-nir", b'{"token": "' + b"9" * 300, status=400)
        if kind == 3:
            return self._raw("reader", "mask/fr-nir", b"x", f"text/{uuid.uuid4()}", 415)
        if kind == 4:
            return self._post("writer", "detokenise/fr-nir", token, 403)
        if kind == 5:
            return self._post("reader", "detokenise/fr-nir", {"token": uuid.uuid4().hex[:15]}, 422)
        if kind == 6:
            return self._post("poor", "detokenise/fr-nir", {"tokens": self._tokens[:2]}, 429)
        return self._post("writer", "tokenise/fr-nir", {"value": self._one(self._tokens)}, 422)

    def _one(self, texts: Sequence[str]) -> str:
        return self._chance.choice(texts)

    def _some(self, texts: Sequence[str], count: int) -> list[str]:
        return self._chance.choices(texts, k=count)

    def _post(
        self, client: str, call: str, body: Mapping[str, object], status: int = 200
    ) -> Request:
        return self._raw(client, call, json.dumps(body).encode(), status=status)

    def _raw(
        self,
        client: str,
        call: str,
        body: bytes,
        media: str = "application/json",
        status: int = 200,
    ) -> Request:
        """Two in three bring a request id of their own; whoever discloses, a new end user."""
        fields = [
            f"POST /v1/{call} HTTP/1.1",
            "host: soak",
            f"authorization: Bearer {self._credentials.get(client, client)}",
            f"content-type: {media}",
            f"content-length: {len(body)}",
        ]
        if client != "writer":
            fields.append("jeton-purpose: soak")
        if client == "reader":
            fields.append(f"jeton-on-behalf-of: {uuid.UUID(int=self._chance.getrandbits(128))}")
        if self._chance.randrange(3):
            fields.append(f"jeton-request-id: {uuid.UUID(int=self._chance.getrandbits(128))}")
        return Request("\r\n".join([*fields, "", ""]).encode() + body, status)
