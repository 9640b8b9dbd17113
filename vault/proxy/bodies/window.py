"""The part of a body that a parser holds: what came in and has not gone out."""

from vault.proxy.bodies.pieces import Unparsable

SMALL = 4096


class Window:
    """Bytes from `offset` of the body on. Patterns are matched at `at`; what cannot be matched
    yet waits for more, so long as that is no longer than `limit`."""

    __slots__ = ("_limit", "_needs", "_pending", "_size", "at", "data", "offset", "start")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._needs = 0
        self._pending: list[bytes] = []
        self._size = 0
        self.data = b""
        self.at = 0
        """Where the next token begins in `data`."""
        self.start = 0
        """Everything before it is out."""
        self.offset = 0

    def add(self, chunk: bytes) -> bool:
        """Take a chunk; whether it is worth looking again.

        A token cut into very many chunks would be looked at once a chunk: what did not suffice
        has to grow by a quarter first.
        """
        self._pending.append(chunk)
        self._size += len(chunk)
        if len(self.data) + self._size < self._needs:
            return False
        self.join()
        return True

    def join(self) -> None:
        """Take into `data` what was not worth looking at."""
        self.data += b"".join(self._pending)
        self._pending.clear()
        self._size = 0

    def stuck(self, what: str) -> None:
        """The bytes at `at` are not complete. Raises Unparsable where they never will be."""
        waiting = len(self.data) - self.at
        if waiting > self._limit:
            raise self.broken(f"{what} longer than {self._limit} bytes or not well formed")
        self._needs = len(self.data) + (waiting // 4 if waiting > SMALL else 0)

    def take(self, until: int) -> bytes:
        """What is not yet out, up to `until`."""
        taken = self.data[self.start : until]
        self.start = until
        return taken

    def forget(self) -> None:
        """Drop what is out."""
        self.data = self.data[self.start :]
        self.offset += self.start
        self.at -= self.start
        self._needs -= self.start
        self.start = 0

    def broken(self, rule: str) -> Unparsable:
        return Unparsable(rule, self.offset + self.at)
