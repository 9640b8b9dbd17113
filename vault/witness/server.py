"""How a witness is asked: HTTP with a credential, over TLS or a Unix socket.

``POST /v1/logs/<key id>/<name>`` with ``old <number>`` on the first line and the checkpoints after
it: 200 and the cosignature, or 409 and what the witness knows (signed too). ``GET`` of the same
gives every checkpoint it has; of ``/v1/logs/<key id>`` the names, a line each. ``GET /livez`` is
answered with 200, without a credential.
"""

import hashlib
import hmac
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn, UnixStreamServer
from typing import Any, Final

from vault.audit.trouble import words_of
from vault.witness.cosignature import HEADER, PREFIX, spell
from vault.witness.logs import Conflict, Inconsistent, Unknown, Witness

MOST_BYTES: Final = 4 * 1_048_576
MOST_AT_ONCE: Final = 32
SECONDS: Final = 10.0
"""How long a caller may be silent."""

Tell = Callable[[str], None]
"""Hears in a line what its operator should know."""


class _Threads(ThreadingMixIn):
    """A thread a call, and no more than `MOST_AT_ONCE` of them."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__(*arguments)

    def process_request(self, request: Any, address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, address)
        else:
            self.shutdown_request(request)  # type: ignore[attr-defined]

    def process_request_thread(self, request: Any, address: Any) -> None:
        try:
            super().process_request_thread(request, address)
        finally:
            self._room.release()

    def handle_error(self, *_: object) -> None:
        """A connection that broke off is its caller's business."""


class OverTcp(_Threads, TCPServer):
    allow_reuse_address = True

    def __init__(
        self, host: str, port: int, handler: Any, tls: Callable[[], ssl.SSLContext] | None
    ) -> None:
        """`tls` is asked for each connection."""
        self._tls = tls
        super().__init__((host, port), handler)

    def get_request(self) -> Any:
        connection, address = super().get_request()
        if self._tls is not None:  # the handshake is made in the call's own thread
            connection = self._tls().wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address


class OverUnix(_Threads, UnixStreamServer):
    def __init__(self, path: Path, handler: Any) -> None:
        path.unlink(missing_ok=True)
        before = os.umask(0o117)
        try:
            super().__init__(str(path), handler)
        finally:
            os.umask(before)


def handler(witness: Witness, tell: Tell) -> type[BaseHTTPRequestHandler]:
    """Answers the calls of one witness."""

    class Handler(_Handler):
        asked = witness
        told = staticmethod(tell)

    return Handler


class _Handler(BaseHTTPRequestHandler):
    timeout = SECONDS
    asked: Witness
    told: Tell

    def setup(self) -> None:
        """A head that comes a byte at a time is never silent: it has as long in all. Whoever has
        shown the credential may take their time."""
        super().setup()
        self._patience = threading.Timer(self.timeout, _end, (self.connection,))
        self._patience.daemon = True
        self._patience.start()

    def finish(self) -> None:
        self._patience.cancel()
        super().finish()

    def do_POST(self) -> None:
        if (log := self._log()) is None:
            return
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size) > MOST_BYTES:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        first, _, rest = self.rfile.read(int(size)).partition(b"\n")
        word, _, number = first.partition(b" ")
        if word != b"old" or not number.isdigit() or len(number) > 18:
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        try:
            signed = self.asked.add(log, int(number), rest.splitlines(keepends=True))
        except Conflict as conflict:
            self._answer(HTTPStatus.CONFLICT, spell(conflict.known))
        except Inconsistent as error:
            self.told(f"{log}: refused: {error}")
            self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error).encode())
        except Unknown:
            self._answer(HTTPStatus.NOT_FOUND)
        except OSError as error:
            self.told(f"{log}: cannot be kept: {words_of(error)}")
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._answer(HTTPStatus.OK, spell(signed))

    def do_GET(self) -> None:
        if self.path == "/livez":
            self._answer(HTTPStatus.OK)
            return
        if (log := self._log()) is None:
            return
        if "/" not in log:
            names = "".join(f"{name}\n" for name in self.asked.names(log)) if log.isalnum() else ""
            self._answer(HTTPStatus.OK, names.encode())
            return
        try:
            lines, signed = self.asked.known(log)
        except Unknown:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header(HEADER, spell(signed).decode())
        self.end_headers()
        for line in lines:
            self.wfile.write(line)

    def _log(self) -> str | None:
        """What is asked for; None where the caller was answered already."""
        kind, _, credential = self.headers.get("Authorization", "").partition(" ")
        digest = hashlib.sha256(credential.strip().encode("latin-1", "replace")).hexdigest()
        if kind.lower() != "bearer" or not hmac.compare_digest(digest, self.asked.credential):
            self._answer(HTTPStatus.UNAUTHORIZED)
            return None
        self._patience.cancel()
        if not self.path.startswith(PREFIX):
            self._answer(HTTPStatus.NOT_FOUND)
            return None
        return self.path.removeprefix(PREFIX)

    def _answer(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return ""

    def log_message(self, *arguments: object) -> None:
        """What was asked is not logged: what was refused is told."""


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it is at its end already
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # of what TLS lies over, too
