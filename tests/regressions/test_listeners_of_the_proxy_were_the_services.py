"""Connections to the proxy were made by the service's own class: a body that never came was waited
for without end, and the certificate that a caller showed was forgotten."""

import json
import socket
from pathlib import Path

import pytest

from tests.support.proxied import Edge
from tests.support.upstream import upstream

pytestmark = pytest.mark.system
ROUTE = '[proxy.routes.main]\nlistener = "main"\nupstream = "main"\n'


def test_a_body_that_does_not_come(tmp_path: Path) -> None:
    with upstream() as behind:
        edge = Edge.create(tmp_path, behind.port, ROUTE)
        edge.service.edit(lambda text: text.replace("[server]\n", "[server]\nbody_timeout = 1\n"))
        with edge.running():
            sent = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n12"
            with socket.create_connection(("127.0.0.1", edge.port), timeout=8) as connection:
                connection.sendall(sent)
                answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "timeout"
