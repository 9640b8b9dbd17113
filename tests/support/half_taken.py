"""A connection whose caller has not taken all of an answer."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from uvicorn.server import ServerState

from tests.support.door import SmallDoor
from tests.support.raw_http import request
from vault.config import Server
from vault.web import Application, Holder
from vault.web.connection import Connection
from vault.web.server_config import ServerConfig

CALL = request(b'{"values":[%b]}' % b",".join([b'"1234567890"'] * 4_000))
"""Its answer is more than the sockets here hold, and too little for writing to be paused."""


@asynccontextmanager
async def half_taken(sent: bytes) -> AsyncIterator[tuple[Connection, ServerState]]:
    """The server's side of it, once `sent` was answered."""
    loop, settings, state = asyncio.get_running_loop(), Server(), ServerState()
    config = ServerConfig(Application(Holder(SmallDoor()), settings), Connection, settings, None)
    config.load()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    made = loop.create_server(lambda: Connection(config, state, {}, loop), sock=listener)
    async with asyncio.timeout(10), await made:
        with closing(socket.socket()) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            caller.setblocking(False)
            await loop.sock_connect(caller, listener.getsockname())
            await loop.sock_sendall(caller, sent)
            while not state.total_requests:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0)
            (connection,) = state.connections
            assert isinstance(connection, Connection)
            assert connection.transport.get_write_buffer_size()
            assert not connection.flow.write_paused
            yield connection, state
