"""A connection to a listener: the service's own, which lets a body take its time as long as it
comes, hands on the certificate that the caller showed, and sends a short answer in one piece."""

import asyncio
import math
from asyncio import Transport
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from vault.errors import Refusal
from vault.proxy.requesting import TooSlow
from vault.web.connection import LINGER, Connection, Phase
from vault.web.exchange import CLOSE, Exchange, render
from vault.web.headers import Header

CONNECTION = "jeton.connection"
"""Where the scope has the connection."""


class _Cycle(RequestResponseCycle):
    too_slow = False
    _start: Any = None

    async def receive(self) -> Any:
        """Raises TooSlow where nothing of the body has come for too long."""
        message = await super().receive()
        if self.too_slow:
            raise TooSlow
        return message

    async def send(self, message: Any) -> None:
        """The head waits for the first piece of the body, which may be all of it."""
        start = self._start
        if start is None:
            if not self.response_started and message["type"] == "http.response.start":
                self._start = message
            else:
                await super().send(message)
            return
        self._start = None
        if not message.get("more_body") and not self.flow.write_paused and not self.disconnected:
            self._send_whole(start["status"], start["headers"], message.get("body", b""))
        else:
            await super().send(start)
            await super().send(message)

    def _send_whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        names = {name for name, _ in headers}
        told = body or self.scope["method"] != "HEAD"  # what GET would bring is not known
        if told and status not in {204, 304} and b"content-length" not in names:
            headers = [*headers, (b"content-length", b"%d" % len(body))]
        if CLOSE in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers = [*headers, CLOSE]
        shown = b"" if self.scope["method"] == "HEAD" else body
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(render(status, headers, shown))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


class ProxyConnection(Connection):
    cycle_class = _Cycle

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.certificate: Mapping[str, Any] | None = transport.get_extra_info("peercert") or None
        """What the caller showed, as `ssl` describes it."""
        self.waiting: asyncio.Task[Any] | None = None
        """Cancelled where the caller is gone."""
        self.is_lost = False
        self._asked_to_switch = False
        self._behind = 0
        """Bytes that came after a request to change the protocol."""
        self._switched = False

    def _page(self, exchange: Exchange, version: str) -> RequestResponseCycle:
        cycle = super()._page(exchange, version)
        cycle.scope[CONNECTION] = self  # type: ignore[literal-required]
        return cycle

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        super().connection_lost(exc)
        if self.waiting is not None:
            self.waiting.cancel()

    def data_received(self, data: bytes) -> None:
        if self._asked_to_switch:
            self._behind += len(data)
        super().data_received(data)

    def _stay(self, rest: bytes) -> None:
        super()._stay(rest)
        self._asked_to_switch, self._behind = True, len(rest)

    def switch(self, headers: list[Header]) -> Transport:
        """Answer 101 with these headers, and give the connection up. Raises Refusal where something
        came that nobody could know how to read."""
        if self._behind or self._refused or self.transport.is_closing():
            raise Refusal("malformed_request", "something came before the protocol was changed")
        self._switched = True
        self.flow.resume_reading()
        self.transport.write(render(HTTPStatus.SWITCHING_PROTOCOLS, headers, b""))
        return self.transport

    def shutdown(self) -> None:
        if self._switched:
            self.transport.close()
        else:
            super().shutdown()

    # The time that a body may take: from each piece to the next, but for as long as nobody reads.

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._deadline = self.loop.time() + self._limits.body_timeout

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._deadline = self.loop.time() + self._limits.body_timeout

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._is_busy():
            self._deadline = math.inf

    def expire(self, now: float) -> None:
        if self._phase is Phase.BODY and self._is_busy() and self.flow.read_paused:
            self._deadline = now + self._limits.body_timeout
        super().expire(now)

    def _end(self, now: float) -> None:
        cycle = self.cycle
        waits = self._phase is Phase.BODY and self._is_busy() and not self._refused
        if waits and isinstance(cycle, _Cycle) and not cycle.too_slow:
            cycle.too_slow = True
            cycle.message_event.set()
            self._deadline = now + LINGER
        else:
            super()._end(now)
