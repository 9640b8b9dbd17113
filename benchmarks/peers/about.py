"""What is compared on this machine, and what is not: the versions, or what is lacking."""

import subprocess
from importlib.metadata import version
from importlib.util import find_spec

from benchmarks.peers.engines import versions
from benchmarks.peers.postgresql_server import program
from benchmarks.peers.services import absent

PACKAGES = ("fastapi", "asyncpg", "redis")
PROGRAMS = ("postgres", "redis-server", "java")


def about() -> dict[str, str]:
    """For the report. Takes a second or two: each engine is tried."""
    lacking = {name: f"not compared: it lacks {what}" for name, what in absent().items()}
    packages = {name: version(name) for name in PACKAGES if find_spec(name) is not None}
    return versions() | packages | dict(_programs()) | lacking


def _programs() -> list[tuple[str, str]]:
    found = []
    for name in PROGRAMS:
        if (path := program(name)) is not None:
            told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
            found.append((name, told.stdout.splitlines()[0].strip()))
    return found
