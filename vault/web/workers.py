"""Several worker processes behind one address.

The parent binds, watches and replaces; it serves nothing itself. A reload brings up a whole new
set of workers before the old one is told to end, so that it happens whole or not at all.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import wait
from types import FrameType
from typing import Final

from vault.errors import SetUpError
from vault.telemetry import log
from vault.web.server_config import ServerConfig
from vault.web.serving import Reload, renewed
from vault.web.turning_away import turn_away
from vault.web.worker import Worker

PATIENCE: Final = 5.0
"""Seconds beyond `shutdown_timeout` before a worker is killed."""
STEADY: Final = 10.0
"""Seconds after which a worker's death says nothing of the next one's."""
LONGEST_PAUSE: Final = 30.0
"""Seconds, at most, before a worker is started in place of one that did not last."""
HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


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
        self._setbacks = 0
        """Workers that died young since one last did not."""
        self._resume = 0.0
        """When the next may be started in place of a dead one."""
        self._signals: list[int] = []
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises SetUpError if the first workers do not start."""
        # A handler only runs between two steps of the interpreter: one that came as `wait` was
        # about to block would be seen at the next. What is written to this descriptor is not.
        waker = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        before = {sig: signal.signal(sig, self._on_signal) for sig in HANDLED}
        try:
            self._workers = self._start(self._config)
            trouble = self._trouble(self._workers)
            if trouble is not None and not self._is_ending():
                raise SetUpError(trouble)
            if self._started is not None and not self._is_ending():
                self._started()
            self._watch()
        finally:
            turn_away(self._sockets)
            for sock in self._sockets:  # else callers would queue where nobody serves
                sock.close()
            log.info("stopping")
            self._end(self._workers)
            for sig, handler in before.items():
                signal.signal(sig, handler)
            signal.set_wakeup_fd(waker)
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _watch(self) -> None:
        while not self._is_ending():
            if signal.SIGHUP not in self._signals:  # one may have come while workers started
                self._wait(self._workers, self._pause())
            if signal.SIGHUP in self._signals:
                while signal.SIGHUP in self._signals:  # one reload does for all so far
                    self._signals.remove(signal.SIGHUP)
                self._replace()
            elif not self._is_ending():
                self._tend()

    # Deaths -------------------------------------------------------------------------------------

    def _tend(self) -> None:
        """Bury the dead, and start others in their place: at once for those that lasted, else
        after a pause that grows, so that a worker that cannot live costs little."""
        for worker in list(self._workers):
            if not worker.is_gone(self._config.limits.startup_timeout):
                continue
            self._workers.remove(worker)
            log.error("worker-died", pid=worker.process.pid)
            if not worker.serves:
                sys.stderr.write(f"jeton: {worker.trouble}\n")
            if worker.serves and worker.age() > STEADY:
                self._setbacks = 0
            pause = min(2.0 ** (self._setbacks - 1), LONGEST_PAUSE) if self._setbacks else 0.0
            self._resume = time.monotonic() + pause
            self._setbacks += 1
            _buried(worker)
        missing = self._config.limits.workers - len(self._workers)
        if missing and time.monotonic() >= self._resume:
            self._workers += self._start(self._config, missing)

    def _pause(self) -> float | None:
        """Seconds to the next thing to do that nobody tells of."""
        limits = self._config.limits
        times = [w.began + limits.startup_timeout for w in self._workers if not w.serves]
        if len(self._workers) < limits.workers:
            times.append(self._resume)
        return max(0.0, min(times) - time.monotonic()) if times else None

    # Reloads ------------------------------------------------------------------------------------

    def _replace(self) -> None:
        """New workers under the new configuration, then an end to the old ones."""
        if self._reload is None:
            return
        renewal = asyncio.run(renewed(self._reload))
        if renewal is None:
            _told(ok=False)
            return
        config = self._config.renewed(renewal.application, renewal.certificate)
        fresh = self._start(config)
        trouble = self._trouble(fresh)
        if trouble is None:
            fresh, self._workers, self._config = self._workers, fresh, config
        elif not self._is_ending():
            log.error("reload-failed")
            sys.stderr.write(f"jeton: not reloaded: {trouble}\n")
            _told(ok=False)
        self._end(fresh)
        if trouble is None:
            log.info("reloaded")  # of the old configuration nothing is left
            _told(ok=True)

    # Workers ------------------------------------------------------------------------------------

    def _start(self, config: ServerConfig, count: int | None = None) -> list[Worker]:
        many = config.limits.workers if count is None else count
        return [Worker(config, self._sockets) for _ in range(many)]

    def _trouble(self, workers: Sequence[Worker]) -> str | None:
        """Wait until all of them serve: None. Else, as soon as it is known, why one does not."""
        most = self._config.limits.startup_timeout
        while not self._is_ending():
            for worker in workers:
                if worker.is_gone(most):
                    return worker.trouble or "a worker ended as soon as it served"
            waiting = [worker for worker in workers if not worker.serves]
            if not waiting:
                return None
            first = min(worker.began for worker in waiting)
            self._wait(workers, max(0.0, first + most - time.monotonic()))
        return "told to end"

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

    # Signals ------------------------------------------------------------------------------------

    def _wait(self, workers: Iterable[Worker], seconds: float | None = None) -> None:
        """Until one of these has something to say, or a signal came."""
        heard = wait([self._wake_read, *(at for w in workers for at in w.sources())], seconds)
        if self._wake_read in heard:
            os.read(self._wake_read, 1024)

    def _is_ending(self) -> bool:
        return signal.SIGTERM in self._signals or signal.SIGINT in self._signals

    def _on_signal(self, sig: int, _: FrameType | None) -> None:
        self._signals.append(sig)


def _told(*, ok: bool) -> None:
    """How a reload went, for the metrics; imported late, as below."""
    from vault.telemetry.metrics import parent_reloaded  # noqa: PLC0415

    parent_reloaded(ok=ok)


def _buried(worker: Worker) -> None:
    """Its gauges no longer count. Imported late: prometheus-client settles how it counts when
    it is imported, and whether workers share a folder is told by then."""
    from vault.telemetry.metrics import forget_worker  # noqa: PLC0415

    worker.pipe.close()
    if worker.process.pid is not None:
        forget_worker(worker.process.pid)
