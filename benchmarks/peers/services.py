"""The services that a team would write itself, as processes: on the server's core, what keeps
their data on the other one, which is more than the service itself is given."""

import importlib.util
import json
import secrets
import shutil
import sys
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.cores import on_core
from benchmarks.http import LOAD_CORE, free_port, server
from benchmarks.peers.postgresql_server import postgresql
from benchmarks.redis_server import serving

RECORDED = "FastAPI and PostgreSQL, with a limit and a record"
ELSEWHERE = ("taskset", "-c", LOAD_CORE)


class Missing(Exception):
    """What a service needs is not here; the words say what."""


@dataclass(frozen=True)
class Peer:
    """A running service."""

    name: str
    url: str
    pid: int
    credential: str = field(repr=False)

    def ask(self, path: str, body: object) -> dict[str, list[str]]:
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.credential}",
        }
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, list[str]] = json.load(answer)
            return found


def started(stack: ExitStack) -> tuple[list[Peer], dict[str, str]]:
    """Those that can run here, until the stack is left; of the others what is missing."""
    makers: dict[str, Callable[[ExitStack], Peer]] = {
        "FastAPI and fastfpe": fpe,
        "FastAPI and PostgreSQL": table,
        "FastAPI and Redis": hashes,
        RECORDED: recorded,
    }
    found: list[Peer] = []
    missing: dict[str, str] = {}
    for name, make in makers.items():
        try:
            found.append(make(stack))
        except (Missing, OSError) as why:
            missing[name] = str(why)
    return found, missing


def fpe(stack: ExitStack) -> Peer:
    need("fastapi", "fastfpe")
    return run(stack, "FastAPI and fastfpe", "fpe_app")


def table(stack: ExitStack) -> Peer:
    return _postgresql(stack, "FastAPI and PostgreSQL", "postgresql_app")


def recorded(stack: ExitStack, **environment: str) -> Peer:
    return _postgresql(stack, RECORDED, "recorded_app", **environment)


def _postgresql(stack: ExitStack, name: str, module: str, **environment: str) -> Peer:
    need("fastapi", "asyncpg")
    address = stack.enter_context(postgresql(ELSEWHERE))
    return run(stack, name, module, PEER_DATABASE=address, **environment)


def hashes(stack: ExitStack) -> Peer:
    need("fastapi", "redis")
    if shutil.which("redis-server") is None:
        raise Missing("the program redis-server is missing")
    with on_core(LOAD_CORE):
        redis = stack.enter_context(serving("--appendonly", "yes"))
    address = f"redis://127.0.0.1:{redis.port}"
    return run(stack, "FastAPI and Redis", "redis_app", PEER_REDIS=address)


def need(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise Missing(f"the Python package {module} is missing")


def run(stack: ExitStack, name: str, module: str, **environment: str) -> Peer:
    """The application on the same uvicorn as the bare callable."""
    port, credential = free_port(), secrets.token_urlsafe(32)
    given = {"PEER_CREDENTIAL": credential, "PEER_KEY": secrets.token_hex(32), **environment}
    command = [sys.executable, "-m", "uvicorn", f"benchmarks.peers.{module}:app"]
    command += ["--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    return Peer(name, url, stack.enter_context(server(command, f"{url}/readyz", given)), credential)
