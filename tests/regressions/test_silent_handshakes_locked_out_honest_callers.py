"""Connections that did not begin their handshake were not counted: they took all files, and
honest callers were reset. Those that had to go for others kept their file until the peer said
farewell, or for two seconds."""

import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.calls import Place
from tests.support.certificates import encrypted
from tests.support.processes import open_files
from tests.support.small_service import running
from vault.web.handshakes import LATEST

pytestmark = pytest.mark.system

MOST = 32
ENEMIES = 3 * MOST + LATEST


def status(place: Place) -> int:
    with closing(place.connect(10)) as connection:
        connection.request("GET", "/livez")
        return connection.getresponse().status


@pytest.mark.parametrize("shakes", [False, True], ids=["silent", "silent once connected"])
def test_they_make_room(tmp_path: Path, shakes: bool) -> None:
    settings, tls = encrypted(tmp_path)
    with running(settings | {"max_connections": MOST}) as service, ExitStack() as stack:
        place = Place(service.port, tls=tls)
        assert status(place) == 200
        before = open_files(service.process.pid)
        for _ in range(ENEMIES):
            enemy = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), 10))
            if shakes:
                stack.enter_context(tls.wrap_socket(enemy, server_hostname="localhost"))
        assert status(place) == 200
        assert open_files(service.process.pid) - before <= MOST + LATEST + 1
