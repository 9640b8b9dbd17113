"""Several worker processes behind one address.

The parent binds, watches and replaces; it serves nothing itself. A reload brings up a whole new
set of workers before the old one is told to end, so that it happens whole or not at all.
"""

import asyncio
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final

from vault.errors import SetUpError
from vault.telemetry import log
from vault.web.server_config import ServerConfig
from vault.web.serving import Reload, Server, reloaded

PATIENCE: Final = 5.0
"""Seconds beyond `shutdown_timeout` before a worker is killed."""
RESTART_PAUSE: Final = 1.0
"""Seconds between the deaths of workers that do not even start, so that the log stays short."""
HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_spawn = multiprocessing.get_context("spawn")


def _work(config: ServerConfig, sockets: list[socket.socket], ready: Pipe) -> None:
    """The life of a worker process."""
    Server(config, started=lambda: ready.send(None)).run(sockets)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process as its parent sees it; `ready` can be read once it serves."""

    process: SpawnProcess
    ready: Pipe

    @classmethod
    def start(cls, config: ServerConfig, sockets: list[socket.socket]) -> "Worker":
        mine, its = _spawn.Pipe(duplex=False)
        process = _spawn.Process(target=_work, args=(config, sockets, its))
        process.start()
        its.close()
        log.info("worker-started", pid=process.pid)
        return cls(process, mine)


class Workers:
    """The parent: keeps as many workers as configured, whatever happens to them."""

    def __init__(
        self,
        config: ServerConfig,
        sockets: list[socket.socket],
        reload: Reload | None = None,
        started: Callable[[], object] | None = None,
    ) -> None:
        self._config = config
        self._sockets = sockets
        self._reload = reload
        self._started = started
        self._workers: list[Worker] = []
        self._signals: list[int] = []
        self._wake_read, self._wake_write = os.pipe()

    def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises SetUpError if the first workers do not start."""
        before = {sig: signal.signal(sig, self._on_signal) for sig in HANDLED}
        try:
            self._workers = self._start(self._config.limits.workers)
            if not self._await_ready(self._workers) and not self._is_ending():
                raise SetUpError("a worker did not start; it has said why above")
            if self._started is not None and not self._is_ending():
                self._started()
            self._watch()
        finally:
            for sock in self._sockets:  # else callers would queue where nobody serves
                sock.close()
            log.info("stopping")
            self._end(self._workers)
            for sig, handler in before.items():
                signal.signal(sig, handler)
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _watch(self) -> None:
        while not self._is_ending():
            self._wait([worker.process.sentinel for worker in self._workers])
            if signal.SIGHUP in self._signals and not self._is_ending():
                self._signals.remove(signal.SIGHUP)
                self._replace()
            elif not self._is_ending():
                self._restart()

    def _restart(self) -> None:
        """A new worker for each that died."""
        for index, worker in enumerate(self._workers):
            if worker.process.is_alive():
                continue
            log.error("worker-died", pid=worker.process.pid)
            _buried(worker)
            if not worker.ready.poll():  # it never served; the next may not either
                self._wait([], RESTART_PAUSE)
            self._workers[index] = self._start(1)[0]

    def _replace(self) -> None:
        """New workers under the new configuration, then an end to the old ones."""
        if self._reload is not None and not asyncio.run(reloaded(self._reload)):
            return
        fresh = self._start(self._config.limits.workers)
        if self._await_ready(fresh):
            fresh, self._workers = self._workers, fresh
        elif not self._is_ending():
            log.error("reload-failed")
        self._end(fresh)

    def _start(self, count: int) -> list[Worker]:
        return [Worker.start(self._config, self._sockets) for _ in range(count)]

    def _await_ready(self, workers: Sequence[Worker]) -> bool:
        """Whether all of them serve; False as soon as one died or we are to end."""
        while waiting := [worker for worker in workers if not worker.ready.poll()]:
            if self._is_ending() or not all(worker.process.is_alive() for worker in waiting):
                return False
            ends = [worker.process.sentinel for worker in waiting]
            self._wait([*ends, *(worker.ready for worker in waiting)])
        return True

    def _end(self, workers: Sequence[Worker]) -> None:
        """Tell them all, wait for them all, and kill what is left."""
        for worker in workers:
            worker.process.terminate()
        deadline = time.monotonic() + self._config.limits.shutdown_timeout + PATIENCE
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            log.info("worker-stopped", pid=worker.process.pid)
            _buried(worker)

    def _wait(self, things: Iterable[int | Pipe], seconds: float | None = None) -> None:
        """Until one of these has something to say, or a signal came."""
        if self._wake_read in wait([self._wake_read, *things], seconds):
            os.read(self._wake_read, 1024)

    def _is_ending(self) -> bool:
        return signal.SIGTERM in self._signals or signal.SIGINT in self._signals

    def _on_signal(self, sig: int, _: FrameType | None) -> None:
        self._signals.append(sig)
        os.write(self._wake_write, b"!")


def _buried(worker: Worker) -> None:
    """Its gauges no longer count. Imported late: prometheus-client settles how it counts when
    it is imported, and whether workers share a folder is told by then."""
    from vault.telemetry.metrics import forget_worker  # noqa: PLC0415

    if worker.process.pid is not None:
        forget_worker(worker.process.pid)
