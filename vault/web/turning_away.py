"""An end of listening that leaves nobody connected whom nobody accepts.

A listener that is closed resets whoever stands in its queue, and their requests with them. However
soon after a look at the empty queue it is closed, somebody may come in between. So the kernel is
told first to let nobody begin a connection: whoever comes now tries again a second later, and is
refused, or finds who serves next.
"""

import ctypes
import socket
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

_SO_ATTACH_FILTER: Final = 26
_NOT_WHO_BEGINS: Final = (
    (0x30, 0, 0, 13),  # the flags of TCP
    (0x54, 0, 0, 0x12),  # of them SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone: a connection is to begin
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # take all else
)
"""A classic BPF program, as <linux/filter.h> has it: operation, two jumps, operand."""


def turn_away(sockets: Iterable[socket.socket]) -> None:
    """Nobody is connected to these any more, also through other processes that share them. It
    does nothing for a Unix socket, nor where the kernel is not Linux's."""
    if sys.platform != "linux":
        return
    steps = b"".join(struct.pack("=HBBI", *step) for step in _NOT_WHO_BEGINS)
    held = ctypes.create_string_buffer(steps, len(steps))
    program = struct.pack("HP", len(_NOT_WHO_BEGINS), ctypes.addressof(held))
    for sock in sockets:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            with suppress(OSError):  # a sandbox may forbid it: all goes on as without
                sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
