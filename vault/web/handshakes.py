"""Connections that are not yet encrypted, and so not yet connections.

uvloop tells of one when its handshake is done. One whose handshake never ends holds a file like
any other: here each is known from when it is accepted, and can be let go for others.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from uvloop.loop import SSLProtocol  # type: ignore[attr-defined] # what `create_server` uses

from vault.web.connection import LINGER

LATEST: Final = 32
"""So many may be under way beyond `max_connections`: where all of those are being answered, who
comes has to shake hands to be told."""


class Handshake(SSLProtocol):  # type: ignore[misc] # it is not in uvloop's stubs
    """The protocol of one, and its encryption for good. A guest, see `crowd`."""

    def __init__(
        self,
        under_way: "dict[Handshake, None]",
        context: ssl.SSLContext,
        timeout: float,
        connect: Callable[[], asyncio.Protocol],
        rejected: Callable[[ssl.SSLCertVerificationError], None] | None = None,
    ) -> None:
        """It is in `under_way`, oldest first, until it ends; `connect` makes the protocol to go
        on with, `rejected` hears why a peer's certificate ended it. Raises RuntimeError without
        a loop."""
        loop = asyncio.get_running_loop()
        self.is_in_handshake = True
        self._under_way = under_way
        self._until = loop.time() + timeout
        self._rejected = rejected
        super().__init__(
            loop,
            _Threshold(self, connect),
            context,
            None,
            server_side=True,
            ssl_handshake_timeout=timeout,
            ssl_shutdown_timeout=LINGER,
        )

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._accepted = transport
        self._under_way[self] = None
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._rejected is not None and isinstance(exc, ssl.SSLCertVerificationError):
            self._rejected(exc)
        self.end()
        super().connection_lost(exc)

    def end(self) -> None:
        self.is_in_handshake = False
        self._under_way.pop(self, None)

    def waits_until(self) -> float:
        return self._until

    def leave(self) -> None:
        self.end()
        self._accepted.abort()


class _Threshold(asyncio.Protocol):
    """What is connected when hands are shaken: it hands over."""

    def __init__(self, handshake: Handshake, connect: Callable[[], asyncio.Protocol]) -> None:
        self._handshake = handshake
        self._connect = connect

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._handshake.end()
        connection = self._connect()
        transport.set_protocol(connection)
        connection.connection_made(transport)
