"""One connection to one server: commands out, as many replies back, in one round trip.

redis-py makes the connection (TLS, ACL user, protocol); its own retries and pools stay off,
because they do not know which command may be sent twice.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import Connection, SSLConnection
from redis.exceptions import RedisError, ResponseError

from vault.store.redis.replies import CLOSES, SILENT

Command = Sequence[str | bytes | int]


class Unreachable(Exception):
    """Nothing was sent: the connection could not be made. Its words hold no secret."""


class Broken(Exception):
    """The connection was lost after something was sent: it may have been carried out."""


class Wire:
    """Use one at a time. After any failure, a cancellation too, it is not `usable`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._due = 0
        """Replies that were not yet read."""

    @property
    def usable(self) -> bool:
        """Not in the middle of something, and not closed by the other side."""
        reader = self._connection._reader  # noqa: SLF001 - redis-py asks it the same way
        return not self._due and reader is not None and not reader.at_eof()

    async def send(self, commands: Sequence[Command]) -> None:
        """Raises Broken."""
        self._due += len(commands)
        packed = b"".join([_packed(command) for command in commands])
        try:
            await self._connection.send_packed_command(packed, check_health=False)
        except (RedisError, OSError, EOFError) as error:
            raise Broken(_why(error)) from None

    async def receive(self, count: int) -> list[Any]:
        """The next replies in order; a server's error is one too, as an instance.

        Raises Broken.
        """
        replies = list[Any]()
        try:
            for _ in range(count):
                try:
                    replies.append(await self._connection.read_response())
                except ResponseError as error:
                    replies.append(error)
        except (RedisError, OSError, EOFError) as error:
            raise Broken(_why(error)) from None
        self._due -= count
        return replies

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Raises Broken."""
        await self.send(commands)
        return await self.receive(len(commands))

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)


class Dialler:
    """Makes wires to any server of a deployment."""

    def __init__(
        self,
        credentials: Mapping[str, object],
        tls: Mapping[str, object] | None,
        database: int,
        timeout: float,
    ) -> None:
        self._kind = Connection if tls is None else SSLConnection
        self._options: dict[str, Any] = {
            **credentials,
            **(tls or {}),
            "db": database,
            "protocol": 2,
            "socket_timeout": None,  # the deadline is over a whole call: vault.store.redis.link
            "socket_connect_timeout": timeout,
            "driver_info": None,
        }

    async def dial(self, host: str, port: int) -> Wire:
        """Raises Unreachable."""
        connection = self._kind(host=host, port=port, **self._options)
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError, EOFError) as error:
            await connection.disconnect(nowait=True)
            raise Unreachable(_why(error)) from None
        except asyncio.CancelledError:
            await connection.disconnect(nowait=True)
            raise
        return Wire(connection)


def _packed(command: Command) -> bytes:
    packed: bytes = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]
    return packed


def _why(error: Exception) -> str:
    """In words of our own: those of libraries hold addresses, and who knows what else."""
    text = f"{type(error).__name__} {error}".lower()
    for sign, words in _SIGNS.items():
        if sign in text:
            return words
    return "no connection"


_SIGNS = {
    "timeout": SILENT,
    "refused": "the connection is refused",
    "connect call failed": "the connection is refused",
    "authentication required": "it asks for a user and its password: store.password",
    "certificate_required": CLOSES,
    "certificate": "its certificate is not one that store.tls_ca vouches for",
    "ssl": "TLS fails; is it rediss:// on one side only?",
    "wrongpass": "it refuses the user's name or password",
    "invalid username-password": "it refuses the user's name or password",
    "authentication": "it refuses the user's name or password",
    "loading": "it is still reading its files",
    "closed by server": CLOSES,
    "reset by peer": CLOSES,
    "broken pipe": CLOSES,
    "name or service": "its name cannot be resolved",
    "max number of clients": "it has no room for another client",
}
"""What an error's text has in it, and what it means; the first that fits."""
