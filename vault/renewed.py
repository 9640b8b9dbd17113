"""What is made of files, and made anew when they change: certificates that others renew.

It is looked at when it is needed, so there is no signal to send, and none that could be missed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

Made = TypeVar("Made")
State = tuple[tuple[int, int, int, int] | None, ...]


class Renewed(Generic[Made]):
    """Files that are half written, or no longer there, change nothing: what was made of them
    before goes on, and it is tried again."""

    def __init__(
        self, make: Callable[[], Made], paths: list[Path], tell: Callable[[OSError], object]
    ) -> None:
        """Raises what `make` raises. `tell` hears once of a change that `make` raised OSError
        for."""
        self._make = make
        self._paths = paths
        self._tell = tell
        self._of = self._told = self._state()
        self._made = make()

    def __call__(self) -> Made:
        state = self._state()
        if state != self._of:
            try:
                self._made, self._of = self._make(), state
            except OSError as error:
                if state != self._told:
                    self._tell(error)
                self._told = state
        return self._made

    def _state(self) -> State:
        return tuple(map(_state, self._paths))


def _state(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns
