"""The service as a process of its own, and the few calls the demonstration makes to it."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vault.errors import SetUpError

BATCH: Final = 1_000
READY_SECONDS: Final = 30
END_SECONDS: Final = 15
OK: Final = http.client.OK
LIMIT: Final = re.compile(r"(end_user\.)?[a-z]+\.(hour|day)\b")
"""How the detail of a spent budget begins."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: its status, its JSON body, and the receipt of a disclosure."""

    status: int
    body: dict[str, Any]
    receipt: str

    @property
    def refusal(self) -> str:
        """Status and stable code; empty for a success."""
        return "" if self.status == OK else f"{self.status} {self.body.get('code', '')}"

    @property
    def limit(self) -> str:
        """The name of the limit that was spent; empty for all but that."""
        said = LIMIT.match(self.body.get("detail", ""))
        return said[0] if said else ""


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
        """One call, whatever it answers. Raises SetUpError where nothing answers."""
        headers = dict(self._headers)
        if end_user is not None:
            headers["Jeton-On-Behalf-Of"] = end_user
        path = f"/v1/{operation}/{transformation}"
        try:
            self._connection.request("POST", path, json.dumps(body), headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            raise SetUpError("the service went away in the middle of the demonstration") from None
        return Reply(answer.status, json.loads(content), answer.headers.get("Jeton-Receipt", ""))

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
            if reply.status != OK or reply.body["errors"]:
                said = reply.refusal or reply.body["errors"][0]["code"]
                raise SetUpError(f"the service did not tokenise its population: {said}")
            tokens += reply.body["tokens"]
        return tokens


def jeton(*verb: str) -> "subprocess.CompletedProcess[str]":
    """`jeton VERB ...` to its end, in an environment that configures nothing of it."""
    command = [sys.executable, "-m", "vault", *verb]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())


def initialise(folder: Path) -> tuple[Path, dict[str, str]]:
    """`jeton init` in a folder: the configuration and a credential for each example client."""
    done = jeton("init", "--json", str(folder))
    if done.returncode != 0:
        raise SetUpError(f"`jeton init` failed: {_last_line(done.stderr)}")
    made = json.loads(done.stdout)
    return Path(made["config"]), made["clients"]


@contextmanager
def running(config: Path) -> Iterator[int]:
    """`jeton serve` on a free port of loopback, ready; ended at the end, whatever happens.

    Raises SetUpError where it does not become ready.
    """
    port = _free_port()
    command = [sys.executable, "-m", "vault", "serve", "--config", str(config), "--port", str(port)]
    log = config.parent / "service.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C on the terminal is for us, who then end it.
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=_environment(), start_new_session=True
        )
        try:
            _await_ready(port, process, log)
            yield port
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Without the variables of an installation that may be meant for something real."""
    return {name: value for name, value in os.environ.items() if not name.startswith("JETON")}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await_ready(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = _last_line(log.read_text("utf-8", "replace"))
            raise SetUpError(f"the service ended instead of starting: {said}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.02)
    raise SetUpError(f"the service did not become ready within {READY_SECONDS} seconds")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
