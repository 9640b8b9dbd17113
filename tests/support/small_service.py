"""The small door behind the real server, as a process of its own.

``python -m tests.support.small_service '{"workers": 2, ...}'`` serves with these settings, writes
``listening PORT [METRICS_PORT]`` once it does, and answers a value of ``0...`` only when it has
slept as many milliseconds as the value says: a test's slow call.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.support.door import SmallDoor
from vault.config import Server
from vault.errors import SetUpError
from vault.web import Application, Holder, serve
from vault.web import serving as web_serving
from vault.web.door import Answer, Call

SETTINGS = "SMALL_SERVICE"
REJECTED = "SMALL_SERVICE_REJECTED"
"""A file that, while it is there, makes every reload fail."""


class SlowDoor(SmallDoor):
    async def perform(self, call: Call) -> Answer:
        self.calls.clear()
        self.observed.clear()
        for item in call.items:
            if item.startswith("0"):
                await asyncio.sleep(int(item) / 1000)
        return await super().perform(call)

    def render_metrics(self) -> tuple[bytes, str]:
        return f"jeton_pid {os.getpid()}\n".encode(), "text/plain"


def application() -> Application:
    """What every worker makes for itself."""
    return Application(Holder(SlowDoor()), _settings())


def _settings() -> Server:
    return msgspec.json.decode(os.environ[SETTINGS], type=Server)


def _is_rejected() -> bool:
    return REJECTED in os.environ and Path(os.environ[REJECTED]).exists()


def main() -> int:
    os.environ[SETTINGS] = sys.argv[1]
    settings = _settings()
    app: Application | str = "tests.support.small_service:application"
    holder = Holder(SlowDoor())
    if settings.workers == 1:
        app = Application(holder, settings)

    async def reload() -> None:
        if _is_rejected():
            raise SetUpError("this configuration is rejected")
        holder.door = SlowDoor(development=True)

    bound: list[int] = []
    original = web_serving.bind

    def bind(host: str, port: int) -> list[object]:
        sockets = original(host, port)
        bound.append(sockets[0].getsockname()[1])
        return sockets

    web_serving.bind = bind  # tells the test which port it was
    try:
        serve(settings, app, reload, lambda: print("listening", *bound, flush=True))
    except SetUpError as error:
        print(f"jeton: {error}", file=sys.stderr)
        return 2
    return 0


@dataclass
class Running:
    """A started service."""

    process: subprocess.Popen[bytes]
    port: int
    metrics_port: int | None

    def wait(self) -> int:
        return self.process.wait(30)

    def said(self, text: bytes) -> None:
        """Until it has said this on its standard error. Only for a captured service."""
        assert self.process.stderr is not None
        while text not in (line := self.process.stderr.readline()):
            assert line, "it ended without saying so"


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
        yield Running(process, ports[0], ports[1] if len(ports) > 1 else None)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


if __name__ == "__main__":
    sys.exit(main())
