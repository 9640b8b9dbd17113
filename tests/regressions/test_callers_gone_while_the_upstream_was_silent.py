"""A caller that hung up before the upstream had answered kept its place among the messages on their
way, for as long as the upstream was silent."""

import socket
import threading
from pathlib import Path

import pytest

from tests.support.hanging_up import Taken, behind_it
from tests.support.proxied import Edge

pytestmark = pytest.mark.system
ROUTE = '[proxy.routes.main]\nlistener = "main"\nupstream = "main"\n'


@pytest.mark.parametrize("half", [True, False], ids=["half-closes", "hangs up"])
def test_what_it_asked_for_is_not_waited_for(half: bool, tmp_path: Path) -> None:
    """Nobody can tell the one from the other."""
    arrived = threading.Event()

    def does(taken: Taken) -> None:
        taken.head()
        arrived.set()
        while taken.more():  # never answers: until it is hung up on
            pass

    with behind_it() as (port, behind):
        behind.does = does
        edge = Edge.create(tmp_path, port, ROUTE)
        edge.service.edit(lambda text: text.replace("answer_timeout = 30", "answer_timeout = 60"))
        with edge.running():
            with socket.create_connection(("127.0.0.1", edge.port), timeout=40) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                assert arrived.wait(40)
                if half:
                    connection.shutdown(socket.SHUT_WR)
                    assert connection.recv(100) == b""
            assert behind.taken[0].ended.wait(40)  # before `answer_timeout`
