"""Whole requests, as the server's own parser reads them: answered as the contract says."""

import asyncio
from typing import Any

import httptools

from tests.fuzz.quiet import assert_tells_nothing
from tests.support.arrow import MEDIA_TYPE, batch, stream
from tests.support.asgi import ask
from tests.support.door import CREDENTIAL, SmallDoor
from vault.config import Server
from vault.web import Application, Holder
from vault.web.problem import STATUS

DOOR = SmallDoor()
APP = Application(
    Holder(DOOR), Server(max_items=5, max_body=1 << 16, arrow_max_items=5, arrow_max_body=1 << 16)
)
LOOP = asyncio.new_event_loop()
FINE = {200}


class Parsed:
    """httptools' callbacks, as uvicorn has them."""

    def __init__(self) -> None:
        self.url = self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def run(data: bytes) -> None:
    """What the server's parser refuses never gets to the application."""
    parsed: Any = Parsed()
    parser = httptools.HttpRequestParser(parsed)
    try:
        parser.feed_data(data)
        path, query = _target(parsed.url)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return
    if not parsed.complete:
        return
    method = parser.get_method().decode("ascii")
    DOOR.calls.clear()
    DOOR.observed.clear()
    asked = ask(APP, method, path, parsed.headers, parsed.body, query=query)
    reply = LOOP.run_until_complete(asked)
    assert reply is not None
    assert DOOR.faults == [], f"a fault of ours: {type(DOOR.faults[0]).__name__}"
    assert reply["jeton-request-id"]
    if method != "HEAD":
        code = reply.code
        assert code is None or STATUS[code] == reply.status
        assert code or reply.status in FINE, reply.status
        if code is not None:
            assert_tells_nothing(reply.body.decode(), data.decode("latin-1"))


def _target(url: bytes) -> tuple[bytes, bytes]:
    parts = httptools.parse_url(url)
    return parts.path or b"", parts.query or b""


def seeds() -> list[bytes]:
    bearer = f"Authorization: Bearer {CREDENTIAL}\r\n".encode()
    calls = [
        (b"tokenise/digits", b'{"value":"123"}'),
        (b"detokenise/digits", b'{"tokens":["912","x"],"context":"c"}'),
        (b"match/digits", b'{"token":"912","candidate":"87"}'),
        (b"mask/unknown", b"{}"),
        (b"mask/digits?x=1", b'{"token":"912"}'),
    ]
    posts = [
        _post(path, bearer + b"Content-Type: application/json\r\n", body) for path, body in calls
    ]
    arrow = stream(batch(value=["123", None]))
    media = f"Content-Type: {MEDIA_TYPE}\r\n".encode()
    extra = b"Jeton-Purpose: a\r\nJeton-On-Behalf-Of: b\r\n"
    extra += b"Jeton-Request-Id: 6f0e8a52-0000-4000-8000-000000000001\r\n"
    posts += [
        _post(b"tokenise/digits", bearer + media, arrow),
        _post(
            b"mask/digits", bearer + extra + b"Content-Type: application/json\r\n", b'{"token":""}'
        ),
        _post(b"mask/digits", b"Content-Encoding: gzip\r\n", b""),
    ]
    gets = [
        b"/v1/transformations",
        b"/livez",
        b"/readyz",
        b"/openapi.json",
        b"/metrics",
        b"/x",
        b"*",
    ]
    methods = [b"GET", b"HEAD", b"OPTIONS", b"PUT"]
    heads = [
        b"%b %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (methods[at % 4], path, bearer)
        for at, path in enumerate(gets)
    ]
    chunked = (
        b"POST /v1/mask/digits HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n"
    )
    return [*posts, *heads, chunked]


def _post(path: bytes, headers: bytes, body: bytes) -> bytes:
    head = b"POST /v1/%b HTTP/1.1\r\nHost: x\r\n%b" % (path, headers)
    return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
