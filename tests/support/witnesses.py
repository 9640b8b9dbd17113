"""A witness of the test's own: `jeton witness serve`, a real process, on a free port or a socket.

witness = WitnessProcess.create(tmp_path)
witness.trust(service.folder / "audit" / "public.pem")
with witness:
    service.edit(witness.watching(required_within=5))
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port
from vault.witness import logs

START_SECONDS = 30.0


@dataclass
class WitnessProcess:
    folder: Path
    credential: str
    port: int
    tls: tuple[Path, Path] | None = None
    """Its certificate and key."""
    process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def create(cls, folder: Path) -> "WitnessProcess":
        return cls(folder / "witness", logs.make(folder / "witness"), free_port())

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def key(self) -> Path:
        return self.folder / logs.PUBLIC_KEY

    @property
    def log(self) -> Path:
        """What it said."""
        return self.folder.with_suffix(".log")

    def trust(self, pem: Path) -> str:
        return logs.trust(self.folder, pem)

    def watching(self, **settings: object) -> Callable[[str], str]:
        """Puts it into a configuration; its credential is in a file beside its folder."""
        path = self.folder.with_suffix(".credential")
        path.write_text(self.credential, "ascii")
        path.chmod(0o600)
        said = {"url": f'"{self.url}"', "key": f'"{self.key}"', "credential": f'"file:{path}"'}
        said |= {name: str(value) for name, value in settings.items()}
        lines = "".join(f"{name} = {value}\n" for name, value in said.items())
        return lambda text: f"{text}\n[audit.witness]\n{lines}"

    def start(self) -> "WitnessProcess":
        command = [sys.executable, "-m", "vault", "witness", "serve", str(self.folder)]
        command += ["--port", str(self.port)]
        if self.tls is not None:
            command += ["--tls-certificate", str(self.tls[0]), "--tls-key", str(self.tls[1])]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text("utf-8")
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            time.sleep(0.02)
        raise AssertionError("the witness does not listen")

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)
            self.process.wait(START_SECONDS)
            self.process = None

    def __enter__(self) -> "WitnessProcess":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end()
