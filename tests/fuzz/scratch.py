"""A folder of this process's own, for harnesses whose parser reads files."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

MEMORY = Path("/dev/shm")


def where() -> Path | None:
    """In memory, where there is such a file system."""
    return MEMORY if MEMORY.is_dir() else None


@cache
def folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="jeton-fuzz-", dir=None if _is_told() else where()))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _is_told() -> bool:
    """libFuzzer ends a process without its farewells: its parent gives it a place to clean."""
    return Path(tempfile.gettempdir()).name.startswith("jeton-fuzz-")
