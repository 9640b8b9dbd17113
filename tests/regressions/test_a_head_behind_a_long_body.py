"""A read that ended a body and began the next head counted whole as that head, and was refused
as too large."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.raw_http import Answer, answers, request
from tests.support.small_service import Running, running

pytestmark = pytest.mark.system

BODY = b'{"value":"123"}'


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running({"keep_alive_timeout": 0.6}) as one:
        yield one


def test_is_a_head_of_its_own(service: Running) -> None:
    long = b'{"values":[%b]}' % b",".join([b'"123"'] * 8_000)
    first, second = request(long), request(BODY)
    with closing(socket.create_connection(("127.0.0.1", service.port), 10)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(first[:20_000])
        connection.sendall(first[20_000:] + second[:30])
        received = connection.recv(1)  # the first was read whole, and the beginning of the second
        connection.sendall(second[30:])
        while chunk := connection.recv(65_536):
            received += chunk
    assert answers(received) == [Answer(200, None)] * 2
