"""Listeners and upstreams of every kind: TLS, certificates on both sides, Unix sockets."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.callers import caller, showing
from tests.support.certificates import Authority, Pair, serial_of
from tests.support.ports import free_port
from tests.support.proxied import Answer, Edge
from tests.support.upstream import Reply, Seen, Upstream, echo, upstream

pytestmark = pytest.mark.system

NIR = "284057512345672"
URI = "spiffe://example/ns/care/agent-17"
SECTIONS = """
[proxy.listeners.tls]
port = {tls}
tls_certificate = "{folder}/server.crt"
tls_key = "{folder}/server.key"
[proxy.listeners.mutual]
port = {mutual}
tls_certificate = "{folder}/server.crt"
tls_key = "{folder}/server.key"
client_ca = "{folder}/authority.pem"
[proxy.listeners.socket]
host = ""
socket = "{folder}/edge.sock"

[proxy.upstreams.encrypted]
urls = ["https://localhost:{encrypted}"]
tls_ca = "{folder}/authority.pem"
[proxy.upstreams.believed-by-nobody]
urls = ["https://localhost:{encrypted}"]
tls_ca = "{folder}/other/authority.pem"
[proxy.upstreams.another-name]
urls = ["https://127.0.0.2:{encrypted}"]
tls_ca = "{folder}/authority.pem"
[proxy.upstreams.shown]
urls = ["https://localhost:{asking}"]
tls_ca = "{folder}/authority.pem"
tls_certificate = "{folder}/edge.crt"
tls_key = "{folder}/edge.key"
[proxy.upstreams.not-shown]
urls = ["https://localhost:{asking}"]
tls_ca = "{folder}/authority.pem"
"""
UPSTREAMS = ("encrypted", "believed-by-nobody", "another-name", "shown", "not-shown")
ROUTE = """
[proxy.routes.by-{name}]
listener = "{listener}"
upstream = "{upstream}"
path = "/{name}"
"""
REVEALING = """
[proxy.routes.revealing]
listener = "mutual"
upstream = "main"
client = "edge"
purpose = "care"
end_user = "certificate"
request = [{ select = "header:X-Nir", operation = "tokenise", transformation = "fr-nir" }]
response = [{ select = "header:X-Nir", operation = "detokenise", transformation = "fr-nir" }]
"""


@dataclass
class Place:
    """The proxy, what is behind it, and what its callers need."""

    edge: Edge
    folder: Path
    authority: Authority
    server: Pair
    behind: dict[str, Upstream]
    ports: dict[str, int]

    def ask(self, listener: str, tls: ssl.SSLContext, path: str, nir: str = "") -> Answer:
        connection = http.client.HTTPSConnection(
            "localhost", self.ports[listener], timeout=10, context=tls
        )
        try:
            connection.request("GET", path, headers={"X-Nir": nir} if nir else {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()


def _context(folder: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def place(running: Place) -> Place:
    for one in running.behind.values():
        one.answers = echo
    return running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    (folder / "other").mkdir()
    authority = Authority.create(folder)
    Authority.create(folder / "other")
    server = authority.issue("server").put(folder / "server.crt", folder / "server.key")
    caller(authority, "edge").put(folder / "edge.crt", folder / "edge.key")
    asking = _context(folder, authority.path)
    with upstream() as plain, upstream(_context(folder)) as one, upstream(asking) as other:
        ports = {"tls": free_port(), "mutual": free_port()}
        numbers = {**ports, "encrypted": one.port, "asking": other.port}
        routes = SECTIONS.format(folder=folder, **numbers)
        routes += "".join(
            ROUTE.format(name=name, listener=listener, upstream=upstream)
            for name, listener, upstream in [
                *((name, "main", name) for name in UPSTREAMS),
                *((name, name, "main") for name in ("tls", "mutual", "socket")),
            ]
        )
        edge = Edge.create(folder / "edge", plain.port, routes + REVEALING)
        with edge.running():
            behind = {"main": plain, "encrypted": one, "shown": other}
            yield Place(edge, folder, authority, server, behind, ports)


def test_a_listener_with_tls(place: Place) -> None:
    answer = place.ask("tls", place.authority.trusting(), "/tls")
    assert answer.status == 200
    seen = place.behind["main"].last
    assert seen.header("x-forwarded-proto") == ["https"]
    assert "proto=https" in seen.header("forwarded")[0]
    count = len(place.behind["main"].seen)
    with socket.create_connection(("127.0.0.1", place.ports["tls"]), 5) as plain:
        plain.sendall(b"GET /tls HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not plain.recv(100).startswith(b"HTTP/1.1 200")
    assert len(place.behind["main"].seen) == count
    with (
        socket.create_connection(("127.0.0.1", place.ports["tls"]), 5) as raw,
        place.authority.trusting().wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        assert serial_of(tls) == place.server.serial
        assert tls.version() == "TLSv1.3"


def test_a_listener_that_asks_for_certificates(place: Place) -> None:
    trust = place.authority.trusting
    known = showing(trust(), caller(place.authority, "agent-17"), place.folder)
    assert place.ask("mutual", known, "/mutual").status == 200
    seen = len(place.behind["main"].seen)
    stranger = Authority.create(place.folder / "other")
    for context in (
        trust(),
        showing(trust(), caller(stranger, "agent-17"), place.folder),
    ):
        with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
            place.ask("mutual", context, "/mutual")
    assert len(place.behind["main"].seen) == seen


def test_a_reload_takes_renewed_certificates_in(place: Place) -> None:
    folder, trust = place.folder, place.authority.trusting
    server = folder / "server.crt", folder / "server.key"
    known = showing(trust(), caller(place.authority, "agent-17"), folder)
    (folder / "renewed").mkdir()
    other = Authority.create(folder / "renewed")
    try:
        renewed = place.authority.issue("renewed").put(*server)
        place.authority.path.write_bytes(
            place.authority.path.read_bytes() + other.path.read_bytes()
        )
        assert place.edge.reloaded() == '"reloaded"'
        with (
            socket.create_connection(("127.0.0.1", place.ports["tls"]), 5) as raw,
            trust().wrap_socket(raw, server_hostname="localhost") as tls,
        ):
            assert serial_of(tls) == renewed.serial
        new = showing(trust(), caller(other, "agent-19"), folder)
        assert place.ask("mutual", new, "/mutual").status == 200
        server[1].write_bytes(place.server.key)  # it does not belong to the certificate
        assert place.edge.reloaded() == "reload-failed"
        assert place.ask("mutual", known, "/mutual").status == 200
    finally:
        place.server.put(*server)
        assert place.edge.reloaded() == '"reloaded"'


@pytest.mark.parametrize(
    ("name", "uris", "told"), [("agent-18", [], "agent-18"), ("another", [URI], URI)]
)
def test_an_end_user_from_a_certificate(
    name: str, uris: list[str], told: str, place: Place
) -> None:
    def turned(seen: Seen) -> Reply:
        return Reply(200, {"X-Nir": seen.header("x-nir")[0]})

    place.behind["main"].answers = turned
    pair = caller(place.authority, name, uris)
    context = showing(place.authority.trusting(), pair, place.folder)
    answer = place.ask("mutual", context, "/reveal", NIR)
    assert answer.header("x-nir") == [NIR]
    assert place.behind["main"].last.header("x-nir") != [NIR]
    record = "".join(
        path.read_text("utf-8") for path in (place.edge.service.folder / "audit").rglob("*.jsonl")
    )
    assert f'"{told}"' in record


def test_a_listener_at_a_unix_socket_alone(place: Place) -> None:
    path = place.folder / "edge.sock"
    assert path.stat().st_mode & 0o777 == 0o660
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200")
    seen = place.behind["main"].last
    assert seen.header("forwarded") == ['for=unknown;proto=http;host="a"']
    assert seen.header("x-forwarded-for") == ["unknown"]


@pytest.mark.parametrize("name", ["encrypted", "shown"])
def test_an_upstream_with_tls(name: str, place: Place) -> None:
    assert place.edge.ask("GET", f"/{name}").status == 200
    assert place.behind[name].last.target == f"/{name}"


@pytest.mark.parametrize("name", ["believed-by-nobody", "another-name", "not-shown"])
def test_an_upstream_that_is_not_the_right_one(name: str, place: Place) -> None:
    """Or that does not take us for it: nothing is sent to it."""
    seen = [len(one.seen) for one in place.behind.values()]
    answer = place.edge.ask("POST", f"/{name}", b"private")
    assert answer.status in {502, 503}
    assert json.loads(answer.body)["code"] in {"upstream_unavailable", "upstream_invalid"}
    assert [len(one.seen) for one in place.behind.values()] == seen
