"""Credentials: made once, known ever after by their SHA-256 only.

A credential reads ``jeton_<client>_<random>_<checksum>``. The prefix lets secret scanners
find it, 256 random bits make a plain SHA-256 enough to keep it by (there is nothing to
guess), and the checksum tells a mistyped credential from a revoked one without a server.
"""

import hashlib
import secrets
import zlib
from collections.abc import Collection, Mapping, Sequence
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
from typing import Final, Protocol

from vault.config import NAME, Client, Settings
from vault.errors import Refusal, SetUpError

PREFIX: Final = "jeton"
BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH: Final = 43  # 62**43 > 2**256
CHECKSUM_LENGTH: Final = 6  # 62**6 > 2**32

DETAIL: Final = "send `Authorization: Bearer` with a credential that is valid here and now"
"""The one detail of every 401: whoever guesses learns nothing from it."""


class Caller(Protocol):
    """What came with a request beside its `Authorization`."""

    @property
    def certificate(self) -> bytes | None:
        """What its connection showed, in DER."""
        ...

    @property
    def fields(self) -> Mapping[bytes, bytes]:
        """Its headers, by names in lower case."""
        ...

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The same as they came, so that a second one is seen."""
        ...


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated client; `credential` is the first 8 hex digits of its hash."""

    name: str
    credential: str


Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A credential of the configuration."""

    digest: bytes
    principal: Principal
    expires: date
    networks: Networks


_GOOD: Final = b"\1"
_BAD: Final = b"\0"
_DAYS: Final = 1 << 29
"""More than there are, and still one digit of Python's: a number of any other length would take
another time."""


class _Slot:
    """A credential where it is looked for, or what nobody's digest equals in its place."""

    __slots__ = ("last_day", "principal", "wanted", "within")

    def __init__(self, kept: _Kept | None = None, networks: Sequence[Networks] = ()) -> None:
        self.wanted = (kept.digest if kept else secrets.token_bytes(32)) + _GOOD
        self.last_day = (kept.expires if kept else date.max).toordinal()
        self.principal = kept.principal if kept else None
        self.within = networks.index(kept.networks) if kept else 0


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
    """All credentials of a configuration, found by digest.

    The digest's first bytes name a row of a table. All rows are as long, filled up with slots
    that nothing equals, and every slot of a row is judged in one comparison, of the digest with
    the day and the network together. So an unknown credential, an expired one and one that comes
    from a wrong network take the same steps, over the same kind of memory, with the same outcome
    at each: `python -m tests.timing.credentials` finds no difference of a nanosecond.
    """

    def __init__(self, settings: Settings) -> None:
        kept = {
            each.digest: each
            for name, client in settings.clients.items()
            for each in _kept(name, client)
        }
        bound = {each.networks for each in kept.values() if each.networks}
        self._networks: tuple[Networks, ...] = ((), *bound)
        """By number, as slots and `_near` name them; the first holds everywhere."""
        self._rows = _table(kept.values(), self._networks)
        self._near = lru_cache(maxsize=4_096)(self._look_near)

    def find(self, authorization: str | None, source: str, now: datetime) -> Principal | None:
        """As `authenticate`, which says what each is; None for every credential not good here
        and now, whatever is wrong with it."""
        scheme, _, credential = (authorization or "").partition(" ")
        bearer = scheme.lower() == "bearer"
        digest = hashlib.sha256(credential.strip().encode("utf-8", "surrogatepass")).digest()
        near, today = self._near(source), now.astimezone(UTC).toordinal()
        found = _NOTHING
        for slot in self._rows[int.from_bytes(digest[:4]) % len(self._rows)]:
            day = (slot.last_day - today + _DAYS) // _DAYS  # 1 to its last day, then 0
            good = compare_digest(digest + near[slot.within][day], slot.wanted)
            found = (found, slot)[good & bearer]
        return found.principal

    def authenticate(self, authorization: str | None, source: str, now: datetime) -> Principal:
        """The principal of a raw ``Authorization`` header that came from `source` at `now`.

        `source` is an IP address, or anything else (a Unix socket) for none. `now` is aware.
        Raises Refusal ``unauthenticated``, always with the same detail.
        """
        principal = self.find(authorization, source, now)
        if principal is None:
            raise Refusal("unauthenticated", DETAIL)
        return principal

    def _look_near(self, source: str) -> tuple[tuple[bytes, bytes], ...]:
        """What to put after a digest for each of `_networks`: too late, and in time."""
        address = address_of(source)
        return tuple(
            (_BAD, _GOOD if not networks or _is_within(address, networks) else _BAD)
            for networks in self._networks
        )


def _is_within(address: IPv4Address | IPv6Address | None, networks: Networks) -> bool:
    return address is not None and any(address in network for network in networks)


_NOTHING: Final = _Slot()


def _kept(name: str, client: Client) -> list[_Kept]:
    return [
        _Kept(
            bytes.fromhex(credential.sha256),
            Principal(name, credential.sha256[:8].lower()),
            credential.expires or date.max,
            tuple(ip_network(network) for network in credential.networks),
        )
        for credential in client.credentials
    ]


def _table(known: Collection[_Kept], networks: Sequence[Networks]) -> list[tuple[_Slot, ...]]:
    """More than four rows a credential, so that they are short."""
    rows: list[list[_Kept]] = [[] for _ in range(4 * len(known) + 1)]
    for kept in known:
        rows[int.from_bytes(kept.digest[:4]) % len(rows)].append(kept)
    longest = max(1, *map(len, rows))
    # Row by row, so that credentials lie in memory as what fills the rows up does.
    return [
        tuple(_Slot(kept, networks) for kept in (*row, *[None] * (longest - len(row))))
        for row in rows
    ]


def address_of(source: str) -> IPv4Address | IPv6Address | None:
    """What `source` is, as networks know it; None where it is none (a Unix socket)."""
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
