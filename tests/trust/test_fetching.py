"""One look at an issuer's keys: over TLS, with a credential, and never for longer than is said."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority
from vault.config import Issuer
from vault.trust import fetching
from vault.trust.fetching import NotFetched, fetch

SLOW = 30.0


@contextmanager
def serving(answer: Any, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that answers by `answer(handler)`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}/keys?of=us"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def issuer(keys: str, **more: Any) -> Issuer:
    return Issuer("https://issuer.example", ("jeton",), keys, ("ES256",), **more)


def whole(handler: BaseHTTPRequestHandler) -> None:
    body = f"{handler.path} {handler.headers['Authorization']} {handler.headers['Host']}".encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def drip(start: bytes) -> Any:
    """Answers a byte at a time, and never to the end."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        end = time.monotonic() + SLOW
        with suppress(OSError):  # it was not waited for
            handler.wfile.write(start)
            while time.monotonic() < end:
                handler.wfile.write(b" ")
                time.sleep(0.05)

    return answer


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    Authority.create(tmp_path).issue("server").put(tmp_path / "s.crt", tmp_path / "s.key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "s.crt", tmp_path / "s.key")
    return context


def test_over_tls_with_a_credential(tmp_path: Path, tls: ssl.SSLContext) -> None:
    (tmp_path / "token").write_text("a-token\n")
    bearer, ca = tmp_path / "token", tmp_path / "authority.pem"
    with serving(whole, tls) as address:
        host = address.split("/")[2]
        found = fetch(issuer(address, keys_ca=ca, keys_bearer=bearer))
        assert found == f"/keys?of=us Bearer a-token {host}".encode()
        with pytest.raises(NotFetched, match="SSLCertVerificationError"):
            fetch(issuer(address, keys_bearer=bearer))


@pytest.mark.parametrize("start", [b"", b"HTTP/1.0 200 OK\r\nContent-Length: 9999\r\n\r\n"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_who_answers_a_byte_at_a_time_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tls: ssl.SSLContext,
    start: bytes,
    encrypted: bool,
) -> None:
    """It kept a thread of the loop's for as long as it liked, and the process from ending."""
    monkeypatch.setattr(fetching, "SECONDS", 0.4)
    began = time.monotonic()
    with serving(drip(start), tls if encrypted else None) as address:
        ca = tmp_path / "authority.pem" if encrypted else None
        with pytest.raises(NotFetched):
            fetch(issuer(address, keys_ca=ca))
    assert time.monotonic() - began < SLOW / 2


def test_who_never_shakes_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(NotFetched):
            fetch(issuer(address))
