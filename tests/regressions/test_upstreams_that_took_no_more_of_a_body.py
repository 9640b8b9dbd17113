"""An upstream that read no more of a request and did not answer was waited for without end: the
client's patience began with the last byte sent, and the caller's reader was paused."""

import json
import threading
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path
from socket import create_connection, socket

import pytest

from tests.abuse.flood import settled
from tests.support.hanging_up import Taken, behind_it
from tests.support.proxied import Edge

pytestmark = pytest.mark.system
ROUTE = """
[proxy.upstreams.stuck]
urls = ["http://127.0.0.1:{}"]
answer_timeout = 1
[proxy.routes.main]
listener = "main"
upstream = "stuck"
"""
EARLY = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"
SIZE = 64 << 20


def _send(connection: socket) -> None:
    with connection, suppress(OSError):
        for _ in range(SIZE >> 20):
            connection.sendall(bytes(1 << 20))


@pytest.mark.parametrize("early", [b"", EARLY], ids=["silent", "answers"])
def test_its_connection_is_given_up(early: bytes, tmp_path: Path) -> None:
    looked_at = threading.Event()

    def does(taken: Taken) -> None:
        taken.head()
        taken.connection.sendall(early)
        looked_at.wait(20)

    with behind_it() as (port, behind):
        behind.does = does
        edge = Edge.create(tmp_path, port, ROUTE.format(port))
        with edge.running():
            assert edge.process is not None
            files = settled(edge.process.pid, 0, patience=1)
            with create_connection(("127.0.0.1", edge.port), timeout=15) as connection:
                head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"
                connection.sendall(head.encode())
                sending = threading.Thread(target=_send, args=(connection.dup(),), daemon=True)
                sending.start()
                answer = HTTPResponse(connection)
                answer.begin()
                body = answer.read()
                assert answer.status == (413 if early else 504)
                assert early or json.loads(body)["code"] == "upstream_timeout"
                sending.join(10)
            assert settled(edge.process.pid, files) <= files
            looked_at.set()
