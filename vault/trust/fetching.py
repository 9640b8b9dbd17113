"""One look at an issuer's keys, in a file or at an address: bounded in time and in size.

Redirects are not followed: the address is the one that was reviewed.
"""

import http.client
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vault.config import Issuer

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
    connection = _connection(issuer, url.scheme, url.hostname or "", url.port)
    try:
        connection.request("GET", f"{url.path or '/'}{url.query and '?'}{url.query}", None, headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise NotFetched(f"status {answer.status}")
        return answer.read(LARGEST + 1)
    finally:
        connection.close()


def _connection(
    issuer: Issuer, scheme: str, host: str, port: int | None
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=SECONDS)
    context = ssl.create_default_context(cafile=issuer.keys_ca)
    return http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)


def _bounded(text: bytes) -> bytes:
    if len(text) > LARGEST:
        raise NotFetched("too large")
    return text
