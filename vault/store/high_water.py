"""How far a file has come, beside it: an older copy that is put back is noticed at the next start.

One number, written after each commit and not flushed: the death of a process keeps it, and what a
power cut takes of it only makes it smaller. Whoever puts back both files is not noticed.
"""

import os
from pathlib import Path

_BYTES = 8


class HighWater:
    def __init__(self, path: Path) -> None:
        """Open the mark, or make it (0600). Raises OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def reached(self) -> int:
        """Raises OSError."""
        return int.from_bytes(os.pread(self._file, _BYTES, 0))

    def reach(self, changes: int) -> None:
        """Raises OSError."""
        os.pwrite(self._file, changes.to_bytes(_BYTES), 0)

    def close(self) -> None:
        os.close(self._file)
