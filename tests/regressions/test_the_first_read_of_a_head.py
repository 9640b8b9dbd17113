"""A head's first read was not counted: one that came in two reads could be longer than
``server.max_headers`` by as much as the first of them held."""

import socket
from contextlib import closing

import pytest

from tests.support.raw_http import Answer, answers, request
from tests.support.small_service import running

pytestmark = pytest.mark.system

BODY = b'{"value":"123"}'


def test_counts() -> None:
    first, second = request(BODY), request(BODY)
    line, rest = second.split(b"\r\n", 1)
    long = line + b"\r\n" + b"X: y\r\n" * 5_000
    with (
        running({}) as service,
        closing(socket.create_connection(("127.0.0.1", service.port), 10)) as connection,
    ):
        connection.sendall(first + long)
        received = connection.recv(1)  # both were read
        connection.sendall(rest)
        while chunk := connection.recv(65_536):
            received += chunk
    assert answers(received) == [Answer(200, None), Answer(431, "too_large")]
