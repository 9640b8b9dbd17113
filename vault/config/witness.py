"""`[audit.witness]`: who keeps the record's checkpoints elsewhere, and the rules of it."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from vault.audit.names import HOST
from vault.config.shape import Problem

_SOURCE = re.compile(r"(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)")


class Witness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    """``https://HOST[:PORT]``, ``http://`` on this machine, or ``unix:PATH``."""
    key: Path
    """The witness's public key, PEM."""
    credential: str
    """What it knows its callers by: `env:NAME` or `file:PATH`."""
    tls_ca: Path | None = None
    """PEM. None: the system's authorities."""
    name: str | None = None
    """What this record is called there. None: as the machine's chains are, else `record`."""
    required_within: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None
    """Seconds without the witness's signature after which reveals stop. None: they go on."""


def witness_disagreements(witness: Witness) -> Iterator[Problem]:
    at = "audit.witness"
    if not _is_address(witness.url):
        words = "expected https://, http:// on this machine only, or unix:/PATH, and no more"
        yield Problem(f"{at}.url", words)
    if not _SOURCE.fullmatch(witness.credential):
        words = "expected env:NAME or file:PATH: where the credential is, never it"
        yield Problem(f"{at}.credential", words)
    if witness.name is not None and not HOST.fullmatch(witness.name):
        words = "expected 1 to 63 lower-case letters, digits and hyphens, none at an end"
        yield Problem(f"{at}.name", words)


def _is_address(text: str) -> bool:
    if text.startswith("unix:"):
        return text.removeprefix("unix:").startswith("/")
    try:
        url = urlsplit(text)
        bare = not (url.path.strip("/") or url.query or url.fragment or "@" in url.netloc)
        host, bare = url.hostname or "", bare and url.port != 0
    except ValueError:
        return False
    if url.scheme != "https" and not (url.scheme == "http" and _is_here(host)):
        return False
    return bare and bool(host)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
