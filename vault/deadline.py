"""A connection that ends with its time.

A read that times out is no bound: who answers a byte at a time never lets one. In a thread that
asks, that would last for ever, and no process ends before its threads.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer


@contextmanager
def ending(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Shuts a connected socket down after so long, whatever is read from it then, and however it
    was wrapped meanwhile. Within it a peer that is too slow is one that hung up."""
    with socket.socket(fileno=os.dup(connection.fileno())) as whole:
        timer = Timer(seconds, _end, (whole,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it is at its end already
        connection.shutdown(socket.SHUT_RDWR)
