"""Whoever watches: an HTTP server that takes alarms, once it is willing."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from vault.ledger.alarms import SIGNATURE


class Receiver(HTTPServer):
    """Answers 503 until it is `willing`, then `status`."""

    def __init__(self, encryption: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if encryption is not None:
            self.socket = encryption.wrap_socket(self.socket, server_side=True)
        self.status = 204
        self.willing = threading.Event()
        self.asked = threading.Semaphore(0)
        self.taken: list[tuple[str, bytes]] = []
        """Signatures and bodies."""
        self.kinds: list[str] = []
        self.paths: list[str] = []
        self.came = threading.Semaphore(0)
        self._serving = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "Receiver":
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A handshake that its client breaks off is none of our business."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/alarms?of=jeton"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.release()
        if not self.server.willing.is_set():
            self.send_response(503)
            self.end_headers()
            return
        self.server.paths.append(self.path)
        self.server.kinds.append(self.headers["Content-Type"])
        self.server.taken.append((self.headers[SIGNATURE], body))
        self.send_response(self.server.status)
        self.end_headers()
        self.server.came.release()

    def log_message(self, *_: Any) -> None: ...
