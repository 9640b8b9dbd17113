"""A real `jeton proxy` for tests, before an upstream of theirs.

edge = Edge.create(tmp_path, behind.port, routes)
with edge.running():
    reply = edge.ask("POST", "/people", b"...", {"Content-Type": "application/json"})
"""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.support.ports import free_port
from tests.support.service import JETON, READY_SECONDS, STOP_SECONDS, Service

GRANTS = (
    "tokenise:fr-nir",
    "tokenise:birth-date",
    "detokenise:fr-nir:care",
    "detokenise:birth-date:care",
    "mask:fr-nir:care",
)
LIMITS = {
    "tokenise.hour": 10_000_000,
    "tokenise.day": 10_000_000,
    "reveal.hour": 1_000_000,
    "reveal.day": 1_000_000,
    "people.day": 100_000,
}


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]


@dataclass
class Edge:
    service: Service
    port: int
    pages: int
    process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def create(
        cls,
        folder: Path,
        upstream: int,
        routes: str,
        limits: Mapping[str, int] = LIMITS,
        proxy: str = "",
    ) -> "Edge":
        """`routes` is TOML; the listener and the upstream are called ``main``."""
        service = Service.create(folder)
        service.add_client("edge", GRANTS, limits)
        port, pages = free_port(), free_port()
        section = (
            f"[proxy]\nport = {pages}\n{proxy}\n[proxy.listeners.main]\nport = {port}\n"
            f'[proxy.upstreams.main]\nurls = ["http://127.0.0.1:{upstream}"]\nanswer_timeout = 30\n'
        )
        service.edit(lambda text: f"{text}\n{section}\n{routes}\n")
        return cls(service, port, pages)

    @property
    def credentials(self) -> dict[str, str]:
        return self.service.credentials

    @property
    def log(self) -> str:
        return self.service.log.read_text("utf-8", "replace")

    @contextmanager
    def running(self) -> Iterator["Edge"]:
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def start(self) -> None:
        command = [*JETON, "proxy", "--config", str(self.service.config)]
        with self.service.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env=os.environ | self.service.environment
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log[-4_000:]
            try:
                if self.ask("GET", "/readyz", port=self.pages).status == http.client.OK:
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"the proxy did not become ready:\n{self.log[-4_000:]}")

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()

    def reloaded(self) -> str:
        """What the log says of a SIGHUP: ``"reloaded"`` with its quotes, or reload-failed."""
        before = len(self.log)
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            for word in ("reload-failed", '"reloaded"'):
                if word in self.log[before:]:
                    return word
            time.sleep(0.02)
        raise AssertionError("no reload")

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> Answer:
        """Raises http.client.IncompleteRead where the answer is broken off."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        try:
            connection.request(method, target, body, dict(headers or {}))  # type: ignore[arg-type]
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def raw(self, sent: bytes, seconds: float = 5.0) -> bytes:
        """Whatever comes back until the proxy hangs up or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(sent)
            got = []
            try:
                while more := connection.recv(65_536):
                    got.append(more)
            except OSError:
                pass
            return b"".join(got)
