"""Advisory locks on files: who owns a chain, and who may write a checkpoint now.

flock belongs to an open file, not to a process id, so the lock of a killed process is free
at once and none is ever left behind.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self


class FileLock:
    """An flock that is held until `release`, or until the process ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, wait: bool = False) -> Self | None:
        """None where another holds it and `wait` is off. Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    def in_place(self) -> bool:
        """Whether the path still names the file that is locked. Raises OSError."""
        try:
            return same_file(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    return one.st_ino == other.st_ino and one.st_dev == other.st_dev


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock, and hold it for the block. Raises OSError."""
    lock = FileLock.take(path, wait=True)
    if lock is None:
        raise BlockingIOError("a waiting lock cannot be refused")
    try:
        yield
    finally:
        lock.release()
