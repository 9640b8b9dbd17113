"""A call behind one whose answer closed the connection was worked on, charged and recorded, and
never answered, where both came in one read."""

import asyncio
import socket
from contextlib import closing

import pytest
from uvicorn.server import ServerState

from tests.support.door import SmallDoor
from tests.support.raw_http import request
from vault.config import Server
from vault.web import Application, Holder
from vault.web.connection import Connection
from vault.web.server_config import ServerConfig

CALL = request(b'{"value":"123"}')
OLD = CALL.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\nConnection: keep-alive\r\n", 1)


@pytest.mark.parametrize(("call", "ending"), [(CALL, True), (OLD, False)])
async def test_nothing_is_worked_on_behind_the_last_answer(call: bytes, ending: bool) -> None:
    loop, door, settings = asyncio.get_running_loop(), SmallDoor(), Server()
    config = ServerConfig(Application(Holder(door), settings), Connection, settings, None)
    config.load()
    config.ending = ending
    state = ServerState()
    made = loop.create_server(lambda: Connection(config, state, {}, loop), "127.0.0.1", 0)
    async with asyncio.timeout(10), await made as server:
        with closing(socket.socket()) as caller:
            caller.setblocking(False)
            await loop.sock_connect(caller, server.sockets[0].getsockname())
            await loop.sock_sendall(caller, call * 3)
            received = b""
            while chunk := await loop.sock_recv(caller, 65_536):
                received += chunk
        while state.tasks or state.connections:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
    assert received.count(b"HTTP/1.1 ") == received.count(b"HTTP/1.1 200") == 1
    assert b"\r\nconnection: close\r\n" in received
    assert len(door.calls) == 1
