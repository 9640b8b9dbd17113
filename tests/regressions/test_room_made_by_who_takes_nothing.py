"""Who had to make room and had not taken all of an answer kept the connection, which the server
no longer counted, where too little of it was left for writing to be paused."""

import asyncio
import socket
from contextlib import closing

from uvicorn.server import ServerState

from tests.support.door import SmallDoor
from tests.support.raw_http import request
from vault.config import Server
from vault.web import Application, Holder
from vault.web.connection import Connection
from vault.web.server_config import ServerConfig

BODY = b'{"values":[%b]}' % b",".join([b'"1234567890"'] * 4_000)
CALL = request(BODY)


async def test_the_connection_is_closed_at_once() -> None:
    loop, settings = asyncio.get_running_loop(), Server()
    config = ServerConfig(Application(Holder(SmallDoor()), settings), Connection, settings, None)
    config.load()
    state = ServerState()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    made = loop.create_server(lambda: Connection(config, state, {}, loop), sock=listener)
    async with asyncio.timeout(10), await made:
        with closing(socket.socket()) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            caller.setblocking(False)
            await loop.sock_connect(caller, listener.getsockname())
            await loop.sock_sendall(caller, CALL)
            while not state.total_requests:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0)
            (connection,) = state.connections
            assert isinstance(connection, Connection)
            assert connection.transport.get_write_buffer_size()
            assert not connection.flow.write_paused
            connection.leave()
            while connection.parser is not None:  # noqa: ASYNC110 - as above; it is lost then
                await asyncio.sleep(0)
