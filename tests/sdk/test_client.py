"""The synchronous transport, against a server that answers as it is told, or not at all."""

import json
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import jeton

NIR = "284057512345672"
CREDENTIAL = "jeton_intake_s3cret_abc"
Respond = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Stub:
    """A server on loopback, and what it was sent."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)


def send(
    content: object, status: int = 200, media_type: str = "application/json", cut: int = 0
) -> Respond:
    raw = json.dumps(content).encode()

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", media_type)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw[: len(raw) - cut])
        handler.close_connection = cut > 0

    return respond


@contextmanager
def serving(respond: Respond) -> Iterator[Stub]:
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            sent = json.loads(self.rfile.read(size)) if size else None
            stub.requests.append((self.path, dict(self.headers), sent))
            stub.connections.add(self.client_address)
            respond(self)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_call_carries_the_credential_the_purpose_and_the_prefix() -> None:
    with (
        serving(send({"value": NIR})) as stub,
        jeton.Client(f"{stub.url}/gateway/", CREDENTIAL, purpose="display") as client,
    ):
        assert client.detokenise("fr-nir", "9").reveal() == NIR
        client.detokenise("fr-nir", "9", purpose="reimbursement")
    path, headers, sent = stub.requests[0]
    assert path == "/gateway/v1/detokenise/fr-nir"
    assert sent == {"token": "9"}
    assert headers["Authorization"] == f"Bearer {CREDENTIAL}"
    assert headers["Jeton-Purpose"] == "display"
    assert stub.requests[1][1]["Jeton-Purpose"] == "reimbursement"
    assert headers["Jeton-Request-Id"] != stub.requests[1][1]["Jeton-Request-Id"]
    assert len(stub.connections) == 1  # kept open between calls


def test_tokenise_states_no_purpose() -> None:
    with serving(send({"token": "9"})) as stub, jeton.Client(stub.url, CREDENTIAL) as client:
        assert client.tokenise("fr-nir", NIR) == "9"
    assert "Jeton-Purpose" not in stub.requests[0][1]


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(send({"transformations": []})) as stub:
        monkeypatch.setenv("JETON_URL", stub.url)
        monkeypatch.setenv("JETON_CREDENTIAL", CREDENTIAL + "\n")
        with jeton.Client() as client:
            assert client.transformations() == []
    assert stub.requests[0][1]["Authorization"] == f"Bearer {CREDENTIAL}"
    monkeypatch.delenv("JETON_URL")
    with pytest.raises(jeton.UsageError, match="JETON_URL"):
        jeton.Client()


@pytest.mark.parametrize(
    ("url", "credential"),
    [
        ("127.0.0.1:8200", CREDENTIAL),
        ("ftp://127.0.0.1", CREDENTIAL),
        ("http://", CREDENTIAL),
        ("http://[::1", CREDENTIAL),
        (f"http://{CREDENTIAL}@127.0.0.1", CREDENTIAL),
        ("http://127.0.0.1/?a=b", CREDENTIAL),
        ("http://127.0.0.1", f"{CREDENTIAL}\r\nX-Evil: 1"),
        ("http://127.0.0.1", f"{CREDENTIAL} é"),
    ],
)
def test_a_wrong_setting_is_refused_without_repeating_it(url: str, credential: str) -> None:
    with pytest.raises(jeton.UsageError) as caught:
        jeton.Client(url, credential)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_nothing_of_a_client_shows_the_credential() -> None:
    with jeton.Client("http://127.0.0.1:8200", CREDENTIAL) as client:
        assert repr(client) == "Client(http://127.0.0.1:8200)"


def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with jeton.Client(url, CREDENTIAL) as client, pytest.raises(jeton.Unreachable) as caught:
        client.tokenise("fr-nir", NIR)
    assert caught.value.may_retry
    assert caught.value.request_id
    assert_silent(caught.value)


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def _echo_garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(f"{NIR} {CREDENTIAL}\r\n\r\n".encode())
    handler.close_connection = True


def _redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(307)
    handler.send_header("Location", "http://127.0.0.1:1/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize(
    ("respond", "kind"),
    [
        (_hang_up, jeton.NoAnswer),
        (_echo_garbage, jeton.NoAnswer),
        (send({"token": "9"}, cut=3), jeton.NoAnswer),
        (send({"token": "9"}, media_type="text/html"), jeton.NoAnswer),
        (send({"echo": [NIR, CREDENTIAL]}, 502, "application/json"), jeton.Unavailable),
        (_redirect, jeton.ServiceError),
    ],
)
def test_a_broken_answer_is_told_without_what_was_sent(
    respond: Respond, kind: type[jeton.JetonError]
) -> None:
    with serving(respond) as stub:
        with jeton.Client(stub.url, CREDENTIAL, tries=2) as client, pytest.raises(kind) as caught:
            client.tokenise("fr-nir", NIR)
        asked = {headers["Jeton-Request-Id"] for _, headers, _ in stub.requests}
        assert len(asked) == 1
        assert len(stub.requests) == (2 if caught.value.may_retry else 1)
    assert_silent(caught.value)


def test_a_service_that_does_not_answer_in_time_is_given_up() -> None:
    release = threading.Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        release.wait(30)
        _hang_up(handler)

    with serving(wait) as stub, jeton.Client(stub.url, CREDENTIAL, timeout=0.2) as client:
        with pytest.raises(jeton.NoAnswer) as caught:
            client.tokenise("fr-nir", NIR)
        release.set()
    assert_silent(caught.value)


def test_a_certificate_nobody_vouches_for_is_refused() -> None:
    with serving(send({"token": "9"})) as stub:
        url = stub.url.replace("http:", "https:")
        with jeton.Client(url, CREDENTIAL) as client, pytest.raises(jeton.JetonError) as caught:
            client.tokenise("fr-nir", NIR)
    assert isinstance(caught.value, jeton.Unreachable)
    assert stub.requests == []


def assert_silent(error: BaseException) -> None:
    """The whole chain of exceptions, attributes included, names neither value nor credential."""
    told = "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen is not None:
        told += repr(seen) + repr(seen.args) + repr(vars(seen))
        seen = seen.__cause__ or seen.__context__
    assert NIR not in told
    assert "s3cret" not in told
