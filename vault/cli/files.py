"""Files that hold secrets or decide who may do what: written whole or not at all."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vault.audit.segment import sync_folder

__all__ = ["edit", "new_file", "sync_folder", "write_new"]

PRIVATE = 0o600


def write_new(path: Path, text: str, mode: int = PRIVATE) -> None:
    """A new file, on disk when this returns. Raises FileExistsError and other OSErrors."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask took
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, 0600, that is there once all of it is on disk.

    Raises FileExistsError, other OSErrors; then, and whatever is raised inside, there is none.
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)  # unlike a rename, it takes nobody's place
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Replace a file by its changed text: others see the old one or the new one, and of two
    who edit at once one waits. Owner and mode stay. Whatever `change` raises, nothing is
    written. Raises OSError."""
    path = path.resolve()  # a link stays a link
    with _locked(path.parent):
        status = path.stat()
        after = change(path.read_bytes().decode())
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        try:
            write_new(fresh, after, status.st_mode & 0o777)
            with suppress(PermissionError):
                os.chown(fresh, status.st_uid, status.st_gid)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
