"""`store.url` for Redis: which servers there are, and what they are to each other.

::

    redis://[USER@]HOST[:PORT][/DATABASE]
    redis+sentinel://[USER@]HOST[:PORT],HOST[:PORT]/SERVICE[/DATABASE]
    redis+cluster://[USER@]HOST[:PORT],HOST[:PORT]

`rediss` in the place of `redis` speaks TLS. Passwords have no place here: a URL ends in
process lists, logs and bug reports.
"""

import re
from dataclasses import dataclass
from typing import Literal

from vault.errors import SetUpError

PORT = 6379
SENTINEL_PORT = 26379

Kind = Literal["standalone", "sentinel", "cluster"]
Host = tuple[str, int]

_URL = re.compile(r"(redis|rediss)(?:\+(sentinel|cluster))?://([^/?#]*)([^?#]*)")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_SERVICE = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class Address:
    """`hosts` are where to begin: the server itself, the sentinels, some nodes of a cluster."""

    kind: Kind
    hosts: tuple[Host, ...]
    tls: bool = False
    username: str | None = None
    service: str = ""
    database: int = 0


def is_redis(url: str) -> bool:
    """Whether a store's URL is meant for here, well written or not."""
    return url.partition(":")[0].partition("+")[0] in ("redis", "rediss")


def parse(url: str) -> Address:
    """Raises SetUpError, which says what is expected and never repeats the URL."""
    found = _URL.fullmatch(url)
    if found is None:
        raise SetUpError(
            "expected redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/SERVICE or "
            "redis+cluster://HOST:PORT,HOST:PORT (rediss for TLS), and nothing after it"
        )
    scheme, plus, where, path = found.groups()
    user, at, hosts = where.rpartition("@")
    if ":" in user:
        raise SetUpError("a password does not belong into a URL: name its source in store.password")
    if at and not user:
        raise SetUpError("expected a user before the @")
    kind: Kind = plus or "standalone"  # type: ignore[assignment] # the expression's two words
    service, database = _path(kind, path.strip("/"))
    return Address(kind, _hosts(kind, hosts), scheme == "rediss", user or None, service, database)


def _hosts(kind: Kind, text: str) -> tuple[Host, ...]:
    hosts = []
    for part in text.split(","):
        found = _HOST.fullmatch(part)
        if found is None or int(found[2] or 1) not in range(1, 65_536):
            raise SetUpError("expected hosts as HOST or HOST:PORT, separated by commas")
        usual = SENTINEL_PORT if kind == "sentinel" else PORT
        hosts.append((found[1].strip("[]"), int(found[2] or usual)))
    if kind == "standalone" and len(hosts) > 1:
        raise SetUpError("several hosts are redis+sentinel:// or redis+cluster://")
    return tuple(hosts)


def _path(kind: Kind, path: str) -> tuple[str, int]:
    service, _, database = path.partition("/") if kind == "sentinel" else ("", "", path)
    if kind == "sentinel" and not _SERVICE.fullmatch(service):
        raise SetUpError("expected the name of Sentinel's service after the hosts: /SERVICE")
    if kind == "cluster" and database:
        raise SetUpError("a cluster has no numbered databases: nothing may follow the hosts")
    if database and not (database.isascii() and database.isdigit() and len(database) < 4):
        raise SetUpError("expected the database's number at the end, or nothing")
    return service, int(database or 0)
