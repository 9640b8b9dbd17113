"""Credentials: made once, known ever after by their SHA-256 only.

A credential reads ``jeton_<client>_<random>_<checksum>``. The prefix lets secret scanners
find it, 256 random bits make a plain SHA-256 enough to keep it by (there is nothing to
guess), and the checksum tells a mistyped credential from a revoked one without a server.
"""

import hashlib
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from hmac import compare_digest
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from vault.config import NAME, Client, Settings
from vault.errors import Refusal, SetUpError

PREFIX: Final = "jeton"
BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH: Final = 43  # 62**43 > 2**256
CHECKSUM_LENGTH: Final = 6  # 62**6 > 2**32

DETAIL: Final = "send `Authorization: Bearer` with a credential that is valid here and now"
"""The one detail of every 401: whoever guesses learns nothing from it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated client; `credential` is the first 8 hex digits of its hash."""

    name: str
    credential: str


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: bytes
    principal: Principal
    expires: date | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


def mint(client: str) -> tuple[str, str]:
    """A fresh credential of `client` and the SHA-256 hex digits to keep of it.

    Raises SetUpError when `client` is no name a client can have."""
    if not NAME.fullmatch(client):
        raise SetUpError(
            "a client's name has 1 to 63 lower-case letters, digits and hyphens, no hyphen first"
        )
    body = f"{PREFIX}_{client}_{_base62(secrets.randbits(256), RANDOM_LENGTH)}"
    text = f"{body}_{_checksum(body)}"
    return text, hashlib.sha256(text.encode()).hexdigest()


def checksum_fits(text: str) -> bool:
    """False: `text` was cut or mistyped, and no server will know it."""
    body, _, checksum = text.rpartition("_")
    return compare_digest(_checksum(body).encode(), checksum.encode("utf-8", "surrogatepass"))


class Identities:
    """All credentials of a configuration, found by digest."""

    def __init__(self, settings: Settings) -> None:
        self._entries: Mapping[bytes, _Entry] = {
            entry.digest: entry
            for name, client in settings.clients.items()
            for entry in _entries(name, client)
        }
        self._nobody = _Entry(secrets.token_bytes(32), Principal("", ""))

    def authenticate(self, authorization: str | None, source: str, now: datetime) -> Principal:
        """The principal of a raw ``Authorization`` header that came from `source` at `now`.

        `source` is an IP address, or anything else (a Unix socket) for none. `now` is aware.
        Raises Refusal ``unauthenticated``, always with the same detail. An unknown credential
        goes the way of a known one, against an entry that nothing equals.
        """
        scheme, _, credential = (authorization or "").partition(" ")
        digest = hashlib.sha256(credential.strip().encode("utf-8", "surrogatepass")).digest()
        entry = self._entries.get(digest, self._nobody)
        known = compare_digest(digest, entry.digest)
        timely = entry.expires is None or now.astimezone(UTC).date() <= entry.expires
        near = not entry.networks or _is_within(source, entry.networks)
        if known and timely and near and scheme.lower() == "bearer":
            return entry.principal
        raise Refusal("unauthenticated", DETAIL)


def _entries(name: str, client: Client) -> list[_Entry]:
    return [
        _Entry(
            bytes.fromhex(credential.sha256),
            Principal(name, credential.sha256[:8].lower()),
            credential.expires,
            tuple(ip_network(network) for network in credential.networks),
        )
        for credential in client.credentials
    ]


def _is_within(source: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    address = _address(source)
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=4_096)
def _address(source: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(source)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:  # from a dual-stack socket
        return address.ipv4_mapped
    return address


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("utf-8", "surrogatepass")), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits))
