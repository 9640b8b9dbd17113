"""A system behind the proxy that does with each connection what a test says, and then hangs up.

with behind_it() as (port, behind):
    behind.does = lambda taken: (taken.head(), taken.connection.sendall(b"HTTP/1.1 ..."))
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Taken:
    """One connection that the upstream had."""

    connection: socket.socket
    received: bytes = b""
    """The last of what came."""
    size: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def head(self) -> bytes:
        while b"\r\n\r\n" not in self.received and self.more():
            pass
        return self.received

    def more(self) -> bool:
        with suppress(OSError):
            got = self.connection.recv(65_536)
            self.received = (self.received + got)[-65_536:]
            self.size += len(got)
            return got != b""
        return False


class Behind:
    """Does with each connection what `does` says, and then hangs up."""

    def __init__(self, listening: socket.socket) -> None:
        self.does: Callable[[Taken], object] = Taken.head
        self.taken: list[Taken] = []
        self._listening = listening

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                connection.settimeout(15)
                self.taken.append(taken := Taken(connection))
                threading.Thread(target=self._serve, args=(taken,), daemon=True).start()

    def _serve(self, taken: Taken) -> None:
        with taken.connection, suppress(OSError):
            self.does(taken)
        taken.ended.set()


@contextmanager
def behind_it() -> Iterator[tuple[int, Behind]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        behind = Behind(listening)
        thread = threading.Thread(target=behind.serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], behind
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)
