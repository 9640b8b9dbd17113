"""One HTTP/1.1 connection: uvicorn's, with bounds on headers and on patience.

uvicorn waits for ever for headers, for a body that nobody reads any more and for a peer that
does not take its answer, and it arms a timer for every answer. Here a connection only notes a
deadline, and the server looks at all of them twice a second.
"""

import fcntl
import math
import socket
import termios
from asyncio import Transport
from enum import Enum, auto
from typing import Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from vault.errors import Refusal
from vault.web import problem
from vault.web.headers import new_request_id
from vault.web.problem import HTTPRefusal
from vault.web.server_config import ServerConfig

LINGER: Final = 2.0
"""Seconds that a refused peer has to take the refusal, and an idle one to use the connection
a last time while the service ends."""
UNIX: Final = ("unix", 0)
"""Who calls over the Unix socket: no address, and so in no network."""


class Phase(Enum):
    """Where the reader of a connection stands, whatever is being answered meanwhile."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()


class Connection(HttpToolsProtocol):
    """The protocol class for uvicorn's `http` setting."""

    config: ServerConfig

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._limits = self.config.limits
        self._phase = Phase.IDLE
        self._requests = 0
        self._chunk = 0
        self._head = 0
        """Bytes of the unfinished head that came before this chunk."""
        self._head_too_large = False
        self._refused = False
        self._stuck_since = math.inf
        self._deadline = self.loop.time() + self._limits.header_timeout
        if transport.get_extra_info("socket").family == socket.AF_UNIX:
            self.client = UNIX
        elif (
            self.config.metrics_port is not None
            and self.server is not None
            and self.server[1] == self.config.metrics_port
        ):
            self.app = self.config.loaded_app.metrics_only

    @property
    def is_in_handshake(self) -> bool:
        """Accepted, and not yet connected: TLS comes first."""
        return self.transport is None

    # What comes in --------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._chunk = len(data)
        requests = self._requests
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if self._head_too_large:
                self._refuse(self._too_large())
            else:
                self._refuse(Refusal("malformed_request", "this is no HTTP/1.1 request"))
        if self._phase is Phase.HEAD:
            if requests == self._requests:
                self._head += len(data)
            if self._head > self._limits.max_headers:
                self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase = Phase.HEAD
        self._head = 0
        if self.cycle is not None:  # the first request's time began with the connection
            self._deadline = self.loop.time() + self._limits.header_timeout

    def on_headers_complete(self) -> None:
        if self._head + self._chunk > self._limits.max_headers:  # perhaps: count
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._limits.max_headers:
                self._head_too_large = True
                raise ValueError  # stops the parser
        self._phase = Phase.BODY
        self._requests += 1
        self._deadline = math.inf
        super().on_headers_complete()
        if self.config.ending:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():  # see `_stay`
            return
        super().on_message_complete()
        self._phase = Phase.IDLE
        if self.cycle.response_complete:  # it was answered before it was whole
            self._deadline = self.loop.time() + self._limits.keep_alive_timeout

    def _stay(self, rest: bytes) -> None:
        """Answer a request to upgrade as it stands (Java's client asks for ``h2c`` with every
        first call). The parser takes what follows for another protocol: it is the body."""
        self.cycle.keep_alive = False
        framing = [
            b"%b: %b\r\n" % header
            for header in self.headers
            if header[0] in {b"content-length", b"transfer-encoding"}
        ]
        self.parser = httptools.HttpRequestParser(_BodyOnly(self))
        self.data_received(b"".join([b"POST / HTTP/1.1\r\n", *framing, b"\r\n", rest]))

    # What goes out --------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._phase is Phase.IDLE:
            self._deadline = self.loop.time() + self._limits.keep_alive_timeout
        elif self._phase is Phase.BODY:  # the rest of it is read and thrown away
            self._deadline = self.loop.time() + self._limits.body_timeout

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck_since = math.inf

    def _too_large(self) -> Refusal:
        return HTTPRefusal(
            "too_large", f"headers have at most {self._limits.max_headers} bytes", status=431
        )

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what will never become a request, and read no more."""
        if self._refused:
            return
        self._refused = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self.pipeline or not cycle.more_body or cycle.response_started:
                cycle.keep_alive = False  # what was asked before is answered, and nothing after
                return
            cycle.disconnected = True  # it is this request whose body is none
            cycle.message_event.set()
        status, headers, body = problem.answer(refusal)
        headers += [
            (b"jeton-request-id", new_request_id().encode()),
            (b"connection", b"close"),
            *self.server_state.default_headers,
        ]
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        # Closing now, with bytes of the peer unread, would reset the connection, and the
        # answer might be lost with it.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.time() + LINGER

    # How it ends ----------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """Called every now and then: end what is overdue."""
        if now - self._stuck_since > self._limits.keep_alive_timeout:
            self.transport.abort()
        elif now >= self._deadline:
            self._end(now)

    def _end(self, now: float) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        if self._refused and busy:  # its last answer closes it
            return
        if self._refused or self.transport.is_closing():
            self.transport.abort()
        elif self._phase is Phase.HEAD:
            timeout = self._limits.header_timeout
            self._refuse(
                Refusal("timeout", f"the headers were not here within {timeout:g} seconds")
            )
        elif not (self.config.ending and self._unread()):
            self._deadline = now + LINGER
            self.transport.close()

    def shutdown(self) -> None:
        """The service ends: what was sent is answered, and the answer says that it is the last.

        An idle connection is kept a little, since a request may be on its way on it: closing at
        once would lose it.
        """
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        elif self._phase is Phase.IDLE:
            patience = min(LINGER, self._limits.shutdown_timeout / 2)
            self._deadline = min(self._deadline, self.loop.time() + patience)

    def _unread(self) -> bool:
        """A request is in the socket's buffer and will be read in the loop's next turn."""
        fileno: int = self.transport.get_extra_info("socket").fileno()
        return any(fcntl.ioctl(fileno, termios.FIONREAD, b"\0\0\0\0"))


class _BodyOnly:
    """Hands on the body of one request, and nothing that comes after it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._complete = False

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._connection.on_body(body)

    def on_message_complete(self) -> None:
        if not self._complete:
            self._complete = True
            self._connection.on_message_complete()
