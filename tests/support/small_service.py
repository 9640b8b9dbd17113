"""The small door behind the real server, as a process of its own.

``python -m tests.support.small_service '{"workers": 2, ...}'`` serves with these settings, writes
``listening PORT [METRICS_PORT]`` once it does, and answers a value of ``0...`` only when it has
slept as many milliseconds as the value says: a test's slow call.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.support import small_service  # noqa: PLW0406 - by its name, not as the main module
from tests.support.door import SmallDoor
from vault.config import Server
from vault.errors import SetUpError
from vault.web import Application, Certificate, Holder, Renewal, addresses, serve
from vault.web.door import Answer, Call

SETTINGS = "SMALL_SERVICE"
REJECTED = "SMALL_SERVICE_REJECTED"
"""A file that, while it is there, makes every reload fail."""
SICK = "SMALL_SERVICE_SICK"
"""A file that, while it is there, says how workers fare that start: ``refuses`` (and says why),
``dies``, ``hangs``."""


class SlowDoor(SmallDoor):
    def at_once(self, call: Call) -> Answer | None:
        self.calls.clear()
        self.observed.clear()
        slow = any(item.startswith("0") for item in call.items)
        return None if slow else super().at_once(call)

    async def perform(self, call: Call) -> Answer:
        for item in call.items:
            if item.startswith("0"):
                await asyncio.sleep(int(item) / 1000)
        return await super().perform(call)

    def render_metrics(self) -> tuple[bytes, str]:
        return f"jeton_pid {os.getpid()}\n".encode(), "text/plain"


@contextlib.asynccontextmanager
async def _health() -> AsyncIterator[None]:
    match _sickness():
        case "refuses":
            raise SetUpError("this worker does not feel like it")
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hangs":
            await asyncio.sleep(3600)
    yield


def application() -> Application:
    """What every worker makes for itself."""
    return Application(Holder(SlowDoor()), _settings(), _health)


def _settings() -> Server:
    return msgspec.convert(
        json.loads(os.environ[SETTINGS]), Server, dec_hook=lambda _, text: Path(text)
    )


def _sickness() -> str:
    path = Path(os.environ.get(SICK, "/nowhere"))
    return path.read_text() if path.exists() else "none"


def _is_rejected() -> bool:
    return REJECTED in os.environ and Path(os.environ[REJECTED]).exists()


def main() -> int:
    os.environ[SETTINGS] = sys.argv[1]
    settings = _settings()
    app = small_service.application
    holder = Holder(SlowDoor())

    async def reload() -> Renewal:
        if _is_rejected():
            raise SetUpError("this configuration is rejected")
        certificate = Certificate.of(settings)
        holder.door = SlowDoor(development=True)
        return Renewal(certificate, app)

    bound: list[int] = []
    original = addresses.bind

    def bind(host: str, port: int) -> list[socket.socket]:
        sockets = original(host, port)
        bound.append(sockets[0].getsockname()[1])
        return sockets

    addresses.bind = bind  # tells the test which port it was
    served = Application(holder, settings) if settings.workers == 1 else app
    try:
        serve(settings, served, reload, lambda: print("listening", *bound, flush=True))
    except SetUpError as error:
        print(f"jeton: {error}", file=sys.stderr)
        return 2
    return 0


@dataclass
class Running:
    """A started service."""

    process: subprocess.Popen[bytes]
    port: int
    """0 where it has no address of the network."""
    metrics_port: int | None

    def wait(self) -> int:
        return self.process.wait(30)

    def said(self, text: bytes) -> bytes:
        """Until it has said this on its standard error: the line. Only for a captured service."""
        assert self.process.stderr is not None
        while text not in (line := self.process.stderr.readline()):
            assert line, "it ended without saying so"
        return line


@contextlib.contextmanager
def running(
    settings: dict[str, object] | None = None,
    environment: dict[str, str] | None = None,
    capture: bool = False,
) -> Iterator[Running]:
    """The service on a free port of this machine; ended at the end. With `capture` what it
    says can be waited for (`Running.said`)."""
    text = json.dumps({"port": 0, **(settings or {})})
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.small_service", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if capture else None,
        env=os.environ | (environment or {}),
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().split()
        assert line[:1] == [b"listening"], f"it ended with {process.wait(10)}"
        ports = [int(port) for port in line[1:]]
        yield Running(process, ports[0] if ports else 0, ports[1] if len(ports) > 1 else None)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


if __name__ == "__main__":
    sys.exit(main())
