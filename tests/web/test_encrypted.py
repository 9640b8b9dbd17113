"""The server over TLS and over a Unix socket: bounds, the end, and certificates renewed."""

import http.client
import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.calls import Place, calling
from tests.support.certificates import Authority, Pair, serial_of
from tests.support.door import CREDENTIAL
from tests.support.small_service import Running, running

pytestmark = pytest.mark.system

HEADERS = {"Authorization": f"Bearer {CREDENTIAL}", "Content-Type": "application/json"}


class House:
    """A folder with a certificate and a socket, and settings that name them."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.create(folder)
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.path = folder / "jeton.sock"
        self.pair = self.authority.issue("first")
        self.put(self.pair)

    def put(self, pair: Pair) -> Pair:
        return pair.put(self.certificate, self.key)

    def settings(self, **more: object) -> dict[str, object]:
        files = {"tls_certificate": self.certificate, "tls_key": self.key, "socket": self.path}
        return {name: str(path) for name, path in files.items()} | more

    def places(self, port: int) -> list[Place]:
        return [Place(port, tls=self.authority.trusting()), Place(path=self.path)]

    def serial(self, port: int) -> int:
        context = self.authority.trusting()
        with (
            closing(socket.create_connection(("127.0.0.1", port), 10)) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
        ):
            return serial_of(tls)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Running]]:
    house = House(tmp_path_factory.mktemp("house"))
    bounds = {"header_timeout": 0.6, "keep_alive_timeout": 0.6, "max_body": 4_000_000}
    with running(house.settings(**bounds)) as service:
        yield house, service


def call(connection: http.client.HTTPConnection, value: str = "123") -> http.client.HTTPResponse:
    connection.request("POST", "/v1/tokenise/digits", json.dumps({"value": value}), HEADERS)
    return connection.getresponse()


def test_both_answer_alike(shared: tuple[House, Running]) -> None:
    house, service = shared
    for place in house.places(service.port):
        with closing(place.connect()) as connection:
            for value, token in (("123", "9876"), ("45", "954")):
                answer = call(connection, value)
                assert (answer.status, json.loads(answer.read())) == (200, {"token": token})


def test_the_unix_socket_serves_more_than_metrics(shared: tuple[House, Running]) -> None:
    """Neither it nor a service without `metrics_port` has a port to compare."""
    house, _ = shared
    with closing(Place(path=house.path).connect()) as connection:
        connection.request("GET", "/livez")
        assert connection.getresponse().read()
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 200


def test_large_bodies_and_answers_go_through(shared: tuple[House, Running]) -> None:
    house, service = shared
    values = ["1" * 300] * 9_000
    for place in house.places(service.port):
        with closing(place.connect()) as connection:
            body = json.dumps({"values": values})
            connection.request("POST", "/v1/tokenise/digits", body, HEADERS)
            answer = connection.getresponse()
            assert answer.status == 200
            assert len(json.loads(answer.read())["tokens"]) == len(values)
            connection.request("POST", "/v1/tokenise/digits", body * 2, HEADERS)
            assert connection.getresponse().status == 413


def test_plain_http_is_not_served_where_tls_is(shared: tuple[House, Running]) -> None:
    _, service = shared
    refused = pytest.raises((http.client.HTTPException, OSError))
    with closing(Place(service.port).connect()) as connection, refused:
        call(connection)


def test_who_does_not_shake_hands_is_given_up(shared: tuple[House, Running]) -> None:
    _, service = shared
    began = time.monotonic()
    for sent in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
        with closing(socket.create_connection(("127.0.0.1", service.port), 10)) as silent:
            silent.sendall(sent)
            assert silent.recv(100) == b""
    assert time.monotonic() - began < 6


def test_an_idle_connection_is_closed(shared: tuple[House, Running]) -> None:
    house, service = shared
    for place in house.places(service.port):
        with closing(place.connect()) as connection:
            call(connection).read()
            began = time.monotonic()
            assert connection.sock.recv(100) == b""
            assert 0.3 < time.monotonic() - began < 5


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_loses_no_request(house: House, workers: int) -> None:
    settings = house.settings(workers=workers, shutdown_timeout=10.0)
    with running(settings) as service, calling(house.places(service.port), call) as callers:
        deadline = time.monotonic() + 30
        while sum(caller.answered for caller in callers) < 100 and time.monotonic() < deadline:
            time.sleep(0.02)
        for caller in callers:  # whoever renews its connection could not tell an end from a loss
            caller.stopped.set()
        service.process.send_signal(signal.SIGTERM)
        assert service.wait() == 0
        assert not house.path.exists()


def test_a_handshake_that_has_begun_is_ended_and_its_request_answered(house: House) -> None:
    with running(house.settings(shutdown_timeout=10.0)) as service:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = house.authority.trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        sock = socket.create_connection(("127.0.0.1", service.port), 10)
        with closing(sock):
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(100_000))
            service.process.send_signal(signal.SIGTERM)
            while _accepts(service.port):
                time.sleep(0.01)
            tls.do_handshake()
            tls.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(100_000))
            answer = tls.read(100_000)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer.lower()
        assert service.wait() == 0


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("workers", [1, 2])
def test_a_renewed_certificate_is_shown_to_new_connections(house: House, workers: int) -> None:
    with running(house.settings(workers=workers), capture=True) as service:
        assert house.serial(service.port) == house.pair.serial
        with closing(house.places(service.port)[0].connect()) as old:
            call(old).read()
            second = house.put(house.authority.issue("second", is_rsa=True))
            service.process.send_signal(signal.SIGHUP)
            service.said(b'"reloaded"')
            assert {house.serial(service.port) for _ in range(8)} == {second.serial}
            if workers == 1:
                assert call(old).status == 200
                assert serial_of(old.sock) == house.pair.serial


@pytest.mark.parametrize("workers", [1, 2])
def test_a_certificate_that_cannot_be_served_with_changes_nothing(
    house: House, workers: int
) -> None:
    other = house.authority.issue("other")
    with running(house.settings(workers=workers), capture=True) as service:
        for certificate, key, said in (
            (other.certificate, house.pair.key, b"do not belong together"),
            (b"", house.pair.key, b"no PEM certificate"),
            (other.certificate, other.key[:-40], b"no PEM private key"),
        ):
            house.put(Pair(certificate, key, 0))
            service.process.send_signal(signal.SIGHUP)
            service.said(said)
            assert {house.serial(service.port) for _ in range(4)} == {house.pair.serial}
        if workers == 2:  # and whoever dies meanwhile comes back as it was
            with closing(Place(path=house.path).connect()) as connection:
                connection.request("GET", "/metrics")
                os.kill(int(connection.getresponse().read().split()[1]), signal.SIGKILL)
            service.said(b'"serving", "host"')
            assert {house.serial(service.port) for _ in range(4)} == {house.pair.serial}
