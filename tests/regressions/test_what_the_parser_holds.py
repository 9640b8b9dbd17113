"""Memory that nobody bounded: trailers without end, and requests sent ahead by who reads no answer;
and a request whose body turned bad after its answer got a second one."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.processes import resident
from tests.support.raw_http import Answer, answers, exchange, request
from tests.support.small_service import Running, running
from vault.web.connection import PIPELINED

pytestmark = pytest.mark.system

BODY = b'{"value":"123"}'
CHUNKED = b"Transfer-Encoding: chunked"
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running({"header_timeout": 0.6, "body_timeout": 5, "keep_alive_timeout": 0.6}) as one:
        yield one


@pytest.mark.parametrize(
    "begun", [b"1;name=", b"1\r\n{\r\n0\r\nname: "], ids=["an extension", "a trailer"]
)
def test_what_stands_around_a_body_is_bounded(service: Running, begun: bytes) -> None:
    before = resident(service.process.pid)
    sent = request(begun, CHUNKED, length=None) + b"x" * 40_000_000
    with closing(socket.create_connection(("127.0.0.1", service.port), 10)) as connection:
        try:
            connection.sendall(sent)
        except OSError:  # closed, as it should be
            pass
        else:
            assert answers(connection.recv(65_536)) == [Answer(431, "too_large")]
    assert resident(service.process.pid) < before + 10_000_000


def test_small_chunks_are_no_framing_without_end(service: Running) -> None:
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"value":"%s"}' % (b"1" * 30_000))
    sent = request(body + b"0\r\n\r\n", CHUNKED, length=None)
    assert answers(exchange(service.port, sent)) == [Answer(200, None)]


def test_requests_sent_ahead_are_bounded(service: Running) -> None:
    before = resident(service.process.pid)
    answer = exchange(service.port, request(b'{"value":"0300"}') + GET * 5_000)
    assert [each.status for each in answers(answer)] == [200] * (PIPELINED + 1)
    assert resident(service.process.pid) < before + 10_000_000


def test_as_many_as_may_be_are_answered(service: Running) -> None:
    answer = exchange(service.port, request(b'{"value":"0300"}') + GET * PIPELINED)
    assert [each.status for each in answers(answer)] == [200] * (PIPELINED + 1)


def test_nothing_is_read_while_requests_wait(service: Running) -> None:
    """They stay with who sent them: its socket takes no more."""
    slow = request(b'{"value":"01500"}')
    with closing(socket.create_connection(("127.0.0.1", service.port), 10)) as connection:
        connection.sendall(slow + GET)
        time.sleep(0.2)  # until it is read; nothing tells
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.sendall(GET * 1_000_000)


def test_one_answer_a_request(service: Running) -> None:
    """It was refused by its head, and then its body was no body."""
    start = b"POST /v1/tokenise/digits HTTP/1.1"
    head = request(b"", CHUNKED, length=None, start=start).replace(b"Bearer ", b"Bearer x")
    assert answers(exchange(service.port, head, b"zz\r\n")) == [Answer(401, "unauthenticated")]
