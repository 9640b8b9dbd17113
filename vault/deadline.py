"""Connections that end with their time.

A read that times out is no bound: who answers a byte at a time never lets one. In a thread that
asks, that would last for ever, and no process ends before its threads.
"""

import http.client
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Timer
from urllib.parse import SplitResult


@contextmanager
def ending(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Shuts a connected socket down after so long, whatever is read from it then, and however it
    was wrapped meanwhile. Within it a peer that is too slow is one that hung up."""
    with socket.socket(fileno=os.dup(connection.fileno())) as whole:
        timer = Timer(seconds, _end, (whole,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def post(
    url: SplitResult,
    tls: ssl.SSLContext | None,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
    whole: float,
) -> int:
    """The status that a POST is answered with; what else the answer says is not read.

    `seconds` is for each step of it, `whole` for all of them once it is connected. `tls` where the
    scheme is https. Raises OSError, http.client.HTTPException.
    """
    kind = http.client.HTTPConnection if tls is None else http.client.HTTPSConnection
    connection = kind(url.hostname or "", url.port)
    plain = socket.create_connection((connection.host, connection.port), seconds)
    began = time.monotonic()
    try:
        with plain, ending(plain, whole):
            connection.sock = (
                plain if tls is None else tls.wrap_socket(plain, server_hostname=connection.host)
            )
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
        if time.monotonic() - began >= whole:
            raise TimeoutError  # a head that broke off passes for one that ended
        return status
    finally:
        connection.close()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it is at its end already
        connection.shutdown(socket.SHUT_RDWR)
