"""One look at an issuer's keys, in a file or at an address: bounded in time and in size.

Redirects are not followed: the address is the one that was reviewed.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vault.config import Issuer
from vault.deadline import ending

SECONDS: Final = 5.0
LARGEST: Final = 262_144


class NotFetched(Exception):
    """Says why, in words of ours."""


def fetch(issuer: Issuer) -> bytes:
    """Blocks. Raises NotFetched."""
    try:
        if issuer.keys.startswith("file:"):
            return _bounded(_read(Path(issuer.keys.removeprefix("file:"))))
        return _bounded(_ask(issuer))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotFetched(type(error).__name__) from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _ask(issuer: Issuer) -> bytes:
    url = urlsplit(issuer.keys)
    headers = {"Accept": "application/jwk-set+json, application/json", "Connection": "close"}
    if issuer.keys_bearer is not None:
        headers["Authorization"] = f"Bearer {_read(issuer.keys_bearer).decode('ascii').strip()}"
    path = f"{url.path or '/'}{url.query and '?'}{url.query}"
    connection, tls = _connection(issuer, url.scheme, url.hostname or "", url.port)
    with _connected(connection.host, connection.port, tls) as connection.sock:
        connection.request("GET", path, None, headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise NotFetched(f"status {answer.status}")
        text = answer.read(LARGEST + 1)
        if answer.length and len(text) <= LARGEST:
            raise NotFetched("cut short")
        return text


def _connection(
    issuer: Issuer, scheme: str, host: str, port: int | None
) -> tuple[http.client.HTTPConnection, ssl.SSLContext | None]:
    """Not connected yet, and what to encrypt it with."""
    if scheme == "http":
        return http.client.HTTPConnection(host, port), None
    tls = ssl.create_default_context(cafile=issuer.keys_ca)
    return http.client.HTTPSConnection(host, port, context=tls), tls


@contextmanager
def _connected(host: str, port: int, tls: ssl.SSLContext | None) -> Iterator[socket.socket]:
    with socket.create_connection((host, port), SECONDS) as plain, ending(plain, SECONDS):
        if tls is None:
            yield plain
        else:
            with tls.wrap_socket(plain, server_hostname=host) as encrypted:
                yield encrypted


def _bounded(text: bytes) -> bytes:
    if len(text) > LARGEST:
        raise NotFetched("too large")
    return text
