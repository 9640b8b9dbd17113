"""One HTTP/1.1 connection: uvicorn's, with bounds on headers and on patience.

uvicorn waits for ever for headers, for a body that nobody reads any more and for a peer that
does not take its answer, and it arms a timer for every answer. Here a connection only notes a
deadline, and the server looks at all of them twice a second.

Calls are answered without ASGI, and without a task where nothing has to be waited for: that is
most of what a small call would cost. Pages take uvicorn's way.
"""

import asyncio
import fcntl
import math
import socket
import termios
from asyncio import Transport
from collections import deque
from enum import Enum, auto
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from vault.errors import Refusal
from vault.web import framing, problem
from vault.web.answers import Answers
from vault.web.exchange import CLOSE, Exchange, render
from vault.web.headers import new_request_id
from vault.web.problem import HTTPRefusal
from vault.web.server_config import ServerConfig

LINGER: Final = 2.0
"""Seconds that a refused peer has to take the refusal, and an idle one to use the connection
a last time while the service ends."""
PIPELINED: Final = 64
"""Requests that may wait on one connection for the answer to the one before them."""
BLANKS: Final = b" \t"
UNIX: Final = ("unix", 0)
"""Who calls over the Unix socket: no address, and so in no network."""


class Phase(Enum):
    """Where the reader of a connection stands, whatever is being answered meanwhile."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()


class Connection(HttpToolsProtocol):
    """The protocol class for uvicorn's `http` setting."""

    cycle_class = RequestResponseCycle
    """What carries a request to an ASGI callable, and its answer."""
    config: ServerConfig
    cycle: Exchange | RequestResponseCycle  # type: ignore[assignment]
    pipeline: deque[tuple[Exchange | RequestResponseCycle, Any]]  # type: ignore[assignment]

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(self)
        self._limits = self.config.limits
        self._phase = Phase.IDLE
        self._began = False
        """A head has begun in this chunk."""
        self._chunk = 0
        self._head = 0
        """Bytes of the unfinished head that came before this chunk and after its first one."""
        self._first = 0
        """The first one's; some of them may be of the message before."""
        self._host = b""
        """The last Host that was found good: a caller's is always the same."""
        self._fed = True
        """Some of this chunk was of a body."""
        self._around = 0
        """Bytes since the last of a body: chunk extensions and trailers."""
        self._head_too_large = False
        self._refused = False
        calls = getattr(self.config.loaded_app, "calls", None)
        self._answers = calls and Answers(calls, self, self.on_response_complete)
        """None at an address that has no calls."""
        self._unstarted: Exchange | None = None
        """The one whose turn it is, while its body may still be in this chunk."""
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
            self._answers = None
        self._source = str(self.client[0]) if self.client else ""
        encrypted = transport.get_extra_info("ssl_object")
        self._certificate: bytes | None = encrypted and encrypted.getpeercert(binary_form=True)
        """What the peer showed; nothing where it was not asked."""

        if len(self.connections) > self.config.max_connections:  # all others are being answered
            self._refuse(Refusal("overloaded", "too many connections", 1))

    @property
    def is_in_handshake(self) -> bool:
        """Accepted, and not yet connected."""
        return self.transport is None

    # What comes in --------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._chunk = len(data)
        self._began = False
        if self._answers is not None:
            self._answers.at_once = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if self._head_too_large:
                self._refuse(self._too_large())
            else:
                self._refuse(Refusal("malformed_request", "this is no HTTP/1.1 request"))
        if self._phase is not Phase.IDLE:
            self._bound(begun_before=not self._began)
            if self._unstarted is not None and not self._refused:
                self._converse(self._unstarted)

    def _bound(self, *, begun_before: bool) -> None:
        """What the parser holds and nobody has seen yet may not grow without end."""
        if self._phase is Phase.HEAD:
            if begun_before:
                self._head += self._chunk
            size = self._head
        elif self._fed:
            self._fed = False
            size = self._around = 0
        else:
            self._around += self._chunk
            size = self._around
        if size > self._limits.max_headers:
            self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED or self.transport.is_closing():
            raise ValueError  # stops the parser: those before it are answered
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._phase = Phase.HEAD
        self._began = True
        self._head, self._first = 0, self._chunk
        if self.cycle is not None:  # the first request's time began with the connection
            self._deadline = self.loop.time() + self._limits.header_timeout

    def on_header(self, name: bytes, value: bytes) -> None:
        # RFC 9110, section 5.5: blanks at the end are no part of the value.
        self.headers.append((name.lower(), value.rstrip(BLANKS)))

    def on_headers_complete(self) -> None:
        came = self._head + self._chunk + (0 if self._began else self._first)
        if came > self._limits.max_headers:  # perhaps: its first read ended another message, too
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._limits.max_headers:
                self._head_too_large = True
                raise ValueError
        parser, version, headers = self.parser, "1.1", self.headers
        fields = dict(headers)
        # Asking for the version takes longer than all of this; only 1.1 is kept alive unasked.
        keep_alive = parser.should_keep_alive()
        is_plain = len(fields) == len(headers) and framing.NOTED.isdisjoint(fields)
        if not (keep_alive and is_plain and fields.get(b"host") == self._host):
            version = parser.get_http_version()
            keep_alive = keep_alive and version == "1.1"
            self._host, self.expect_100_continue = framing.checked(version, headers)
        path, _, query = framing.target(self.url)
        exchange = Exchange(
            parser.get_method().decode("ascii"),
            path,
            query,
            headers,
            fields,
            self._source,
            keep_alive and not self.config.ending,
            self.expect_100_continue,
            self._certificate,
        )
        self._phase = Phase.BODY
        self._fed = True
        self._deadline = math.inf
        self.headers = []  # what comes now are trailers: nobody reads them
        self._begin(exchange, version)

    def _begin(self, exchange: Exchange, version: str) -> None:
        """Answer the request that has come, or note it behind the one that is being answered."""
        earlier = self.cycle
        is_next = earlier is None or earlier.response_complete
        if self._answers is not None and exchange.path.startswith(b"/v1/"):
            self.cycle = exchange
            if is_next:
                self._unstarted = exchange
        else:
            self.cycle = self._page(exchange, version)
            if is_next:
                self._start_asgi_task(self.cycle, self.app)
        if not is_next:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _page(self, exchange: Exchange, version: str) -> RequestResponseCycle:
        text = exchange.path.decode("ascii")
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,  # type: ignore[typeddict-item]
            "method": exchange.method,
            "root_path": self.root_path,
            "path": unquote(text) if "%" in text else text,
            "raw_path": exchange.path,
            "query_string": exchange.query,
            "headers": exchange.headers,
            "state": self.app_state.copy(),
        }
        return self.cycle_class(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=exchange.asks_to_continue,
            keep_alive=exchange.keep_alive,
            on_response=self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        self._fed = True
        cycle = self.cycle
        if cycle.response_complete:
            return
        if isinstance(cycle, Exchange):
            cycle.feed(body)
        else:
            cycle.body += body
            cycle.message_event.set()
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():  # see `_stay`
            return
        cycle = self.cycle
        self._phase = Phase.IDLE
        if cycle.response_complete:  # it was answered before it was whole
            self._deadline = self.loop.time() + self._limits.keep_alive_timeout
            return
        cycle.more_body = False
        if not isinstance(cycle, Exchange):
            cycle.message_event.set()
        elif cycle is self._unstarted:
            self._converse(cycle)
        else:
            cycle.wake()

    def _stay(self, rest: bytes) -> None:
        """Answer a request to upgrade as it stands (Java's client asks for ``h2c`` with every
        first call). The parser takes what follows for another protocol: it is the body."""
        self.cycle.keep_alive = False
        cycle = self.cycle
        sent = cycle.headers if isinstance(cycle, Exchange) else cycle.scope["headers"]
        ends = [
            b"%b: %b\r\n" % header
            for header in sent
            if header[0] in {b"content-length", b"transfer-encoding"}
        ]
        self.parser = httptools.HttpRequestParser(framing.BodyOnly(self))
        self.data_received(b"".join([b"POST / HTTP/1.1\r\n", *ends, b"\r\n", rest]))

    # What goes out --------------------------------------------------------------------------

    def _converse(self, exchange: Exchange) -> None:
        assert self._answers is not None
        self._unstarted = None
        self._answers.begin(exchange)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():  # who does not take the last answer is not waited for
            self._deadline = self.loop.time() + self._limits.keep_alive_timeout
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            if isinstance(cycle, Exchange):
                self._converse(cycle)
            else:
                self._start_asgi_task(cycle, app)
        elif self._phase is Phase.IDLE:
            self._deadline = self.loop.time() + self._limits.keep_alive_timeout
        elif self._phase is Phase.BODY:  # the rest of it is read and thrown away
            self._deadline = self.loop.time() + self._limits.body_timeout
        if self.flow.read_paused:
            self.flow.resume_reading()

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
        if self.transport.is_closing():  # the answer before it said that it was the last
            return
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self.pipeline or not cycle.more_body or cycle.response_started:
                cycle.keep_alive = False  # what was asked before is answered, and nothing after
                return
            cycle.disconnected = True  # it is this request whose body is none
            cycle.message_event.set()
        if self._phase is not Phase.BODY or not cycle.response_complete:  # one answer a request
            self._write(refusal)
        # Closing now, with bytes of the peer unread, would reset the connection, and the
        # answer might be lost with it.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.time() + LINGER

    def _write(self, refusal: Refusal) -> None:
        status, headers, body = problem.answer(refusal)
        headers += [
            (b"jeton-request-id", new_request_id().encode()),
            CLOSE,
            *self.server_state.default_headers,
        ]
        self.transport.write(render(status, headers, body))

    # How it ends ----------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """Called every now and then: end what is overdue."""
        if now - self._stuck_since > self._limits.keep_alive_timeout:
            self.transport.abort()
        elif now >= self._deadline:
            self._end(now)

    def waits_until(self) -> float | None:
        """When it will be ended for waiting; None while somebody waits for its answer."""
        if self._stuck_since < math.inf:
            return self._stuck_since + self._limits.keep_alive_timeout
        return None if self._is_busy() else self._deadline

    def leave(self) -> None:
        """Make room for another. Who has just sent something stays: it would be lost."""
        if self.transport.get_write_buffer_size():  # closing would wait for who takes nothing
            self.transport.abort()
        elif not self._unread():
            self.connections.discard(self)
            self.transport.close()
            if self.scheme == "https":  # it would wait for the peer's farewell, and keep its file
                self.loop.call_soon(self.transport.abort)

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _end(self, now: float) -> None:
        if self._refused and self._is_busy():  # its last answer closes it
            return
        if self._refused or self.transport.is_closing():
            self.transport.abort()
        elif self._phase is Phase.HEAD:
            timeout = self._limits.header_timeout
            self._refuse(
                Refusal("timeout", f"the headers were not here within {timeout:g} seconds")
            )
        elif self._phase is not Phase.IDLE or not self._unread():  # else it comes in time
            self._deadline = now + LINGER
            self.transport.close()

    def shutdown(self) -> None:
        """The service ends: what was sent is answered, and the answer says that it is the last.

        An idle connection is kept a little, since a request may be on its way on it: closing at
        once would lose it.
        """
        if self._is_busy():
            self.cycle.keep_alive = False
        elif self._phase is Phase.IDLE:
            patience = min(LINGER, self._limits.shutdown_timeout / 2)
            self._deadline = min(self._deadline, self.loop.time() + patience)

    def _unread(self) -> bool:
        """A request is in the socket's buffer and will be read in the loop's next turn."""
        fileno: int = self.transport.get_extra_info("socket").fileno()
        return any(fcntl.ioctl(fileno, termios.FIONREAD, b"\0\0\0\0"))


class _Flow(FlowControl):
    """Reads nothing more while requests wait for the answer to the one before them: who sends
    and does not listen would have all of them kept."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.transport)
        self._pipeline = connection.pipeline

    def resume_reading(self) -> None:
        if self.read_paused and not self._pipeline:
            super().resume_reading()
