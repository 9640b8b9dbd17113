"""What takes the record elsewhere: a syslog server on TLS, which frames by octets and ends its
connections as RFC 5425 wants. `breaks` makes it hang up in the middle of a batch instead."""

import json
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

from tests.support.certificates import Pair


class SyslogServer:
    """Keeps heads and events of whole messages."""

    def __init__(self, context: ssl.SSLContext, breaks: int = 0) -> None:
        self._context = context
        self.breaks = breaks
        """So many connections are broken off after some bytes."""
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.came = threading.Semaphore(0)
        """Once a connection that was read to its end."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "SyslogServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, event in self.messages]

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                with suppress(OSError), raw:
                    self._take(raw)

    def _take(self, raw: socket.socket) -> None:
        with self._context.wrap_socket(raw, server_side=True) as connection:
            if self.breaks:
                self.breaks -= 1
                connection.recv(100)
                return
            data = b""
            while more := connection.recv(65_536):
                data += more
            while data:
                length, _, rest = data.partition(b" ")
                message, data = rest[: int(length)], rest[int(length) :]
                assert len(message) == int(length)
                head, _, event = message.decode("ascii").partition(" - ")
                self.messages.append((head, json.loads(event)))
            connection.unwrap()
        self.came.release()


def server_context(pair: Pair, folder: Any) -> ssl.SSLContext:
    certificate, key = folder / "siem.crt", folder / "siem.key"
    pair.put(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
