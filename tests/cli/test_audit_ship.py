"""The record arrives at real receivers: whole, over breaks, refusals, kills and restarts."""

import json
import os
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest

from tests.support.certificates import Authority, Pair
from tests.support.ports import free_port
from tests.support.records import fill
from tests.support.service import JETON, Service
from tests.support.siem import SyslogServer, server_context
from tests.telemetry.test_metrics import parsed, value
from vault.audit.shipping import BATCH
from vault.audit.writer import RecordWriter
from vault.cli.audit_ship import LAST_SECONDS

pytestmark = pytest.mark.system


class Collector(HTTPServer):
    """Answers each POST with the next of `answers`, then 200."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.answers: list[int] = []
        self.events: list[dict[str, Any]] = []
        self.heads: list[dict[str, str]] = []
        self.slow = 0.0

    def handle_error(self, *_: object) -> None: ...


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heads.append(dict(self.headers.items()))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200:
            self.server.events += map(json.loads, body.splitlines())
        time.sleep(self.server.slow)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path)


@pytest.fixture
def context(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    return server_context(authority.issue("siem"), tmp_path)


@pytest.fixture
def collector(context: ssl.SSLContext) -> Iterator[Collector]:
    made = Collector(context)
    Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Not started: its record is written by the tests."""
    made = Service.create(tmp_path)
    (made.folder / "audit").mkdir(exist_ok=True)
    return made


def write(service: Service, groups: int) -> int:
    writer = RecordWriter.claim(service.folder / "audit")
    try:
        fill(writer, groups, 50)
        return writer.tail.sequence
    finally:
        writer.close()


def command(service: Service, to: str, authority: Authority, *more: str) -> list[str]:
    cursor = str(service.folder / "siem")
    config = ("--config", str(service.config))
    return [
        *(*JETON, "audit", "ship", *config, "--to", to),
        *("--cursor", cursor, "--ca", str(authority.path), *more),
    ]


def ship(service: Service, to: str, authority: Authority, **environment: str) -> str:
    done = subprocess.run(
        command(service, to, authority, "--once"),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def numbers(events: Sequence[dict[str, Any]]) -> list[int]:
    return [event["metadata"]["sequence"] for event in events]


def test_over_syslog_on_tls(
    service: Service, authority: Authority, context: ssl.SSLContext
) -> None:
    last = write(service, 12)
    with SyslogServer(context) as server:
        to = f"syslog+tls://127.0.0.1:{server.port}"
        ship(service, to, authority)
        assert numbers(server.events) == list(range(1, last + 1))
        priority, at, _, program, *_ = server.messages[0][0].split(" ")
        assert (priority, program) == ("<110>1", "jeton")
        assert at == server.events[0]["metadata"]["original_time"]
        ship(service, to, authority)
        assert len(server.messages) == last  # nothing twice, where nothing broke
        more = write(service, 1)
        ship(service, to, authority)
        assert numbers(server.events) == list(range(1, more + 1))


def test_a_syslog_server_that_hangs_up_gets_it_again(
    service: Service, authority: Authority, context: ssl.SSLContext
) -> None:
    last = write(service, 4)
    with SyslogServer(context, breaks=1) as server:
        said = ship(service, f"syslog+tls://127.0.0.1:{server.port}", authority)
        assert "Not confirmed" in said
        assert numbers(server.events) == list(range(1, last + 1))


def test_over_http_with_a_credential_and_refusals(
    service: Service, authority: Authority, collector: Collector
) -> None:
    last = write(service, 12)
    collector.answers = [200, 503]
    to = f"https://127.0.0.1:{collector.server_port}/events?of=jeton"
    said = ship(service, to, authority, JETON_SIEM_TOKEN="a-token-of-tests")
    assert "it answered 503" in said
    assert "a-token-of-tests" not in said
    assert numbers(collector.events) == list(range(1, last + 1))
    assert collector.heads[0]["Authorization"] == "Bearer a-token-of-tests"
    assert collector.heads[0]["Content-Type"] == "application/x-ndjson"


def test_a_stranger_is_sent_nothing(service: Service, tmp_path: Path, collector: Collector) -> None:
    write(service, 1)
    other = tmp_path / "other"
    other.mkdir()
    url = f"https://127.0.0.1:{collector.server_port}/"
    arguments = command(service, url, Authority.create(other))
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "Not confirmed" in process.stderr.readline()
        process.kill()
    assert collector.heads == []


def test_killed_at_any_time_nothing_is_lost(
    service: Service, authority: Authority, collector: Collector
) -> None:
    collector.slow = 0.05
    last, chance = write(service, 6 * BATCH // 50), Random(9)
    to = f"https://127.0.0.1:{collector.server_port}/"
    for _ in range(6):
        process = subprocess.Popen(command(service, to, authority))
        before = len(collector.heads)
        deadline = time.monotonic() + 20
        while len(collector.heads) == before and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.12)
        process.send_signal(signal.SIGKILL)
        process.wait()
        last = write(service, 2)
    ship(service, to, authority)
    seen = numbers(collector.events)
    assert set(seen) == set(range(1, last + 1))
    first = dict.fromkeys(seen)
    assert list(first) == sorted(first)


def test_a_running_one_follows_a_service(
    service: Service, authority: Authority, context: ssl.SSLContext
) -> None:
    grants = ["tokenise:fr-nir", "detokenise:fr-nir:care"]
    credential = service.add_client("desk", grants)
    service.start()
    try:
        with SyslogServer(context) as server:
            arguments = command(service, f"syslog+tls://127.0.0.1:{server.port}", authority)
            with subprocess.Popen(arguments) as process:
                try:
                    value = {"value": "284057512345672"}
                    token = service.post("tokenise/fr-nir", value, credential).body["token"]
                    body = {"token": token}
                    reply = service.post("detokenise/fr-nir", body, credential, "care")
                    number = reply.headers["Jeton-Receipt"].split(".")[1]
                    uid = f"w0.{number}"
                    deadline = time.monotonic() + 20
                    while uid not in {event["metadata"]["uid"] for event in server.events}:
                        assert time.monotonic() < deadline
                        assert server.came.acquire(timeout=20)
                finally:
                    process.kill()
            text = json.dumps(server.events)
            assert token not in text
            assert "284057512345672" not in text
    finally:
        service.stop()


def test_two_do_not_move_one_cursor(
    service: Service, authority: Authority, collector: Collector
) -> None:
    write(service, 1)
    collector.answers = [503] * 10
    to = f"https://127.0.0.1:{collector.server_port}/"
    with subprocess.Popen(
        command(service, to, authority), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        second = subprocess.run(
            command(service, to, authority, "--once"),
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        process.kill()
    assert second.returncode == 2
    assert "another" in second.stderr


def test_it_shows_how_far_it_is_and_ends_when_told_to(
    service: Service, authority: Authority, collector: Collector
) -> None:
    """Started first, as beside a service that never ran: the record comes later."""
    (service.folder / "audit").rmdir()
    to, port = f"https://127.0.0.1:{collector.server_port}/", free_port()
    arguments = command(service, to, authority, "--metrics-port", str(port))
    collector.answers = [503]

    def shown(name: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return value(parsed(answer.read()), name) or 0.0

    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert "no record" in process.stderr.readline()
            assert shown("ship_until_seconds") == 0
            began, last = time.time(), write(service, 3)
            assert "it answered 503" in process.stderr.readline()
            deadline = time.monotonic() + 20
            while shown("ship_until_seconds") < began:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert (shown("ship_events_total"), shown("ship_failures_total")) == (last, 1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_what_was_written_last_is_sent_before_it_ends(
    service: Service, authority: Authority, collector: Collector
) -> None:
    """It is told to end after the service: a pod that is scaled away may not come back."""
    write(service, 1)
    to = f"https://127.0.0.1:{collector.server_port}/"
    with subprocess.Popen(command(service, to, authority)) as process:
        try:
            deadline = time.monotonic() + 20
            while not (service.folder / "siem").exists():  # it moves once all is confirmed
                assert time.monotonic() < deadline
                time.sleep(0.01)
            last = write(service, 2 * BATCH // 50)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
    assert list(dict.fromkeys(numbers(collector.events))) == list(range(1, last + 1))


@pytest.mark.parametrize("answers", [[503] * 9, None])
def test_no_receiver_keeps_it_from_its_end(
    service: Service, authority: Authority, collector: Collector, answers: list[int] | None
) -> None:
    write(service, 1)
    collector.answers, collector.slow = answers or [], 0 if answers else LAST_SECONDS + 3
    to = f"https://127.0.0.1:{collector.server_port}/"
    with subprocess.Popen(command(service, to, authority)) as process:
        try:
            deadline = time.monotonic() + 20
            while not collector.heads:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            assert process.wait(LAST_SECONDS + 5) == 0
        finally:
            process.kill()
    assert not (service.folder / "siem").exists()


def test_certificates_are_renewed_while_it_runs(
    service: Service,
    authority: Authority,
    collector: Collector,
    context: ssl.SSLContext,
    tmp_path: Path,
) -> None:
    """The one to be known by, and whom the receiver's is from; a SIGHUP ends nothing."""
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.path)
    (tmp_path / "other").mkdir()
    other, trusted = Authority.create(tmp_path / "other"), tmp_path / "trusted.pem"
    trusted.write_bytes(other.path.read_bytes())
    (tmp_path / "client.pem").write_bytes(both(other.issue("shipper")))
    write(service, 1)
    to = f"https://127.0.0.1:{collector.server_port}/"
    arguments = command(service, to, authority, "--certificate", str(tmp_path / "client.pem"))
    arguments[arguments.index("--ca") + 1] = str(trusted)
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert "Not confirmed" in process.stderr.readline()
            process.send_signal(signal.SIGHUP)
            (tmp_path / "client.pem").write_bytes(both(authority.issue("shipper")))
            trusted.write_bytes(authority.path.read_bytes())
            deadline = time.monotonic() + 20
            while len(collector.events) < 50:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert process.poll() is None
        finally:
            process.kill()


def both(pair: Pair) -> bytes:
    return pair.certificate + pair.key


@pytest.mark.parametrize("port", ["0", "99999", "none"])
def test_an_address_that_is_none_is_wrong_usage(service: Service, port: str) -> None:
    done = started(service, f"https://127.0.0.1:{port}/")
    assert (done.returncode, "an address such as" in done.stderr) == (2, True)


def test_a_token_may_end_its_line_and_has_but_one(
    service: Service, authority: Authority, collector: Collector
) -> None:
    write(service, 1)
    to = f"https://127.0.0.1:{collector.server_port}/"
    ship(service, to, authority, JETON_SIEM_TOKEN="a-token-of-tests\n")
    assert collector.heads[0]["Authorization"] == "Bearer a-token-of-tests"
    done = started(service, to, JETON_SIEM_TOKEN="a-token\nof-tests")
    assert (done.returncode, "one line" in done.stderr) == (2, True)
    assert "of-tests" not in done.stderr


def started(service: Service, to: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    config, cursor = str(service.config), str(service.folder / "siem")
    return subprocess.run(
        [*JETON, "audit", "ship", "--once", "--config", config, "--to", to, "--cursor", cursor],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )
