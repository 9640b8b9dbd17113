"""What a head may say of whom a request is for and where its body ends.

The parser is lenient where a proxy before us might read otherwise than we do. What two readers
could take for two different requests (RFC 9112, sections 3.2, 6 and 11.2) is refused.
"""

import re
from typing import Final, Protocol

import httptools

from vault.web.headers import Header

NOTED: Final = frozenset({b"connection", b"transfer-encoding", b"expect"})
"""A head of HTTP/1.1 that has nothing twice, nothing of these and a Host that was found good
before needs no other look."""
HOST: Final = re.compile(rb"(?:\[[0-9A-Za-z:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::[0-9]*)?", re.ASCII)
"""RFC 9110, section 7.2."""
FRAGMENT: Final = ord("#")

Target = tuple[bytes, bytes, bytes]
"""Path, ``?`` and query."""


def checked(version: str, headers: list[Header]) -> tuple[bytes, bool]:
    """The Host (empty where there is none), and whether the caller waits to be asked for the
    body. Raises ValueError, which stops the parser."""
    seen: dict[bytes, list[bytes]] = {name: [] for name in (b"host", *NOTED)}
    for name, value in headers:
        if name in seen:
            seen[name].append(value)
    hosts = seen[b"host"]
    codings = [coding.lower() for coding in seen[b"transfer-encoding"]]
    if version == "1.1":
        fits = len(hosts) == 1 and codings in ([], [b"chunked"])
    else:
        fits = version == "1.0" and len(hosts) <= 1 and not codings
    if not fits or not all(map(HOST.fullmatch, hosts)):
        raise ValueError
    # RFC 9110, section 10.1.1: HTTP/1.0 has no interim answers.
    expects = version == "1.1" and any(each.lower() == b"100-continue" for each in seen[b"expect"])
    return hosts[0] if hosts else b"", expects


def target(url: bytes) -> Target:
    """Raises ValueError where there is no path."""
    if FRAGMENT in url:
        raise ValueError
    if url.startswith(b"/"):
        return url.partition(b"?")
    parsed = httptools.parse_url(url)
    return parsed.path or b"/", b"?", parsed.query or b""


class Receiver(Protocol):
    """Whom a parser tells of a body."""

    def on_body(self, body: bytes) -> None: ...

    def on_message_complete(self) -> None: ...


class BodyOnly:
    """Hands on the body of one request, and nothing that comes after it."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._complete = False

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._receiver.on_body(body)

    def on_message_complete(self) -> None:
        if not self._complete:
            self._complete = True
            self._receiver.on_message_complete()
