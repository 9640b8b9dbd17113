"""What chains are called: ``w0``, ``w1``, ... on one machine, and ``HOST-w0`` where several
machines, each with a record of its own, share a store and its marks."""

import re
import socket
from collections.abc import Container, Iterable

HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""Names of machines as they stand in chains, files and receipts."""
WRITER = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?-)?w[0-9]{1,9}"
_WRITER = re.compile(WRITER)


def is_writer(name: str) -> bool:
    return _WRITER.fullmatch(name) is not None


def prefix_of(host: str) -> str:
    """What the names of a host's chains begin with; nothing where there is only one."""
    return f"{host}-" if host else ""


def host_of(writer: str) -> str:
    return writer.rpartition("-")[0]


def ours(writers: Iterable[str], host: str, present: Container[str]) -> set[str]:
    """Those whose chains belong to a host's record: they are in its folder, or should be."""
    return {writer for writer in writers if writer in present or host_of(writer) == host}


def in_order(writer: str) -> tuple[str, int]:
    """Sorts writers: by host, `w0` first."""
    host, _, name = writer.rpartition("-")
    return host, int(name[1:])


def this_host() -> str:
    """What this machine calls itself, spelt as a host; empty where nothing is left of it."""
    name = socket.gethostname().partition(".")[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", name)[:63].strip("-")
