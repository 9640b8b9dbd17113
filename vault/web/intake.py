"""Takes in request bodies: not too large, not too slow, not too many at once.

A body that is only waited for costs next to nothing and takes no place from anybody, so slow
callers cannot keep honest ones out; what is bounded is the time each may take, the bytes that
unfinished bodies hold together, and the requests that are being worked on.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic
from typing import Any, Final

from vault.errors import Refusal
from vault.web.problem import HTTPRefusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

BODIES_AT_ONCE: Final = 32
"""Bodies hold as many bytes together as this many of the largest JSON ones..."""
LARGE_AT_ONCE: Final = 4
"""...or of the largest of any media type, if that is more."""


class Disconnected(Exception):
    """The caller went away before its request was whole: there is nobody to answer."""


class Intake:
    """The bodies that one process is waiting for, or working on.

    A timer for each would cost more than all else that is done to read a small body; here a
    waiting task is noted in order, and one timer looks at the oldest.
    """

    def __init__(self, timeout: float, room: int) -> None:
        """`room` is how many bytes all bodies together may hold."""
        self._timeout = timeout
        self._room = room
        self._waiting: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._watched = False
        self._held = 0

    async def read(self, receive: Receive, limit: int) -> bytes:
        """A whole body of at most `limit` bytes: `hold` it while it is worked on.

        Raises Refusal ``too_large``, ``timeout`` or ``overloaded``, and Disconnected."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = monotonic() + self._timeout
        if not self._watched:
            self._watched = True
            task.get_loop().call_later(self._timeout, self._look, task.get_loop())
        try:
            message = await receive()
            if message["type"] != "http.request":
                raise Disconnected
            body: bytes = message.get("body", b"")
            if message.get("more_body"):
                return await self._rest(body, receive, limit)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise HTTPRefusal(
                "timeout",
                f"the body was not here within {self._timeout:g} seconds",
                headers=[(b"connection", b"close")],
            ) from None
        finally:
            del self._waiting[task]
            self._late.discard(task)
        if len(body) > limit:
            raise too_large(limit)
        return body

    def hold(self, size: int) -> None:
        """A body of so many bytes is worked on, until as much is released."""
        self._held += size

    def release(self, size: int) -> None:
        self._held -= size

    async def _rest(self, first: bytes, receive: Receive, limit: int) -> bytes:
        """The other pieces: counted as they come."""
        pieces, size, more = [first], len(first), True
        self._held += size
        try:
            while more:
                if size > limit:
                    raise too_large(limit)
                if self._held > self._room:
                    raise Refusal("overloaded", "too many large bodies at once", 1)
                message = await receive()
                if message["type"] != "http.request":
                    raise Disconnected
                piece = message.get("body", b"")
                pieces.append(piece)
                size += len(piece)
                self._held += len(piece)
                more = message.get("more_body", False)
            if size > limit:
                raise too_large(limit)
            return b"".join(pieces)
        finally:
            self._held -= size

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = monotonic()
        for task, deadline in self._waiting.items():  # in the order of their deadlines
            if deadline > now:
                loop.call_later(max(deadline - now, self._timeout / 20), self._look, loop)
                return
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        self._watched = False


def too_large(limit: int) -> Refusal:
    return Refusal("too_large", f"a body has at most {limit} bytes")
