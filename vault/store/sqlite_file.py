"""A SQLite file of Jeton's own: made once, opened in WAL mode, and named when it fails."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from vault.errors import Refusal, SetUpError

BUSY_SECONDS = 0.05
"""How long SQLite itself waits for one who writes without taking a turn."""


class WentBackwards(Exception):
    """The file is another one, or an older one, than the one that was served from."""


class File:
    """One connection to what stands at a path now: SQLite itself would go on writing to a file
    that was taken away."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self.inode: tuple[int, int] | None = None
        """Which file the connection is to."""

    def connected(self) -> sqlite3.Connection:
        """Raises OSError where there is no file, sqlite3.Error where it cannot be used."""
        try:
            status = self._path.stat()
        except OSError:
            self._leave()
            raise
        if self.inode != (status.st_dev, status.st_ino):
            self._leave()
        if self._connection is None:
            self._connection = self._connect()
            self.inode = (status.st_dev, status.st_ino)
        return self._connection

    def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _leave(self) -> None:
        """The file was taken away: give it all it is owed from the write-ahead log, which
        stayed behind and must not be taken for that of the next file at the path."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.drop()


def connect(path: Path, synchronous: Literal["NORMAL", "FULL"]) -> sqlite3.Connection:
    """Never makes a file. With `NORMAL` a power cut may cost the last commits."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise sqlite3.OperationalError("the file system has no shared memory for WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        # KiB. More is a little faster, but a worker grows by it until as many pages were met.
        connection.execute("PRAGMA cache_size = -4000")
        connection.execute("PRAGMA wal_autocheckpoint = 16384")  # should the thread lag behind
    except BaseException:
        connection.close()
        raise
    return connection


def create(path: Path, schema: str, version: int, setting: str) -> None:
    """Make the file and its tables where they are not there yet; the caller has the turn.

    All files are the owner's alone, as are those that SQLite puts beside it. Raises SetUpError
    for a file of another schema; `setting` is where another one can be named.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        if each.exists():
            each.chmod(0o600)
    with contextlib.closing(connect(path, "FULL")) as connection:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found == version:
            return
        if found or connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise SetUpError(
                f"{path} is no store that this version of Jeton can use (schema {found}, not"
                f" {version}): run the version that wrote it, or name another file in {setting}"
            )
        connection.executescript(f"BEGIN; {schema} PRAGMA user_version = {version}; COMMIT;")


def name_of(error: BaseException) -> str:
    """What went wrong, without a path or a value."""
    if isinstance(error, TimeoutError):
        return "other processes keep it locked"
    if isinstance(error, WentBackwards):
        return "its file was replaced by another or an older one: restart the service"
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "OSError")
    return getattr(error, "sqlite_errorname", type(error).__name__)


def unavailable(error: BaseException) -> Refusal:
    return Refusal("store_unavailable", f"the store cannot be used ({name_of(error)})", 1)
