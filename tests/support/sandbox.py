"""A root for bubblewrap, laid from another one: read-only, with mounts where pods want them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LEFT_OUT: Final = frozenset(("/proc", "/dev", "/sys", "/run", "/tmp", "/var", "/home", "/root"))
"""Of a root: what is made anew, and what a container does not have."""


@dataclass(frozen=True)
class Mount:
    at: str
    source: Path | None
    """None: a file system in memory."""
    writable: bool = False


def layers(root: Path, mounts: Sequence[Mount]) -> Iterator[str]:
    """bubblewrap's arguments. A folder of the root is bound whole, unless something is mounted
    below it: then it is made, and its parts are bound."""
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from _bound(root, "", [mount.at for mount in mounts])
    for mount in mounts:
        if mount.source is None:
            yield from ("--tmpfs", mount.at)
        else:
            yield from ("--bind" if mount.writable else "--ro-bind", str(mount.source), mount.at)


def _bound(root: Path, folder: str, points: Sequence[str]) -> Iterator[str]:
    for entry in sorted(os.scandir(f"{root}{folder}" or "/"), key=lambda entry: entry.name):
        at = f"{folder}/{entry.name}"
        if at in LEFT_OUT or at in points:
            continue
        if entry.is_symlink():
            yield from ("--symlink", str(Path(entry.path).readlink()), at)
        elif entry.is_dir() and any(point.startswith(f"{at}/") for point in points):
            yield from ("--dir", at)
            yield from _bound(root, at, points)
        else:
            yield from ("--ro-bind", entry.path, at)
