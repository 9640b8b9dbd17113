"""Asks an ASGI application directly: one request in, the whole answer out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec

Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]
GONE = object()
"""As a piece of a body: the caller went away."""


@dataclass(frozen=True)
class Reply:
    """What came back. `headers` are as sent, in order."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str | None:
        """A problem's code; the rest of its contract is asserted on the way."""
        if self["content-type"] != "application/problem+json":
            return None
        problem = self.json
        assert set(problem) - {"operations"} == {"type", "title", "status", "code", "detail"}
        assert problem["status"] == self.status
        assert problem["type"] == "about:blank"
        return str(problem["code"])

    def __getitem__(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower().encode()]
        assert len(found) < 2, f"{name} is there twice"
        return found[0].decode() if found else None


class Sender:
    """The ASGI `receive` of a body in pieces; then it waits, as a connection does."""

    def __init__(self, pieces: Iterable[Any]) -> None:
        self._pieces = list(pieces) or [b""]
        self.taken = 0

    async def __call__(self) -> Message:
        await asyncio.sleep(0)
        if self.taken == len(self._pieces):
            await asyncio.Event().wait()
        piece = self._pieces[self.taken]
        self.taken += 1
        if piece is GONE:
            return {"type": "http.disconnect"}
        if isinstance(piece, asyncio.Event):
            await piece.wait()
            piece = b""
        more = self.taken < len(self._pieces)
        return {"type": "http.request", "body": piece, "more_body": more}


async def ask(
    app: App,
    method: str,
    path: str | bytes,
    headers: Iterable[tuple[str | bytes, str | bytes]] = (),
    body: bytes | Iterable[Any] = b"",
    client: tuple[str, int] | None = ("192.0.2.7", 55_555),
    query: bytes = b"",
) -> Reply | None:
    """The answer; None if there was none."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    raw = path if isinstance(path, bytes) else path.encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw.decode("latin-1"),
        "raw_path": raw,
        "query_string": query,
        "root_path": "",
        "headers": [(_bytes(name).lower(), _bytes(value)) for name, value in headers],
        "client": client,
        "server": ("192.0.2.1", 8200),
    }
    await app(scope, Sender([body] if isinstance(body, bytes) else body), send)
    if not sent:
        return None
    start, *rest = sent
    assert start["type"] == "http.response.start"
    assert [message.get("more_body", False) for message in rest] == [True] * (len(rest) - 1) + [
        False
    ]
    content = b"".join(message.get("body", b"") for message in rest)
    reply = Reply(start["status"], list(start["headers"]), content)
    if method != "HEAD":
        assert reply["content-length"] == str(len(content))
    return reply


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
