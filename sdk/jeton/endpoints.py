"""Where a service is: one address, or several of which the first that works is used.

A `Circuit` remembers how an address has done. After `FAILURES` in a row nothing is sent there
for a while; then one call tries, and the others wait for what it finds.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from jeton.errors import UsageError

FAILURES = 5
COOL_SECONDS = 1.0
LONGEST_COOL_SECONDS = 30.0
_PREFIX = re.compile(r"[!-~]*")
_PORTS = {"http": 80, "https": 443}
_SCHEMES = (*_PORTS, "http+unix")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address. `socket` is the path of a Unix socket, empty for TCP."""

    scheme: str
    host: str
    port: int
    prefix: str = ""
    socket: str = ""

    @property
    def authority(self) -> str:
        """What the ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def base(self) -> str:
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else self.base


def endpoints(urls: str) -> tuple[Endpoint, ...]:
    """The addresses in a text, parted by commas or spaces. Raises UsageError."""
    found = tuple(_endpoint(url) for url in re.split(r"[,\s]+", urls.strip()) if url)
    if not found:
        raise UsageError("say where: pass `url` or set JETON_URL")
    return found


def _endpoint(url: str) -> Endpoint:
    if url.startswith("unix:/"):
        path = url.removeprefix("unix:")
        return Endpoint("http", "localhost", 80, socket="/" + path.lstrip("/"))
    where, port = _split(url)
    if where.username is not None or where.query or where.fragment:
        raise UsageError("the url must hold no user, query or fragment")
    prefix = where.path.rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        raise UsageError("the url's path must be visible ASCII characters")
    if where.scheme == "http+unix":
        return Endpoint("http", "localhost", 80, prefix, unquote(where.netloc))
    return Endpoint(where.scheme, where.hostname or "", port or _PORTS[where.scheme], prefix)


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        where = urlsplit(url)
        port = where.port if where.scheme != "http+unix" else None
    except ValueError:
        where, port = urlsplit(""), None
    if where.scheme not in _SCHEMES or not where.hostname or not where.netloc.isascii():
        raise UsageError("a url reads http://host:port, https://host:port or unix:/path")
    return where, port


@dataclass(slots=True)
class Circuit:
    """How one address has done lately. The caller holds a lock around every method."""

    endpoint: Endpoint
    longest_cool: float = COOL_SECONDS
    _failures: int = field(default=0, init=False)
    _closed_until: float = field(default=0.0, init=False)

    def wait(self, now: float) -> float:
        """Seconds until something may be sent."""
        return max(0.0, self._closed_until - now) if self._failures >= FAILURES else 0.0

    def taken(self, now: float) -> None:
        """A call goes there: after failures it is the only one until it comes back."""
        if self._failures >= FAILURES:
            self._closed_until = now + self._cool()

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, now: float) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._closed_until = now + self._cool()

    def _cool(self) -> float:
        doubled = 2.0 ** min(self._failures - FAILURES, 10)
        return min(COOL_SECONDS * doubled, self.longest_cool)
