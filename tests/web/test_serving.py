"""The server as a process: its addresses and workers, and an end that loses nothing."""

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

from tests.support.small_http import BOUNDS, HEADERS, call
from tests.support.small_service import REJECTED, Running, running
from vault.errors import SetUpError
from vault.web.addresses import bind

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running(BOUNDS) as started:
        yield started


def test_answers_come_over_http(service: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    answer = call(connection)
    assert (answer.status, json.loads(answer.read())) == (200, {"token": "9876"})
    assert answer.headers["Date"]
    assert "Server" not in answer.headers
    connection.request("HEAD", "/livez")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")


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
    with running({"shutdown_timeout": 60.0}) as service:
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
        assert time.monotonic() - began < 12, "it waits for nobody"


def test_the_end_is_bounded_and_late_answers_are_problems() -> None:
    with running({"shutdown_timeout": 3.0}) as service:
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
        assert time.monotonic() - began < 12, "the call alone takes half a minute"
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
