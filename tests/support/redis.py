"""Real Redis servers for tests: a standalone one, a primary with replicas and sentinels, a
cluster; on free ports, in folders of the test's own, ended by pid whatever happens.

    server = Redis(folder).start()              # appendfsync always
    server.ask("CONFIG", "SET", "appendfsync", "everysec")
    server.kill(); server.start()               # as after a crash, with its append-only file
    settings = server.settings()                # for vault.store.redis.link

Whole deployments are in `redis_deployments`; `tests/conftest.py` offers them as fixtures.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from tests.support.components import need_program
from tests.support.ports import free_port
from vault.config import StoreSettings
from vault.errors import Refusal

START_SECONDS = 20.0
CLIENT = "jeton"
ADMIN = "admin"
REPLICATOR = "replicator"
WATCHER = "watcher"
"""The users of a deployment with an ACL: the service, the test, the replicas, the sentinels."""
PASSWORD = "a-password-of-tests"
VARIABLE = "JETON_TEST_REDIS_PASSWORD"
RIGHTS = (
    "~{jeton}* ~jt* resetchannels -@all +@read +@write +@scripting +info +wait +config|get "
    "+cluster|info +cluster|slots +asking +time +ping +select +bgrewriteaof"
)
"""What the documentation says that the service's user needs."""
DURABLE: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "save": '""',
    "maxmemory-policy": "noeviction",
    "repl-diskless-sync-delay": "0",
    "repl-diskless-load": "swapdb",
    "loglevel": "notice",
}


def users() -> dict[str, str]:
    """Configuration lines of an ACL in which nobody is anonymous."""
    os.environ[VARIABLE] = PASSWORD
    return {
        "user default": "off",
        f"user {ADMIN}": f"on >{PASSWORD} ~* &* +@all",
        f"user {CLIENT}": f"on >{PASSWORD} {RIGHTS}",
        f"user {REPLICATOR}": f"on >{PASSWORD} +psync +replconf +ping",
        f"user {WATCHER}": (
            f"on >{PASSWORD} allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite "
            "+role +publish +info +client|setname +client|kill +script|kill"
        ),
        "masteruser": REPLICATOR,
        "masterauth": PASSWORD,
    }


@dataclass
class Redis:
    """One server process; `config` has its lines beyond `DURABLE`."""

    folder: Path
    config: dict[str, str] = field(default_factory=dict)
    port: int = 0
    program: str = "redis-server"
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()

    @property
    def with_users(self) -> bool:
        return f"user {ADMIN}" in self.config

    @property
    def file(self) -> Path:
        return self.folder / "redis.conf"

    def start(self, *, wait: bool = True) -> "Redis":
        """From its configuration file, which it may have rewritten itself since the first one."""
        if not self.file.exists():
            base = DURABLE if self.program == "redis-server" else {"loglevel": "notice"}
            lines = {"port": str(self.port), "bind": "127.0.0.1", **base, **self.config}
            self.file.write_text("".join(f"{key} {text}\n" for key, text in lines.items()))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [need_program(self.program), str(self.file)],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        if wait:
            self.await_answer()
        return self

    def await_answer(self) -> None:
        def answers() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"{self.program} ended:\n{self.log()[-2000:]}"
            with suppress(redis.ConnectionError, redis.TimeoutError, OSError):
                return self.ask("PING") in (b"PONG", True)
            return False

        until(answers, f"{self.program} answers")

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def client(self) -> "redis.Redis":
        """As administrator, never through a proxy."""
        who = {"username": ADMIN, "password": PASSWORD} if self.with_users else {}
        tls: dict[str, Any] = {}
        if "tls-port" in self.config:
            tls = {
                "ssl": True,
                "ssl_ca_certs": self.config["tls-ca-cert-file"],
                "ssl_certfile": self.config["tls-cert-file"],
                "ssl_keyfile": self.config["tls-key-file"],
            }
        return redis.Redis("127.0.0.1", self.port, socket_timeout=5, **who, **tls)

    def ask(self, *command: str | bytes | int) -> Any:
        with self.client() as client:
            return client.execute_command(*command)

    def info(self, section: str = "replication") -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("INFO", section)
        return answer

    def set(self, **settings: str | int) -> None:
        """`CONFIG SET`, with underscores for hyphens."""
        for key, value in settings.items():
            self.ask("CONFIG", "SET", key.replace("_", "-"), value)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(START_SECONDS)
            self.process = None

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def settings(self, **changes: Any) -> StoreSettings:
        """For a link straight to this server, nothing else said: it waits for no replica."""
        scheme = "rediss" if "tls-port" in self.config else "redis"
        user = f"{CLIENT}@" if self.with_users else ""
        if self.with_users:
            changes.setdefault("password", f"env:{VARIABLE}")
        changes.setdefault("replicas", 0)
        changes.setdefault("timeout", 2.0)
        return StoreSettings(url=f"{scheme}://{user}127.0.0.1:{self.port}", **changes)


def until(there: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> float:
    """Wait for what a server does by itself; returns how long it took."""
    began = time.monotonic()
    while not there():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - began


async def eventually(there: Callable[[], bool], what: str) -> None:
    """`until`, while the test's own loop goes on."""
    await asyncio.to_thread(until, there, what)


async def answers(call: Callable[[], Awaitable[Any]]) -> Any:
    """What it answers once it is no longer refused: it has to come back by itself."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                return await call()
            except Refusal:
                await asyncio.sleep(0.02)
