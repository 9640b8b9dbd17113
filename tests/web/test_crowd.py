"""Who has to go when there are as many connections as may be."""

import http.client
import json
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.support.raw_http import request
from tests.support.small_service import Running, running
from vault.web import crowd

MOST = 32
SLOW = request(b'{"value":"03000"}')


@dataclass
class Guest:
    until: float | None
    here: bool = True

    def waits_until(self) -> float | None:
        return self.until

    def leave(self) -> None:
        self.here = False


def test_those_go_that_have_waited_longest() -> None:
    guests = [Guest(None if n % 3 == 0 else float(n)) for n in range(64)]
    crowd.make_room(guests, 64)
    assert [n for n, guest in enumerate(guests) if not guest.here] == [1, 2, 4, 5]
    crowd.make_room(guests[:2], 4)
    assert [n for n, guest in enumerate(guests) if not guest.here] == [1, 2, 4, 5]
    nobody = [Guest(None)]
    crowd.make_room(nobody, 1)
    assert nobody[0].here


@pytest.fixture
def limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_as_needed(limit: None) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, hard))
    assert crowd.capacity(100) == 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600, hard)
    assert crowd.capacity(700) == 700
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (700 + crowd.RESERVED, hard)


def test_where_it_cannot_be_there_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    for soft, hard, most in ((1024, 1024, 768), (256, 1024, 768), (300, 300, 150)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limits=(soft, hard): limits)
        assert crowd.capacity(4_096) == most
        assert set_to[-1:] == ([(hard, hard)] if soft < hard else set_to[-1:])
    endless = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (endless, endless))
    assert crowd.capacity(4_096) == 4_096


@pytest.fixture
def service() -> Iterator[Running]:
    with running({"max_connections": MOST}) as started:
        yield started


def connect(service: Running, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.port), 10)
    connection.sendall(sent)
    return connection


def status(connection: socket.socket) -> int:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status


@pytest.mark.system
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nX: "], ids=["silent", "half a head"])
def test_whoever_only_waits_makes_room(service: Running, sent: bytes) -> None:
    busy = [connect(service, SLOW) for _ in range(4)]
    waiting = [connect(service, sent) for _ in range(3 * MOST)]
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    connection.request("GET", "/livez")
    assert connection.getresponse().status == 200
    for each in busy:  # nobody who waited for an answer had to go
        assert status(each) == 200
    closed = 0
    for each in waiting:
        each.setblocking(False)
        with suppress(BlockingIOError):
            closed += each.recv(65_536) == b""
        each.close()
    assert 2 * MOST <= closed < 3 * MOST


@pytest.mark.system
def test_where_all_wait_for_an_answer_one_more_is_refused(service: Running) -> None:
    busy = [connect(service, SLOW) for _ in range(MOST)]
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    connection.request("GET", "/livez")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (503, "overloaded")
    assert answer.headers["Retry-After"] == "1"
    for each in busy:
        assert status(each) == 200
        each.close()
