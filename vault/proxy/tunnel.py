"""WebSockets of routes that pass them untouched: a request's upgrade, then bytes both ways.

Nobody looks at those bytes, so only a route without rules and without a guard has them, and only
WebSockets: what else one can change to (``h2c``, ``TLS``) would carry requests past all routes.
"""

import asyncio
import base64
import hashlib
from asyncio import Transport
from collections.abc import Callable, Collection
from typing import Any, Final

from vault.errors import Refusal
from vault.proxy.client import Response
from vault.proxy.head import Head, passed_on
from vault.web.connection import LINGER
from vault.web.headers import Header

SWITCHING: Final[list[Header]] = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
_STATUS: Final = 101
_KEY: Final = b"sec-websocket-key"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""

Switch = Callable[[list[Header]], Transport]
"""Answers 101 with these headers and gives the caller's connection up; Refusal where it cannot."""


def asked_for(head: Head, method: str, version: str, allowed: Collection[str]) -> bool:
    """Whether a request asks to change to another protocol, and its route has it. Raises Refusal
    ``upgrade_refused`` for one that may not, but for ``h2c``, which is only an offer."""
    fields = head.fields
    asked = fields.get(b"upgrade")
    if asked is None or asked.lower() == b"h2c":
        return False
    options = {one.strip().lower() for one in fields.get(b"connection", b"").split(b",")}
    once = all(head.count(name) == 1 for name in (b"upgrade", b"connection", _KEY))
    body = {b"content-length", b"transfer-encoding"} & fields.keys()
    fits = (method, version) == ("GET", "1.1") and once and b"upgrade" in options and not body
    if not fits or asked.lower().decode("latin-1") not in allowed:
        raise Refusal("upgrade_refused", "no protocol but HTTP/1.1 is passed on")
    return True


def is_switching(response: Response, asked: Head) -> bool:
    """Whether an answer changes the protocol, as it was `asked` to. Raises Refusal
    ``upstream_invalid`` for one that changes it otherwise."""
    if response.status != _STATUS:
        return False
    told = Head([(name.lower(), value) for name, value in response.raw_headers])
    digest = hashlib.sha1(asked.fields[_KEY] + _GUID, usedforsecurity=False).digest()
    fits = (
        told.fields.get(b"upgrade", b"").lower() == b"websocket"
        and told.fields.get(b"connection", b"").lower() == b"upgrade"
        and told.fields.get(b"sec-websocket-accept") == base64.b64encode(digest)
    )
    if not fits:
        raise Refusal("upstream_invalid", "the upstream's answer is no HTTP/1.1")
    return True


async def tunnel(switch: Switch, response: Response, patience: float) -> None:
    """Pass bytes until either side hangs up, or both are silent for `patience` seconds. Raises
    Refusal where that cannot begin."""
    connection = response.connection
    if connection.transport is None or connection.protocol is None:
        raise Refusal("upstream_invalid", "the upstream hung up as it changed the protocol")
    headers = [(name.lower(), value) for name, value in response.raw_headers]
    early = _Early()
    connection.protocol.read_timeout = None
    connection.protocol.set_parser(early, early)
    theirs = connection.transport
    ours = switch([*passed_on(Head(headers)), *SWITCHING])
    pipe = Pipe(ours, theirs, patience)
    ours.write(early.data)
    try:
        await pipe.ended
    finally:
        pipe.end()


class _Early:
    """Takes what came of the new protocol with the answer that began it."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None: ...

    def is_eof(self) -> bool:
        return True

    def set_exception(self, *_: object) -> None: ...


class Pipe:
    """Two connections, each with what comes of the other."""

    def __init__(self, ours: Transport, theirs: Transport, patience: float) -> None:
        """Takes both over. Raises RuntimeError without a loop."""
        self._loop = asyncio.get_running_loop()
        self._patience = patience
        self._moved = self._loop.time()
        self._transports = (ours, theirs)
        self._open = len(self._transports)
        self.ended = self._loop.create_future()
        """Done when both are closed."""
        self._timer = self._loop.call_later(patience, self._look)
        for mine, other in ((ours, theirs), (theirs, ours)):
            before = mine.get_protocol()
            mine.set_protocol(_End(self, other, before))

    def moved(self) -> None:
        self._moved = self._loop.time()

    def lost(self) -> None:
        """One of them is closed."""
        self._open -= 1
        self.end()
        if not self._open and not self.ended.done():
            self.ended.set_result(None)

    def end(self) -> None:
        """Close both; who does not take what is still to be sent has a moment for it."""
        self._timer.cancel()
        for transport in self._transports:
            if not transport.is_closing():
                transport.close()
                self._loop.call_later(LINGER, transport.abort)

    def _look(self) -> None:
        left = self._moved + self._patience - self._loop.time()
        if left <= 0:
            self.end()
        else:
            self._timer = self._loop.call_later(left, self._look)


class _End(asyncio.Protocol):
    """What is told of one connection, in the place of the protocol `before`."""

    def __init__(self, pipe: Pipe, other: Transport, before: Any) -> None:
        self._pipe = pipe
        self._other = other
        self._before = before

    def data_received(self, data: bytes) -> None:
        self._pipe.moved()
        self._other.write(data)

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._before.connection_lost(exc)
        self._pipe.lost()
