"""Both clients, against a server that answers as it is told, or not at all."""

import select
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

import jeton
from tests.support.certificates import Authority
from tests.support.stub import (
    KINDS,
    Respond,
    Stub,
    client_of,
    dead_url,
    drip,
    drip_body,
    echo_batches,
    hang_up,
    send,
    serving,
)

NIR = "284057512345672"
CREDENTIAL = "jeton_intake_s3cret_abc"
pytestmark = pytest.mark.parametrize("kind", KINDS)


def test_a_call_carries_the_credential_the_purpose_and_the_prefix(kind: str) -> None:
    with (
        serving(send({"value": NIR})) as stub,
        client_of(kind, f"{stub.url}/gateway/", CREDENTIAL, purpose="display") as client,
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


def test_tokenise_states_no_purpose(kind: str) -> None:
    with serving(send({"token": "9"})) as stub, client_of(kind, stub.url, CREDENTIAL) as client:
        assert client.tokenise("fr-nir", NIR) == "9"
    assert "Jeton-Purpose" not in stub.requests[0][1]


def test_settings_come_from_the_environment(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(send({"transformations": []})) as stub:
        monkeypatch.setenv("JETON_URL", stub.url)
        monkeypatch.setenv("JETON_CREDENTIAL", CREDENTIAL + "\n")
        with client_of(kind) as client:
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
def test_a_wrong_setting_is_refused_without_repeating_it(
    kind: str, url: str, credential: str
) -> None:
    with pytest.raises(jeton.UsageError) as caught:
        (jeton.AsyncClient if kind == "asyncio" else jeton.Client)(url, credential)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_nothing_of_a_client_shows_the_credential(kind: str) -> None:
    client = (jeton.AsyncClient if kind == "asyncio" else jeton.Client)(
        "http://127.0.0.1:8200 unix:/run/jeton.sock", CREDENTIAL
    )
    assert repr(client).endswith("Client(http://127.0.0.1:8200, unix:/run/jeton.sock)")
    assert "s3cret" not in repr(client._settings)


def test_nobody_listening_is_unreachable(kind: str) -> None:
    with (
        client_of(kind, dead_url(), CREDENTIAL, tries=2) as client,
        pytest.raises(jeton.Unreachable) as caught,
    ):
        client.tokenise("fr-nir", NIR)
    assert caught.value.may_retry
    assert caught.value.request_id
    assert_silent(caught.value)


def _echo_garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(f"{NIR} {CREDENTIAL}\r\n\r\n".encode())
    handler.close_connection = True


def _redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(307)
    handler.send_header("Location", "http://127.0.0.1:1/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize(
    ("respond", "expected"),
    [
        (hang_up, jeton.NoAnswer),
        (_echo_garbage, jeton.NoAnswer),
        (send({"token": "9"}, cut=3), jeton.NoAnswer),
        (send({"token": "9"}, media_type="text/html"), jeton.NoAnswer),
        (send({"echo": [NIR, CREDENTIAL]}, 502, "application/json"), jeton.Unavailable),
        (_redirect, jeton.ServiceError),
    ],
)
def test_a_broken_answer_is_told_without_what_was_sent(
    kind: str, respond: Respond, expected: type[jeton.JetonError]
) -> None:
    with serving(respond) as stub:
        with (
            client_of(kind, stub.url, CREDENTIAL, tries=2) as client,
            pytest.raises(expected) as caught,
        ):
            client.tokenise("fr-nir", NIR)
        asked = {headers["Jeton-Request-Id"] for _, headers, _ in stub.requests}
        assert len(asked) == 1
        assert len(stub.requests) == (2 if caught.value.may_retry else 1)
    assert_silent(caught.value)


@pytest.mark.parametrize("trouble", ["silent", "drip", "drip_body"])
def test_no_call_outlives_its_deadline(kind: str, trouble: str) -> None:
    release = threading.Event()

    def silent(handler: BaseHTTPRequestHandler) -> None:
        release.wait(30)
        hang_up(handler)

    responds = {"silent": silent, "drip": drip, "drip_body": drip_body}
    with (
        serving(responds[trouble]) as stub,
        client_of(kind, stub.url, CREDENTIAL, timeout=0.3) as client,
    ):
        began = time.monotonic()
        with pytest.raises(jeton.NoAnswer) as caught:
            client.tokenise("fr-nir", NIR)
        taken = time.monotonic() - began
        release.set()
    assert 0.25 < taken < 1.5  # the machine may be busy; dripping would take ten seconds
    assert_silent(caught.value)


def test_a_reader_that_is_slow_does_not_hold_a_call_up(kind: str) -> None:
    """More than any buffer holds, to a peer that reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with client_of(kind, url, CREDENTIAL, timeout=0.3) as client:
            began = time.monotonic()
            with pytest.raises((jeton.NoAnswer, jeton.Unreachable)):
                client.tokenise("fr-nir", "1" * 20_000_000)
            assert time.monotonic() - began < 3.0


def test_a_certificate_nobody_vouches_for_is_refused(kind: str) -> None:
    with serving(send({"token": "9"})) as stub:
        url = stub.url.replace("http:", "https:")
        with (
            client_of(kind, url, CREDENTIAL, timeout=2) as client,
            pytest.raises(jeton.JetonError) as caught,
        ):
            client.tokenise("fr-nir", NIR)
    assert isinstance(caught.value, jeton.Unreachable)
    assert stub.requests == []


def relay(peer: socket.socket, behind: socket.socket) -> None:
    """Until one of them closes."""
    with suppress(OSError):
        while True:
            for ready in select.select([peer, behind], [], [], 20)[0]:
                other = behind if ready is peer else peer
                if not (data := ready.recv(65_536)):
                    return
                other.sendall(data)


@contextmanager
def tls_in_front(stub: Stub, context: ssl.SSLContext) -> Iterator[str]:
    """A server with a certificate that speaks for the stub, one connection at a time."""
    listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except ssl.SSLError:
                continue
            except OSError:
                return
            port = int(stub.url.rpartition(":")[2])
            with peer, socket.create_connection(("127.0.0.1", port)) as behind:
                relay(peer, behind)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def test_a_private_authority_and_a_client_certificate(kind: str, tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    pair = [tmp_path / "tls.crt", tmp_path / "tls.key"]
    authority.issue("server").put(*pair)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.path)
    server.load_cert_chain(*pair)
    server.verify_mode = ssl.CERT_REQUIRED
    with serving(send({"token": "9"})) as stub, tls_in_front(stub, server) as url:
        files = {"ca_file": authority.path, "client_certificate": pair[0], "client_key": pair[1]}
        with client_of(kind, url, **files) as client:  # the certificate says who it is
            assert client.tokenise("fr-nir", NIR) == "9"
        assert "Authorization" not in stub.requests[0][1]
        with (
            client_of(kind, url, CREDENTIAL, timeout=1, tries=1) as client,
            pytest.raises((jeton.Unreachable, jeton.NoAnswer)) as caught,
        ):
            client.tokenise("fr-nir", NIR)
        assert_silent(caught.value)


def test_a_unix_socket(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "jeton.sock"
    with serving(send({"token": "9"})) as stub, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            port = int(stub.url.rpartition(":")[2])
            with peer, socket.create_connection(("127.0.0.1", port)) as behind:
                relay(peer, behind)

        thread = threading.Thread(target=serve)
        thread.start()
        with client_of(kind, f"unix:{path}", CREDENTIAL) as client:
            assert client.tokenise("fr-nir", NIR) == "9"
        thread.join(5)
        with (
            client_of(kind, f"unix:{tmp_path}/none", CREDENTIAL, tries=1) as client,
            pytest.raises(jeton.Unreachable),
        ):
            client.tokenise("fr-nir", NIR)


def test_no_proxy_of_the_environment_is_used(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, dead_url())
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(send({"token": "9"})) as stub, client_of(kind, stub.url, CREDENTIAL) as client:
        assert client.tokenise("fr-nir", NIR) == "9"


def test_the_raw_response_comes_along_where_it_is_asked_for(kind: str) -> None:
    with (
        serving(send({"token": "9"}, Jeton_Receipt="w0.1.ab")) as stub,
        client_of(kind, stub.url, CREDENTIAL) as client,
    ):
        inner = client.client if kind == "asyncio" else client
        raw = inner.with_raw_response.tokenise("fr-nir", NIR)
        if kind == "asyncio":
            raw = client._runner.run(raw)
        assert (raw.status, raw.result) == (200, "9")
        assert raw.headers["jeton-receipt"] == "w0.1.ab"
        assert isinstance(raw.result, jeton.Token)
        assert client.tokenise("fr-nir", NIR) == "9"


def test_a_hook_adds_headers_and_replaces_none(kind: str) -> None:
    trace = ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]

    def headers() -> dict[str, str]:
        ours = {"authorization": "other", "Jeton-Request-Id": "x", "Content-Length": "1"}
        return {"traceparent": trace[0], "transfer-encoding": "chunked", **ours}

    with (
        serving(send({"token": "9"})) as stub,
        client_of(kind, stub.url, CREDENTIAL, headers=headers) as client,
    ):
        client.tokenise("fr-nir", NIR)
        trace[0] = "one\r\nX-Evil: 1"
        with pytest.raises(jeton.UsageError):
            client.tokenise("fr-nir", NIR)
    ((_, sent, _),) = stub.requests
    assert sent["traceparent"].startswith("00-0af7")
    assert sent["Authorization"] == f"Bearer {CREDENTIAL}"
    assert len(sent["Jeton-Request-Id"]) == 36
    assert "Transfer-Encoding" not in {name.title() for name in sent}


def test_plain_text_comes_only_where_it_was_asked_for(kind: str) -> None:
    with (
        serving(send({"value": NIR})) as stub,
        client_of(kind, stub.url, CREDENTIAL, purpose="display") as client,
    ):
        assert client.detokenise("fr-nir", "9", reveal_as_str=True) == NIR
        assert client.detokenise("fr-nir", "9") == jeton.Sensitive(NIR)


def test_an_answer_to_another_request_is_not_taken(kind: str) -> None:
    respond = send({"token": "9"}, Jeton_Request_Id="0e2c2b0c-2f0a-4f5b-8e2e-0a8f1a7a3b11")
    with (
        serving(respond) as stub,
        client_of(kind, stub.url, CREDENTIAL, tries=1) as client,
        pytest.raises(jeton.NoAnswer, match="another request"),
    ):
        client.tokenise("fr-nir", NIR)


def test_bytes_that_nobody_asked_for_are_never_taken_for_an_answer(kind: str) -> None:
    """A second answer after the first: it must not become that of the next call. aiohttp takes
    it for one; the request id tells."""
    extra = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"

    def twice(handler: BaseHTTPRequestHandler) -> None:
        echo_batches(handler)
        handler.wfile.write(extra + b'{"token": "no"}')

    with serving(twice) as stub, client_of(kind, stub.url, CREDENTIAL) as client:
        for value in ("1", "2", "3"):
            assert client.tokenise("fr-nir", value) == f"{value}/"
            time.sleep(0.05)  # so that what is too much has arrived


def test_a_connection_closed_while_it_lay_idle_is_replaced(kind: str) -> None:
    """Over threads at no cost; an event loop that did not run in between sees it by a try."""

    def last(handler: BaseHTTPRequestHandler) -> None:
        echo_batches(handler)
        handler.close_connection = True

    tries = 1 if kind == "threads" else 2
    with serving(last) as stub, client_of(kind, stub.url, CREDENTIAL, tries=tries) as client:
        for value in ("1", "2", "3"):
            assert client.tokenise("fr-nir", value) == f"{value}/"
            time.sleep(0.05)


def assert_silent(error: BaseException) -> None:
    """The whole chain of exceptions, attributes included, names neither value nor credential."""
    told = "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen is not None:
        told += repr(seen) + repr(seen.args) + repr(vars(seen))
        seen = seen.__cause__ or seen.__context__
    assert NIR not in told
    assert "s3cret" not in told
