"""A real service process for tests: `jeton init` in a folder, then `jeton serve` on a free port.

    service = Service.create(tmp_path)
    credential = service.add_client("bench", ["detokenise:fr-nir:test"], {"reveal.hour": 1000})
    service.start(workers=4)
    status, body, headers = service.post("detokenise/fr-nir", {"token": ...}, credential, "test")
    service.stop()

`tests/conftest.py` offers it as two fixtures: `service`, running and shared, for tests that
leave it as it was, and `new_service`, which makes one of a test's own.
"""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.calls import Place
from tests.support.ports import free_port

JETON = (sys.executable, "-m", "vault")
READY_SECONDS = 60.0
STOP_SECONDS = 60.0


class Reply(NamedTuple):
    """An HTTP answer with its JSON body (None where there is none) and its headers."""

    status: int
    body: Any
    headers: Message
    """Names in any case."""


def jeton(*arguments: str, environment: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """What `jeton ARGUMENTS` prints; AssertionError with its stderr where it fails."""
    done = subprocess.run(
        [*JETON, *arguments],
        check=False,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | dict(environment or {}),
    )
    assert done.returncode == 0, f"jeton {arguments[0]}: exit {done.returncode}\n{done.stderr}"
    return done.stdout


@dataclass
class Service:
    """One service and its folder; `credentials` by client name, `process` while it runs."""

    config: Path
    credentials: dict[str, str]
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    environment: dict[str, str] = field(default_factory=dict)
    """Added to that of the process at the next start."""
    program: Sequence[str] = JETON
    """What is started; a drill may put something in between."""
    tls: ssl.SSLContext | None = None
    """What to connect with, where the configuration has a certificate."""

    @classmethod
    def create(cls, folder: Path) -> "Service":
        """As shipped, not yet started: clients can be added and the configuration edited."""
        made = json.loads(jeton("init", "--json", str(folder / "jeton-data")))
        return cls(Path(made["config"]), dict(made["clients"]))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        """Where the configuration, the keyset, the store and the record are."""
        return self.config.parent

    @property
    def log(self) -> Path:
        """What the process wrote to stdout and stderr, over all its starts."""
        return self.folder / "service.log"

    def add_client(
        self, name: str, grants: Sequence[str], limits: Mapping[str, int] | None = None
    ) -> str:
        """`jeton clients add`: its credential, kept in `credentials` too. Before `start`."""
        arguments = ["clients", "add", name, "--config", str(self.config), "--json"]
        for grant in grants:
            arguments += ["--grant", grant]
        for key, limit in (limits or {}).items():
            arguments += ["--limit", f"{key}={limit}"]
        credential: str = json.loads(jeton(*arguments))["credential"]
        self.credentials[name] = credential
        return credential

    def edit(self, change: Callable[[str], str]) -> None:
        """Rewrite the configuration; in force at the next start."""
        self.config.write_text(change(self.config.read_text("utf-8")), "utf-8")

    def start(self, workers: int = 1) -> "Service":
        """Start the process and wait until `/readyz` answers 200, and every worker serves."""
        self.launch(workers)
        self.await_ready()
        if workers > 1:
            self.await_workers(workers)
        return self

    def launch(self, workers: int = 1) -> None:
        """Start the process, which may be where plain HTTP does not find it."""
        self.port = free_port()
        command = [*self.program, "serve", "--config", str(self.config), "--port", str(self.port)]
        command += ["--workers", str(workers)]
        environment = os.environ | self.environment
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env=environment, start_new_session=True
            )

    def await_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            ended = self.process.poll()
            assert ended is None, f"the service ended with {ended}:\n{self._log_tail()}"
            try:
                if self.get("readyz").status == http.client.OK:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the service did not become ready:\n{self._log_tail()}")

    def await_workers(self, workers: int) -> None:
        """Wait until so many have said that they serve: `/readyz` is answered by the first, and
        what the others do meanwhile is the start of a service, not its life."""
        deadline = time.monotonic() + READY_SECONDS
        while self.log.read_text("utf-8", "replace").count(f'"port": {self.port}, ') < workers:
            assert time.monotonic() < deadline, f"not all workers serve:\n{self._log_tail()}"
            time.sleep(0.02)

    def _log_tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-4_000:]

    def stop(self) -> int:
        """SIGTERM, and the exit code; nothing where it does not run."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the service did not end after SIGTERM") from None
        finally:
            self.process = None

    def kill(self) -> None:
        """SIGKILL to the process and all its workers, as a power cut would."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        self.process = None

    def get(self, path: str, credential: str | None = None) -> Reply:
        return self._ask("GET", f"/{path}", None, _headers(credential, None, None))

    def post(
        self,
        call: str,
        body: Mapping[str, Any],
        credential: str | None = None,
        purpose: str | None = None,
        end_user: str | None = None,
        via: http.client.HTTPConnection | None = None,
    ) -> Reply:
        """`POST /v1/{call}`, for tests that look at HTTP itself; `call` as ``mask/fr-nir``. `via` a
        connection that is kept (`tests.support.each_worker`), else one of its own."""
        headers = _headers(credential, purpose, end_user)
        return self._ask("POST", f"/v1/{call}", json.dumps(body).encode(), headers, via)

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        via: http.client.HTTPConnection | None = None,
    ) -> Reply:
        connection = via or Place(self.port, self.tls).connect()
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            if via is None:
                connection.close()
        is_json = "json" in answer.headers.get("Content-Type", "")
        return Reply(answer.status, json.loads(content) if is_json else None, answer.headers)


def _headers(credential: str | None, purpose: str | None, end_user: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if credential is not None:
        headers["Authorization"] = f"Bearer {credential}"
    if purpose is not None:
        headers["Jeton-Purpose"] = purpose
    if end_user is not None:
        headers["Jeton-On-Behalf-Of"] = end_user
    return headers
