"""The service as a process of its own, and the few calls the demonstration makes to it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vault.errors import SetUpError

BATCH = 1_000
READY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: its status, its JSON body, and the receipt of a disclosure."""

    status: int
    body: dict[str, Any]
    receipt: str

    @property
    def code(self) -> str:
        """The stable code of a refusal; empty for a success."""
        return str(self.body.get("code", ""))


class Caller:
    """Whoever calls the service with some credential, or with none at all."""

    def __init__(self, port: int, credential: str | None, purpose: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Content-Type": "application/json"}
        if credential is not None:
            self._headers["Authorization"] = f"Bearer {credential}"
        if purpose is not None:
            self._headers["Jeton-Purpose"] = purpose

    def call(
        self, operation: str, transformation: str, body: dict[str, Any], end_user: str | None = None
    ) -> Reply:
        headers = dict(self._headers)
        if end_user is not None:
            headers["Jeton-On-Behalf-Of"] = end_user
        path = f"/v1/{operation}/{transformation}"
        self._connection.request("POST", path, json.dumps(body), headers)
        answer = self._connection.getresponse()
        receipt = answer.headers.get("Jeton-Receipt", "")
        return Reply(answer.status, json.loads(answer.read()), receipt)

    def tokenise(
        self, transformation: str, values: Sequence[str], contexts: Sequence[str] | None = None
    ) -> list[str]:
        """Tokens for all values, in batches; raises SetUpError if any is refused."""
        tokens: list[str] = []
        for at in range(0, len(values), BATCH):
            body: dict[str, Any] = {"values": values[at : at + BATCH]}
            if contexts is not None:
                body["contexts"] = contexts[at : at + BATCH]
            reply = self.call("tokenise", transformation, body)
            if reply.status != http.client.OK or reply.body["errors"]:
                raise SetUpError(f"the service did not tokenise the population: {reply.code}")
            tokens += reply.body["tokens"]
        return tokens


def initialise(folder: Path) -> tuple[Path, dict[str, str]]:
    """`jeton init` in a folder: the configuration and a credential for each example client."""
    command = [sys.executable, "-m", "vault", "init", "--json", str(folder)]
    made = json.loads(subprocess.check_output(command))
    return Path(made["config"]), made["clients"]


@contextmanager
def running(config: Path) -> Iterator[int]:
    """`jeton serve` on a free port of loopback, ready; ended at the end."""
    port = _free_port()
    command = [sys.executable, "-m", "vault", "serve", "--config", str(config), "--port", str(port)]
    log = config.parent / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ)
        try:
            _await_ready(port, process)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(READY_SECONDS)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SetUpError("the service ended instead of starting")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise SetUpError("the service did not become ready")
