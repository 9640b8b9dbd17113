"""Connections that take all the time there is, each in its own way, until the server ends them.

    python -m tests.abuse.slow_connections PORT COUNT PAUSE < credential

keeps COUNT of them open, in a process of their own, until its input ends; then it prints how the
server ended those that it has ended, as JSON.
"""

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Final

from tests.abuse import bodies
from tests.abuse.client import parsed
from tests.abuse.requests import STREAMED, request

PAGE: Final = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
PAGES: Final = 64
RECEIVE: Final = 4_096
SPREAD: Final = 3.0
"""Seconds over which they begin, so that they are a thousand enemies and not one clock."""


@dataclass(frozen=True)
class Way:
    """`begin` is sent at once, from a credential, and `more` again and again."""

    begin: Callable[[bytes], bytes]
    more: bytes = b""
    reads: bool = True
    """Else it takes a byte of its answers at a time."""


def _unknown(_: bytes) -> bytes:
    return request(b"nobody", b"", length=b"1000000")


WAYS: Final[Mapping[str, Way]] = {
    "silent": Way(lambda _: b""),
    "first line": Way(lambda _: b"POST /", b"x"),
    "headers": Way(lambda _: b"GET / HTTP/1.1\r\nHost: x\r\n", b"a: b\r\n"),
    "body": Way(lambda secret: request(secret, b"{", length=b"1000000"), b" "),
    "chunks": Way(lambda secret: request(secret, b"", STREAMED, length=None), b"1\r\n \r\n"),
    "refused body": Way(_unknown, b" "),
    "trailer": Way(
        lambda secret: request(secret, b"1\r\n{\r\n0\r\nname: ", STREAMED, length=None), b"x"
    ),
    "idle": Way(lambda secret: request(secret, bodies.BATCH)),
    "reader": Way(lambda _: PAGE * PAGES, b"\r\n", reads=False),
}


async def hold(port: int, way: Way, credential: bytes, pause: float) -> str:
    """Until the server ends it: the last answer's code, or ``closed``."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    last = "closed"
    with connection:
        try:
            await loop.sock_connect(connection, ("127.0.0.1", port))
            await loop.sock_sendall(connection, way.begin(credential))
            received = b""
            while True:
                await asyncio.sleep(0 if received and way.reads else pause)
                with suppress(BlockingIOError):
                    if not (came := connection.recv(65_536 if way.reads else 1)):
                        return last
                    received += came
                while way.reads and (found := parsed(received)):
                    last, received = found[0].code, found[1]
                await loop.sock_sendall(connection, way.more)
        except OSError:
            return last


class Held:
    """`count` connections, in all ways alike; one that is ended is begun again."""

    def __init__(self, port: int, count: int, credential: bytes, pause: float) -> None:
        self.ended: Counter[str] = Counter()
        """By way and last answer."""
        self._given = port, credential, pause
        self._random = Random(1)
        names = islice(cycle(WAYS), count)
        self._tasks = [asyncio.create_task(self._keep(name)) for name in names]

    async def _keep(self, name: str) -> None:
        port, credential, pause = self._given
        await asyncio.sleep(SPREAD * self._random.random())
        while True:
            last = await hold(port, WAYS[name], credential, pause)
            self.ended[f"{name}: {last}"] += 1

    def drop(self) -> None:
        for task in self._tasks:
            task.cancel()


async def _main(port: int, count: int, pause: float) -> None:
    secret = sys.stdin.buffer.readline().strip()
    held = Held(port, count, secret, pause)
    await asyncio.to_thread(sys.stdin.buffer.read)
    held.drop()
    print(json.dumps(held.ended))


def main(arguments: Sequence[str]) -> int:
    port, count, pause = arguments
    asyncio.run(_main(int(port), int(count), float(pause)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
