"""Ports for what is started by a test."""

import random
import socket


def free_port(*beside: int) -> int:
    """A port that is free, with those so far above it. It is below those that the kernel gives to
    outgoing connections: one of them could take it meanwhile, and keep it for a minute."""
    while True:
        port = random.randrange(12_000, 32_000)
        if all(_is_free(port + further) for further in (0, *beside)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
