"""Whose turn it is to write: one `flock` that all processes on a store's file take first.

SQLite's own waiting sleeps and tries again, which with several busy processes is slow and
unfair. Here the event loop tries once without waiting; where another process is writing, a
thread waits in its place, so the loop goes on. A lock belongs to the descriptor that took it,
and whoever waits gets a descriptor of its own: one that arrives too late is simply closed.
"""

import asyncio
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

PATIENCE = 2.0
"""Seconds to wait for the other processes before giving up."""

_Arrival = tuple[asyncio.AbstractEventLoop, "asyncio.Future[int]"]


class Turn:
    """The lock file of one store, in one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = self._open()
        self._queue: SimpleQueue[_Arrival | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def take(self) -> int:
        """Wait for the turn; `end` must be called with what is returned.

        Raises TimeoutError when others keep it for longer than `PATIENCE`.
        """
        if _locked(self._own):
            return self._own
        arrival: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ask(arrival)
        try:
            async with asyncio.timeout(PATIENCE):
                return await arrival
        except BaseException:
            if arrival.done() and not arrival.cancelled() and not arrival.exception():
                os.close(arrival.result())
            raise

    def take_at_start(self) -> int:
        """As `take`, for a caller that has no event loop yet."""
        _wait_for(self._own)
        return self._own

    @contextmanager
    def in_thread(self) -> Iterator[None]:
        """As `take`, for a thread of one's own."""
        taken = self._open()
        try:
            _wait_for(taken)
            yield
        finally:
            os.close(taken)

    def end(self, taken: int) -> None:
        if taken == self._own:
            fcntl.flock(taken, fcntl.LOCK_UN)
        else:
            os.close(taken)

    def close(self) -> None:
        self._queue.put(None)
        own, self._own = self._own, -1
        _close(own)

    def _ask(self, arrival: "asyncio.Future[int]") -> None:
        if self._thread is None:
            # A daemon: a process that hangs with the lock must not keep this one from ending.
            self._thread = threading.Thread(target=self._serve, name="store-turn", daemon=True)
            self._thread.start()
        self._queue.put((arrival.get_loop(), arrival))

    def _serve(self) -> None:
        while (asked := self._queue.get()) is not None:
            loop, arrival = asked
            if arrival.done():
                continue
            taken, trouble = -1, None
            try:
                taken = self._open()
                fcntl.flock(taken, fcntl.LOCK_EX)
            except OSError as error:
                trouble = error
            if arrival.done():  # given up meanwhile: others need not wait for this loop
                _close(taken)
                continue
            try:
                loop.call_soon_threadsafe(_arrive, arrival, taken, trouble)
            except RuntimeError:  # the loop has ended meanwhile
                _close(taken)

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for(descriptor: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _locked(descriptor):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.001)


def _arrive(arrival: "asyncio.Future[int]", taken: int, trouble: OSError | None) -> None:
    """In the loop: hand over the turn, or let it go where nobody waits any more."""
    if arrival.done():
        _close(taken)
    elif trouble is not None:
        _close(taken)
        arrival.set_exception(trouble)
    else:
        arrival.set_result(taken)


def _close(descriptor: int) -> None:
    if descriptor >= 0:
        os.close(descriptor)
