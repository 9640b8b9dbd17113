"""The server as a process: bounds on headers and patience, and an end that loses nothing."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.door import CREDENTIAL
from tests.support.small_service import REJECTED, Running, running
from vault.errors import SetUpError
from vault.web.addresses import bind

pytestmark = pytest.mark.system

HEADERS = {"Authorization": f"Bearer {CREDENTIAL}", "Content-Type": "application/json"}
BOUNDS: dict[str, object] = {
    "max_headers": 2_000,
    "max_body": 4_000_000,
    "header_timeout": 0.6,
    "body_timeout": 0.6,
    "keep_alive_timeout": 0.6,
    "shutdown_timeout": 4.0,
}


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running(BOUNDS) as started:
        yield started


def call(
    connection: http.client.HTTPConnection, value: str = "123", operation: str = "tokenise"
) -> http.client.HTTPResponse:
    member = "value" if operation == "tokenise" else "token"
    body = json.dumps({member: value})
    connection.request("POST", f"/v1/{operation}/digits", body, HEADERS)
    return connection.getresponse()


def raw(port: int, *pieces: bytes, pause: float = 0.0) -> tuple[bytes, float]:
    """All that comes back until the server closes, and how long that took."""
    began = time.monotonic()
    with closing(socket.create_connection(("127.0.0.1", port), 10)) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received, time.monotonic() - began


def problem(answer: bytes) -> tuple[int, str]:
    """Status and code; the headers that every answer has are asserted on the way."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"content-type: application/problem+json" in lines
    assert b"content-length: %d" % len(body) in lines
    assert any(line.startswith(b"jeton-request-id: ") for line in lines)
    parsed = json.loads(body)
    assert parsed["status"] == int(head.split()[1])
    return parsed["status"], parsed["code"]


def post(body: bytes, *more: bytes) -> bytes:
    lines = [
        b"POST /v1/tokenise/digits HTTP/1.1",
        b"Host: x",
        b"Authorization: Bearer " + CREDENTIAL.encode(),
        b"Content-Type: application/json",
        *more,
    ]
    return b"\r\n".join([*lines, b"", body])


def length(size: int) -> bytes:
    return b"Content-Length: %d" % size


def test_answers_come_over_http(service: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    answer = call(connection)
    assert (answer.status, json.loads(answer.read())) == (200, {"token": "9876"})
    assert answer.headers["Date"]
    assert "Server" not in answer.headers
    connection.request("HEAD", "/livez")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")


# Headers ------------------------------------------------------------------------------------


def test_headers_up_to_the_bound(service: Running) -> None:
    body = b'{"value":"123"}'
    fits = post(body, length(len(body)), b"Connection: close", b"X: " + b"x" * 1_750)
    assert raw(service.port, fits)[0].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "more",
    [
        [b"X: " + b"x" * 2_000],
        [b"x%d: 1" % i for i in range(400)],
        [b"X" * 2_000 + b": 1"],
        [b"X: " + b"x" * 300_000],
    ],
)
def test_headers_too_large(service: Running, more: list[bytes]) -> None:
    answer, seconds = raw(service.port, post(b"", length(0), *more))
    assert problem(answer) == (431, "too_large")
    assert seconds < 3


def test_a_path_too_large(service: Running) -> None:
    request = b"GET /" + b"x" * 3_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert problem(raw(service.port, request)[0]) == (431, "too_large")


def test_headers_without_end(service: Running) -> None:
    pieces = [b"GET / HTTP/1.1\r\n", *[b"x: " + b"y" * 400 + b"\r\n"] * 6]
    answer, _ = raw(service.port, *pieces, pause=0.01)
    assert problem(answer) == (431, "too_large")


def test_slow_headers(service: Running) -> None:
    """However steadily they trickle."""
    answer, seconds = raw(service.port, *[b"G", b"E", b"T", b" /", b"x"] + [b"x"] * 7, pause=0.1)
    assert problem(answer) == (408, "timeout")
    assert seconds < 5


def test_a_silent_connection_is_closed(service: Running) -> None:
    answer, seconds = raw(service.port)
    assert answer == b""
    assert 0.5 < seconds < 4


def test_an_idle_connection_is_closed(service: Running) -> None:
    body = b'{"value":"123"}'
    answer, seconds = raw(service.port, post(body, length(len(body))))
    assert answer.startswith(b"HTTP/1.1 200")
    assert 0.5 < seconds < 4


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post(b"zz\r\n", b"Transfer-Encoding: chunked"),
    ],
)
def test_what_is_no_request(service: Running, request_bytes: bytes) -> None:
    answer, seconds = raw(service.port, request_bytes)
    assert problem(answer) == (400, "malformed_request")
    assert seconds < 3


def test_what_comes_after_a_request_does_not_spoil_its_answer(service: Running) -> None:
    body = b'{"value":"0100"}'
    answer, _ = raw(service.port, post(body, length(len(body))) + b"garbage\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


def test_what_comes_after_an_answered_request_is_refused_by_itself(service: Running) -> None:
    body = b'{"value":"100"}'
    answer, _ = raw(service.port, post(body, length(len(body))) + b"garbage\r\n\r\n")
    first, refusal = answer.split(b'"}', 1)
    assert first.startswith(b"HTTP/1.1 200")
    assert problem(refusal) == (400, "malformed_request")


def test_an_upgrade_is_answered_as_it_stands(service: Running) -> None:
    body = b'{"value":"123"}'
    chunked = b"5\r\n" + body[:5] + b"\r\na\r\n" + body[5:] + b"\r\n0\r\n\r\n"
    for upgrade in (b"websocket", b"h2c"):
        asks = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + upgrade)
        head, rest = post(b"", length(len(body)), *asks), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        streamed = post(b"", b"Transfer-Encoding: chunked", *asks)
        for pieces in ([head + body], [head, body], [head, body + rest], [streamed, chunked]):
            answer, _ = raw(service.port, *pieces, pause=0.05)
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.count(b"HTTP/1.1") == 1
    get = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert raw(service.port, get)[0].startswith(b"HTTP/1.1 200")


def test_pipelined_requests_are_answered_in_order(service: Running) -> None:
    bodies = [b'{"value":"%d"}' % n for n in (1, 2, 3)]
    answer, _ = raw(service.port, b"".join(post(body, length(len(body))) for body in bodies))
    assert answer.count(b"HTTP/1.1 200") == 3
    assert [piece[:4] for piece in answer.split(b'"token":')[1:]] == [b'"98"', b'"97"', b'"96"']


# Bodies -------------------------------------------------------------------------------------


def test_slow_bodies(service: Running) -> None:
    for sent in (b"", b'{"val'):
        answer, seconds = raw(service.port, post(sent, length(15)))
        assert problem(answer) == (408, "timeout")
        assert b"connection: close" in answer.lower()
        assert seconds < 4


def test_a_large_body_is_refused_and_the_refusal_arrives(service: Running) -> None:
    """Also to a client that reads only once it has sent all of it."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    huge = json.dumps({"value": "1" * 8_000_000})
    connection.request("POST", "/v1/tokenise/digits", huge, HEADERS)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")
    assert call(connection).status == 200  # and the connection is still good


def test_a_streamed_body_is_refused(service: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    pieces = (b"x" * 100_000 for _ in range(80))
    connection.request("POST", "/v1/tokenise/digits", pieces, HEADERS, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")


def test_a_refused_body_that_never_ends_is_given_up(service: Running) -> None:
    answer, seconds = raw(service.port, post(b"", length(5_000_000)), b"x" * 1_000)
    assert problem(answer) == (413, "too_large")
    assert seconds < 4


def test_expectations_are_met_only_for_what_will_be_read(service: Running) -> None:
    body, expect = b'{"value":"123"}', b"Expect: 100-continue"
    answer, _ = raw(service.port, post(b"", length(len(body)), expect), body, pause=0.05)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    answer, _ = raw(service.port, post(b"", length(5_000_000), expect))
    assert problem(answer) == (413, "too_large")


def test_clients_that_vanish_leave_nothing(service: Running) -> None:
    for piece in (b"", b"POST /v1", post(b'{"val', length(15)), post(b"", length(15))):
        connection = socket.create_connection(("127.0.0.1", service.port), 10)
        connection.sendall(piece)
        connection.close()
    assert call(http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)).status == 200


# The end ------------------------------------------------------------------------------------


class Caller(threading.Thread):
    """Calls over one connection for as long as the server lets it, and counts."""

    def __init__(self, port: int, pause: float) -> None:
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.pause = pause
        self.answered = 0
        self.lost: list[BaseException] = []
        self.told = False

    def run(self) -> None:
        try:
            self.connection.connect()
            while not self.told:
                answer = call(self.connection, "123" if self.pause else "05")
                assert answer.status == 200
                assert answer.read()
                self.answered += 1
                self.told = answer.headers["Connection"] == "close"
                time.sleep(self.pause)
        except BaseException as error:  # noqa: BLE001 - a test of this very thing
            self.lost.append(error)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_loses_no_request(workers: int) -> None:
    with running({"workers": workers, "shutdown_timeout": 10.0}) as service:
        callers = [Caller(service.port, 0.0 if i % 2 else 0.2) for i in range(24)]
        for caller in callers:
            caller.start()
        deadline = time.monotonic() + 20
        while sum(caller.answered for caller in callers) < 300 and time.monotonic() < deadline:
            time.sleep(0.02)
        service.process.send_signal(signal.SIGTERM)
        assert service.wait() == 0
        for caller in callers:
            caller.join(10)
    assert sum(caller.answered for caller in callers) >= 300
    assert [caller.lost for caller in callers if caller.lost] == []
    assert all(caller.told for caller in callers)


class ReturningCaller(Caller):
    """Connects anew whenever it is told that an answer was the last, as clients do."""

    def run(self) -> None:
        try:
            while True:
                answer = call(self.connection)
                assert answer.status == 200
                answer.read()
                self.answered += 1
                if answer.headers["Connection"] == "close":
                    self.connection.close()
        except BaseException as error:  # noqa: BLE001 - a test of this very thing
            self.lost.append(error)


@pytest.mark.parametrize("workers", [1, 2])
def test_who_comes_back_while_the_service_ends_is_answered_or_finds_it_closed(
    workers: int,
) -> None:
    with running({"workers": workers, "shutdown_timeout": 10.0}) as service:
        callers = [ReturningCaller(service.port, 0.0) for _ in range(16)]
        for caller in callers:
            caller.start()
        deadline = time.monotonic() + 20
        while sum(caller.answered for caller in callers) < 300 and time.monotonic() < deadline:
            time.sleep(0.02)
        service.process.send_signal(signal.SIGTERM)
        assert service.wait() == 0
        for caller in callers:
            caller.join(10)
    assert {type(error) for caller in callers for error in caller.lost} == {ConnectionRefusedError}


def test_a_request_on_an_idle_connection_is_answered_while_the_service_ends() -> None:
    with running({"shutdown_timeout": 10.0}) as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
        call(connection).read()
        service.process.send_signal(signal.SIGTERM)
        while _accepts(service.port):
            time.sleep(0.02)
        answer = call(connection, "0300")
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        answer.read()
        began = time.monotonic()
        assert service.wait() == 0
        assert time.monotonic() - began < 2


def test_the_end_is_bounded_and_late_answers_are_problems() -> None:
    with running({"shutdown_timeout": 1.0}) as service:
        idle = socket.create_connection(("127.0.0.1", service.port), 10)
        half = socket.create_connection(("127.0.0.1", service.port), 10)
        half.sendall(b"GET /li")
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
        connection.request("POST", "/v1/tokenise/digits", b'{"value":"030000"}', HEADERS)
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (503, "overloaded")
        assert service.wait() == 0
        assert time.monotonic() - began < 4
        idle.close()
        half.close()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


# Addresses, workers, reloads ----------------------------------------------------------------


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_metrics_at_an_address_of_its_own() -> None:
    with running({"metrics_port": 0}) as service:
        assert service.metrics_port is not None
        assert _get(service.port, "/metrics")[0] == 404
        assert _get(service.metrics_port, "/metrics")[0] == 200
        assert _get(service.metrics_port, "/livez")[0] == 404
        assert _get(service.port, "/livez")[0] == 200


def test_sighup_reloads_or_leaves_all_as_it_was(tmp_path: Path) -> None:
    rejected = tmp_path / "rejected"
    with running(environment={REJECTED: str(rejected)}, capture=True) as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)

        def development() -> str | None:
            answer = call(connection)
            answer.read()
            return answer.headers["Jeton-Development"]

        rejected.touch()
        service.process.send_signal(signal.SIGHUP)
        service.said(b"not reloaded: this configuration is rejected")
        assert development() is None
        rejected.unlink()
        service.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while development() is None:
            assert time.monotonic() < deadline


def _pids(port: int) -> set[int]:
    """Workers that answered just now. Who takes a connection is the kernel's choice: a worker
    that serves may be missing from any one sample."""
    return {int(_get(port, "/metrics")[1].split()[1]) for _ in range(40)}


def _both(port: int, other_than: Collection[int] = ()) -> set[int]:
    """Two workers, none of these."""
    seen: set[int] = set()
    deadline = time.monotonic() + 30
    while len(seen) < 2:
        assert time.monotonic() < deadline
        seen |= _pids(port).difference(other_than)
    assert len(seen) == 2
    return seen


def test_workers_that_die_are_replaced() -> None:
    with running({"workers": 2}) as service:
        before = _both(service.port)
        assert service.process.pid not in before
        victim, survivor = before
        os.kill(victim, signal.SIGKILL)
        assert survivor in _both(service.port, other_than={victim})
        service.process.send_signal(signal.SIGINT)
        assert service.wait() == 0


class NewCaller(Caller):
    """Calls, each over a connection of its own, until it is told to stop."""

    def run(self) -> None:
        try:
            while not self.told:
                answer = call(self.connection)
                assert answer.status == 200
                answer.read()
                self.answered += 1
                self.connection.close()
        except BaseException as error:  # noqa: BLE001 - a test of this very thing
            self.lost.append(error)


def test_sighup_replaces_workers_without_a_failed_request(tmp_path: Path) -> None:
    rejected = tmp_path / "rejected"
    with running({"workers": 2}, {REJECTED: str(rejected)}, capture=True) as service:
        before = _both(service.port)
        rejected.touch()
        service.process.send_signal(signal.SIGHUP)
        service.said(b"not reloaded: this configuration is rejected")
        assert _pids(service.port) <= before
        rejected.unlink()
        keeping = [Caller(service.port, 0.05) for _ in range(4)]
        renewing = [NewCaller(service.port, 0.0) for _ in range(4)]
        for caller in (*keeping, *renewing):
            caller.start()
        service.process.send_signal(signal.SIGHUP)
        for caller in keeping:  # each was told by the old worker that it was the last answer
            caller.join(30)
        _both(service.port, other_than=before)
        for caller in renewing:
            caller.told = True
            caller.join(30)
        callers = (*keeping, *renewing)
        assert [caller.lost for caller in callers if caller.lost] == []
        assert all(caller.told and caller.answered for caller in callers)
        assert not _pids(service.port) & before


def test_workers_end_when_their_parent_is_gone() -> None:
    with running({"workers": 2}) as service:
        assert _pids(service.port)
        service.process.kill()
        service.wait()
        deadline = time.monotonic() + 10
        while _accepts(service.port):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_addresses_that_cannot_be_had() -> None:
    (taken,) = bind("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]
    with closing(taken):
        with pytest.raises(SetUpError, match=f"127.0.0.1, port {port}: something listens"):
            bind("127.0.0.1", port)
        with pytest.raises(SetUpError, match="no such address"):
            bind("192.0.2.1", 0)
        with pytest.raises(SetUpError, match="no address of that name"):
            bind("no-such-host.invalid", 0)
