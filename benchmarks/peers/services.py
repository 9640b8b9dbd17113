"""The services that a team would write itself, as processes: on the server's core, what keeps
their data on the other one, which is more than the service itself is given."""

import json
import secrets
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec

from benchmarks.cores import TIED, on_core
from benchmarks.http import LOAD_CORE, Target, on_uvicorn
from benchmarks.peers.postgresql_server import postgresql, program
from benchmarks.redis_server import serving

FPE, TABLE, HASHES = "FastAPI and fastfpe", "FastAPI and PostgreSQL", "FastAPI and Redis"
RECORDED = "FastAPI and PostgreSQL, with a limit and a record"
NEEDS = {
    FPE: (["fastapi", "fastfpe"], []),
    TABLE: (["fastapi", "asyncpg"], ["initdb", "postgres"]),
    HASHES: (["fastapi", "redis"], ["redis-server"]),
    RECORDED: (["fastapi", "asyncpg"], ["initdb", "postgres"]),
}
"""Of Python packages and of programs."""
ELSEWHERE = (*TIED, "taskset", "-c", LOAD_CORE)


@dataclass(frozen=True)
class Peer:
    """A running service."""

    name: str
    target: Target
    credential: str = field(repr=False)

    def ask(self, path: str, body: object) -> dict[str, list[str]]:
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.credential}",
        }
        request = urllib.request.Request(self.target[0] + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, list[str]] = json.load(answer)
            return found


def started(stack: ExitStack) -> list[Peer]:
    """Those that can run here, until the stack is left."""
    lacking = absent()
    makers: dict[str, Callable[[ExitStack], Peer]] = {
        FPE: fpe,
        TABLE: table,
        HASHES: hashes,
        RECORDED: recorded,
    }
    return [make(stack) for name, make in makers.items() if name not in lacking]


def absent() -> dict[str, str]:
    """Of each one that cannot run here, what it lacks."""
    lacks: dict[str, str] = {}
    for name, (modules, programs) in NEEDS.items():
        missing = [f"the package {one}" for one in modules if find_spec(one) is None]
        missing += [f"the program {one}" for one in programs if program(one) is None]
        if missing:
            lacks[name] = ", ".join(missing)
    return lacks


def fpe(stack: ExitStack) -> Peer:
    return run(stack, FPE, "fpe_app")


def table(stack: ExitStack) -> Peer:
    address = stack.enter_context(postgresql(ELSEWHERE))
    return run(stack, TABLE, "postgresql_app", PEER_DATABASE=address)


def recorded(stack: ExitStack, **environment: str) -> Peer:
    address = stack.enter_context(postgresql(ELSEWHERE))
    return run(stack, RECORDED, "recorded_app", PEER_DATABASE=address, **environment)


def hashes(stack: ExitStack) -> Peer:
    with on_core(LOAD_CORE):
        redis = stack.enter_context(serving("--appendonly", "yes"))
    address = f"redis://127.0.0.1:{redis.port}"
    return run(stack, HASHES, "redis_app", PEER_REDIS=address)


def run(stack: ExitStack, name: str, module: str, **environment: str) -> Peer:
    credential = secrets.token_urlsafe(32)
    given = {"PEER_CREDENTIAL": credential, "PEER_KEY": secrets.token_hex(32), **environment}
    started = on_uvicorn(f"benchmarks.peers.{module}:app", "/readyz", given)
    return Peer(name, stack.enter_context(started), credential)
