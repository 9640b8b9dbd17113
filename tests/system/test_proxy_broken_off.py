"""Messages that do not go their whole way: answers before a body has ended, hang-ups on either
side. Nothing that is not whole looks whole, and no connection is used on after it."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.support.hanging_up import Behind, Taken, behind_it
from tests.support.proxied import Edge

pytestmark = pytest.mark.system

ROUTES = """
[proxy.routes.plain]
listener = "main"
upstream = "main"
path = "/plain"
[proxy.routes.rewritten]
listener = "main"
upstream = "main"
client = "edge"
path = "/rewritten"
request = [{ select = "ndjson:nir", operation = "tokenise", transformation = "fr-nir" }]
[proxy.routes.guarded]
listener = "main"
upstream = "main"
path = "/guarded"
guard_responses = "block"
"""
LINE = b'{"nir": "284057512345672", "x": "' + b"y" * 4_000 + b'"}\n'
PIECE = LINE * 64
MANY = 400
"""Pieces: a hundred megabytes, more than is held anywhere."""
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Behind]]:
    with behind_it() as (port, behind):
        edge = Edge.create(tmp_path_factory.mktemp("edge"), port, ROUTES)
        with edge.running():
            yield edge, behind


@pytest.fixture
def edge(running: tuple[Edge, Behind]) -> Edge:
    return running[0]


@pytest.fixture
def behind(running: tuple[Edge, Behind]) -> Iterator[Behind]:
    edge, one = running
    one.taken.clear()
    yield one
    for taken in one.taken:
        with suppress(OSError):
            taken.connection.shutdown(socket.SHUT_RDWR)
    one.does = and_is_done
    assert edge.ask("GET", "/plain").status == 204  # no connection is left


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def and_is_done(taken: Taken) -> None:
    taken.head()
    taken.connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def answers_at_once(taken: Taken) -> None:
    taken.head()
    taken.connection.sendall(TOO_LARGE)


def and_reads_on(taken: Taken) -> None:
    answers_at_once(taken)
    while taken.more():
        pass


def and_lingers(taken: Taken) -> None:
    """As nginx does."""
    answers_at_once(taken)
    taken.connection.shutdown(socket.SHUT_WR)
    while taken.more():
        pass


class Upload:
    """A body on its way, by a caller that listens meanwhile."""

    def __init__(self, port: int, path: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=15)
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
        self.connection.sendall(f"{head}Content-Length: {len(PIECE) * MANY}\r\n\r\n".encode())
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        with suppress(OSError):
            for _ in range(MANY):
                self.connection.sendall(PIECE)

    def answer(self) -> http.client.HTTPResponse:
        answer = http.client.HTTPResponse(self.connection)
        answer.begin()
        return answer

    def close(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
        self._thread.join(10)


@pytest.mark.parametrize("path", ["/plain", "/rewritten"])
@pytest.mark.parametrize("does", [and_reads_on, and_lingers])
def test_an_answer_before_the_body_has_ended(
    does: Callable[[Taken], None], path: str, edge: Edge, behind: Behind
) -> None:
    behind.does = does
    upload = Upload(edge.port, path)
    answer = upload.answer()
    assert (answer.status, answer.read()) == (413, b"big")
    (taken,) = behind.taken
    assert taken.ended.wait(10)  # it is not told the rest, nor anything else
    assert taken.size < len(PIECE) * MANY
    behind.does = answers_at_once
    assert edge.ask("GET", "/plain").status == 413
    assert len(behind.taken) == 2
    upload.close()


def test_the_next_request_after_an_early_answer(edge: Edge, behind: Behind) -> None:
    """Its caller sends the whole body all the same, and then asks for something else."""
    behind.does = and_reads_on
    body = b"0123456789abcdef" * 100_000
    with socket.create_connection(("127.0.0.1", edge.port), timeout=15) as connection:
        head = f"POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:1_000])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.read()) == (413, b"big")
        connection.sendall(body[1_000:])
        connection.sendall(b"GET /plain HTTP/1.1\r\nHost: a\r\nX-Second: 1\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.read()) == (413, b"big")
    assert len(behind.taken) == 2
    assert b"X-Second: 1".lower() in behind.taken[1].received.lower()
    assert b"GET" not in behind.taken[0].received


@pytest.mark.parametrize("path", ["/plain", "/rewritten"])
def test_an_upstream_that_hangs_up_in_the_middle_of_a_body(
    path: str, edge: Edge, behind: Behind
) -> None:
    behind.does = Taken.head
    upload = Upload(edge.port, path)
    answer = upload.answer()
    assert answer.status in {502, 503}
    assert json.loads(answer.read())["code"] in {"upstream_invalid", "upstream_unavailable"}
    assert len(behind.taken) == 1  # what may have been done is not done again
    upload.close()


@pytest.mark.parametrize("path", ["/plain", "/guarded"])
@pytest.mark.parametrize("size", [10, 1_000_000])
@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1500000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n16e360\r\n"]
)
def test_an_answer_that_breaks_off(
    framing: bytes, size: int, path: str, edge: Edge, behind: Behind
) -> None:
    def does(taken: Taken) -> None:
        taken.head()
        taken.connection.sendall(OK + framing + b"x" * size)

    behind.does = does
    try:
        answer = edge.ask("GET", path)
    except (http.client.IncompleteRead, ConnectionError):
        return
    assert answer.status == 502
    assert json.loads(answer.body)["code"] == "upstream_invalid"


@pytest.mark.parametrize("half", [True, False], ids=["half-closes", "hangs up"])
@pytest.mark.parametrize("path", ["/plain", "/rewritten"])
def test_a_caller_that_ends_in_the_middle_of_a_body(
    path: str, half: bool, edge: Edge, behind: Behind
) -> None:
    """What the upstream was sent has no end."""

    def does(taken: Taken) -> None:
        taken.head()
        while taken.more():
            pass

    behind.does = does
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
    with socket.create_connection(("127.0.0.1", edge.port), timeout=15) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(12):
            connection.sendall(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
        until(lambda: bool(behind.taken) and behind.taken[0].size > 1_000)
        if half:
            connection.shutdown(socket.SHUT_WR)
            assert not connection.recv(100).startswith(b"HTTP/1.1 2")
        else:
            connection.close()
        assert behind.taken[0].ended.wait(10)
    assert not behind.taken[0].received.endswith(b"0\r\n\r\n")


def test_a_caller_that_hangs_up_in_the_middle_of_an_answer(edge: Edge, behind: Behind) -> None:
    sent = threading.Event()

    def does(taken: Taken) -> None:
        taken.head()
        taken.connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            while True:
                taken.connection.sendall(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
        sent.set()

    behind.does = does
    with socket.create_connection(("127.0.0.1", edge.port), timeout=15) as connection:
        connection.sendall(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert sent.wait(10)  # nothing more is taken of it
