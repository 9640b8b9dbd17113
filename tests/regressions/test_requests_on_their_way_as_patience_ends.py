"""A service that had been held up closed connections whose request had come meanwhile, unread: by
its clock they had been silent for too long."""

import asyncio
import fcntl
import socket
import termios
from collections.abc import Iterator
from contextlib import closing

import pytest
from uvicorn.server import ServerState

from tests.support.door import SmallDoor
from tests.support.raw_http import request
from vault.config import Server
from vault.web import Application, Holder
from vault.web.connection import Connection
from vault.web.server_config import ServerConfig

LATER = 1_000.0
CALL = request(b'{"value":"123"}')


@pytest.fixture
def caller() -> Iterator[socket.socket]:
    with closing(socket.socket()) as made:
        made.setblocking(False)
        yield made


@pytest.mark.parametrize("calls_before", [0, 1])
async def test_what_is_there_is_read_before_patience_ends(
    caller: socket.socket, calls_before: int
) -> None:
    loop = asyncio.get_running_loop()
    settings = Server()
    config = ServerConfig(Application(Holder(SmallDoor()), settings), Connection, settings, None)
    config.load()
    state = ServerState()

    async def answered() -> bool:
        return (await loop.sock_recv(caller, 65_536)).startswith(b"HTTP/1.1 200")

    made = loop.create_server(lambda: Connection(config, state, {}, loop), "127.0.0.1", 0)
    async with await made as server:
        address = server.sockets[0].getsockname()
        await loop.sock_connect(caller, address)
        for _ in range(calls_before):
            await loop.sock_sendall(caller, CALL)
            assert await answered()
        while not state.connections:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
        (connection,) = state.connections
        assert isinstance(connection, Connection)
        caller.send(CALL)
        _wait_for_bytes(connection)  # the loop does not turn meanwhile
        connection.expire(loop.time() + LATER)
        assert await answered()
        caller.close()


def _wait_for_bytes(connection: Connection) -> None:
    fileno = connection.transport.get_extra_info("socket").fileno()
    while not any(fcntl.ioctl(fileno, termios.FIONREAD, bytes(4))):
        pass
