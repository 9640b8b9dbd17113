"""One worker process, as it lives and as its parent sees it."""

import multiprocessing
import signal
import socket
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from typing import Final

from uvicorn.config import STARTUP_FAILURE

from vault.errors import JetonError
from vault.telemetry import log
from vault.web.server_config import ServerConfig
from vault.web.serving import Server

SERVES: Final = ""
"""What a worker tells its parent once it serves; anything else is why it does not."""

_spawn = multiprocessing.get_context("spawn")


def _work(config: ServerConfig, sockets: list[socket.socket], pipe: Pipe) -> None:
    """The life of a worker process."""
    try:
        Server(config, started=lambda: pipe.send(SERVES)).run(sockets)
    except JetonError as error:
        with suppress(OSError):  # the parent is gone
            pipe.send(str(error))
        sys.exit(STARTUP_FAILURE)
    except Exception as error:  # noqa: BLE001 - multiprocessing would print what it says
        log.error("uncaught-exception", exception=error)
        sys.exit(STARTUP_FAILURE)


class Worker:
    """A worker process as its parent sees it."""

    def __init__(self, config: ServerConfig, sockets: list[socket.socket]) -> None:
        self.pipe, its = _spawn.Pipe(duplex=False)
        self.process = _spawn.Process(target=_work, args=(config, sockets, its))
        self.process.start()
        its.close()
        self.began = time.monotonic()
        self.serves = False
        self.trouble: str | None = None
        """Why it does not serve and will not."""
        log.info("worker-started", pid=self.process.pid)

    def age(self) -> float:
        return time.monotonic() - self.began

    def sources(self) -> list[int | Pipe]:
        """What can be read once there is news of it."""
        is_silent = self.serves or self.trouble is not None
        return [self.process.sentinel] if is_silent else [self.process.sentinel, self.pipe]

    def _listen(self) -> None:
        """Take in what it has said."""
        if self.serves or self.trouble is not None or not self.pipe.poll():
            return
        try:
            said = self.pipe.recv()
        except EOFError:
            self.process.join(1)
            self.trouble = f"a worker ended before it served, {self._manner()}"
        else:
            self.serves = said == SERVES
            self.trouble = said or None

    def is_gone(self, patience: float) -> bool:
        """It is dead or will be at once: whoever does not serve after `patience` is killed."""
        is_dead = not self.process.is_alive()
        self._listen()  # to its last words too
        if not self.serves and self.trouble is None and self.age() >= patience:
            self.trouble = f"a worker did not serve within {patience:g} seconds"
        if self.trouble is not None:
            self.process.kill()
            self.process.join()
        return is_dead or self.trouble is not None

    def _manner(self) -> str:
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"with exit code {code}: see the log"
