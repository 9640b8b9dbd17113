"""Moves SQLite's write-ahead log into its file from a thread, so that no group waits for it.

A commit that does this itself, as SQLite has it by default, waits for two `fsync`s and for
every page that changed since the last time: tens of milliseconds with all callers waiting.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from vault.store.turn import Turn

EVERY_SECONDS = 0.5
LONG_LOG = 4096
"""Pages (16 MiB) from which on the last of the log is moved in a turn of one's own."""

Connect = Callable[[], sqlite3.Connection]


class Checkpointer:
    """`remind` it after each commit; it does its work at most every half second."""

    def __init__(self, connect: Connect, turn: Turn) -> None:
        self._connect = connect
        self._turn = turn
        self._thread = ThreadPoolExecutor(1, "store-checkpoint")
        self._running: Future[None] | None = None
        self._last = time.monotonic()

    def remind(self) -> None:
        if time.monotonic() < self._last + EVERY_SECONDS:
            return
        if self._running is None or self._running.done():
            self._last = time.monotonic()
            self._running = self._thread.submit(self._work)

    def close(self) -> None:
        self._thread.shutdown()

    def _work(self) -> None:
        # Trouble is left to the commits: they meet the same, and can say so.
        with (
            contextlib.suppress(sqlite3.Error, OSError),
            contextlib.closing(self._connect()) as connection,
        ):
            if _checkpoint(connection) >= LONG_LOG:
                # Under steady writing there is always something new at the log's end, and
                # SQLite begins it anew only when there is not.
                with self._turn.in_thread():
                    _checkpoint(connection)


def _checkpoint(connection: sqlite3.Connection) -> int:
    """Move what can be moved without waiting; returns the log's length in pages."""
    pages: int = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    return pages
