"""A witness over HTTP: who is let in, what is taken, and what a caller believes of the answers."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from tests.support.certificates import Authority
from tests.support.records import SEED, checkpoint_lines
from vault.audit.checkpoint import Checkpoints, line_hash, public_key_pem
from vault.audit.group import Tail
from vault.witness import client as client_module
from vault.witness import logs, server
from vault.witness.client import Disbelieved, Known, WitnessAway, WitnessClient
from vault.witness.cosignature import PREFIX, is_by, key_id, log_of, read, sign, spell
from vault.witness.logs import Witness
from vault.witness.server import OverTcp, OverUnix, handler

KEY = Ed25519PrivateKey.from_private_bytes(SEED)
LOG = log_of(KEY.public_key(), "record")


class Serving:
    def __init__(self, witness: Witness, credential: str, made: Any, url: str) -> None:
        self.witness, self.credential, self.server, self.url = witness, credential, made, url
        self.told: list[str] = []

    def client(self, **changed: Any) -> WitnessClient:
        said = {"url": self.url, "key": self.witness.public_key, "credential": self.credential}
        return WitnessClient(**said | changed)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_address[1])
        with closing(connection):
            sent = {"Authorization": f"Bearer {self.credential}"} | headers
            connection.request(method, path, body, sent)
            return connection.getresponse().status


@contextmanager
def serving(folder: Path, kind: str = "tcp", clock: Any = time.time) -> Iterator[Serving]:
    folder.mkdir(exist_ok=True)
    credential = logs.make(folder / "witness")
    (folder / "public.pem").write_bytes(public_key_pem(KEY.public_key()))
    logs.trust(folder / "witness", folder / "public.pem")
    witness, told = Witness(folder / "witness", clock), list[str]()
    answers = handler(witness, told.append)
    made: Any
    if kind == "unix":
        made, url = OverUnix(folder / "s", answers), f"unix:{folder / 's'}"
    else:
        tls = None
        if kind == "tls":
            pair = Authority.create(folder).issue("witness")
            pair.put(folder / "w.crt", folder / "w.key")
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(folder / "w.crt", folder / "w.key")
        made = OverTcp("127.0.0.1", 0, answers, tls and (lambda: tls))
        url = f"{'https' if tls else 'http'}://127.0.0.1:{made.server_address[1]}"
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    one = Serving(witness, credential, made, url)
    one.told = told
    try:
        yield one
    finally:
        made.shutdown()
        thread.join()
        made.server_close()
        witness.close()


@pytest.fixture
def over(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path / "here") as one:
        yield one


def signed(folder: Path, count: int) -> list[bytes]:
    checkpoints = Checkpoints(folder, SEED)
    for number in range(count):
        checkpoints.write({"w0": Tail(number, "a" * 64)}, time.time(), epoch="e", generation=1)
    return checkpoint_lines(folder)


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
def test_checkpoints_go_and_come_back(tmp_path: Path, kind: str) -> None:
    lines = signed(tmp_path / "r", 3)
    with serving(tmp_path / "w", kind) as one:
        client = one.client(ca=tmp_path / "w" / "authority.pem" if kind == "tls" else None)
        assert client.lines(LOG) == []
        assert client.add(LOG, 0, lines[:2]).number == 2
        with pytest.raises(Known) as caught:
            client.add(LOG, 0, lines)
        assert (caught.value.end.number, caught.value.end.hash) == (2, line_hash(lines[1]))
        assert client.add(LOG, 2, lines[2:]).hash == line_hash(lines[2])
        assert client.lines(LOG) == lines
        assert client.names(key_id(KEY.public_key())) == ["record"]
        if kind == "unix":
            assert (tmp_path / "w" / "s").stat().st_mode & 0o777 == 0o660
        if kind == "tls":
            with pytest.raises(WitnessAway, match="cannot be reached"):
                one.client().lines(LOG)  # the system's authorities know nothing of ours


def test_what_is_refused_is_told_to_its_operator(over: Serving, tmp_path: Path) -> None:
    with pytest.raises(Disbelieved):
        over.client().add(LOG, 0, signed(tmp_path / "r", 2)[1:])
    assert over.told == [f"{LOG}: refused: the checkpoint after 0 does not follow it"]


def test_without_the_credential_nothing_is_answered(over: Serving) -> None:
    for wrong in ("Bearer x", "Basic x", over.credential, "Bearer é", ""):
        assert over.ask("GET", PREFIX + LOG, Authorization=wrong) == 401
    with pytest.raises(WitnessAway, match="401"):
        over.client(credential="another").add(LOG, 0, ())


def test_who_probes_it_needs_no_credential(over: Serving) -> None:
    assert over.ask("GET", "/livez", Authorization="") == 200
    assert over.ask("POST", "/livez", Authorization="") == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (PREFIX + LOG, b"", 400),
        (PREFIX + LOG, b"new 0\n", 400),
        (PREFIX + LOG, b"old -1\n", 400),
        (PREFIX + LOG, b"old " + b"9" * 19, 400),
        (PREFIX + LOG, b"old 0\nno checkpoint\n", 422),
        (PREFIX + LOG, b"old 7\n", 409),
        (f"{PREFIX}{LOG}/..", b"old 0\n", 404),
        (f"{PREFIX}../{LOG}", b"old 0\n", 404),
        (f"{PREFIX}{'0' * 16}/record", b"old 0\n", 404),
        ("/", b"old 0\n", 404),
    ],
)
def test_whatever_is_sent_is_answered(over: Serving, path: str, body: bytes, status: int) -> None:
    assert over.ask("POST", path, body) == status
    assert over.client().add(LOG, 0, ()).number == 0


def test_a_body_that_is_too_long_is_not_read(over: Serving) -> None:
    assert over.ask("POST", PREFIX + LOG, **{"Content-Length": str(10**9)}) == 413
    assert over.ask("POST", PREFIX + LOG, **{"Content-Length": "x"}) == 413


def test_silent_callers_take_no_room_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 0.3)
    with serving(tmp_path / "w") as one:
        silent = [socket.create_connection(one.server.server_address) for _ in range(40)]
        deadline = time.monotonic() + 20
        while True:
            try:
                assert one.client().add(LOG, 0, ()).number == 0
                break
            except WitnessAway:
                assert time.monotonic() < deadline
        for each in silent:
            each.close()


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_callers_who_send_a_byte_at_a_time_take_no_room_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 0.4)
    with serving(tmp_path / "w", kind) as one:
        address = one.server.server_address
        trust = (
            ssl.create_default_context(cafile=tmp_path / "w" / "authority.pem")
            if kind == "tls"
            else None
        )
        slow: Any = socket.create_connection(address)
        if trust is not None:
            slow = trust.wrap_socket(slow, server_hostname="127.0.0.1")
        began = time.monotonic()
        with closing(slow), suppress(OSError):  # until it is broken off
            slow.sendall(b"POST / HTTP/1.1\r\nX-Slow: ")
            while time.monotonic() < began + 20:
                slow.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() < began + 10


def test_whoever_has_shown_the_credential_may_be_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 2.0)
    body = b"old 0\n"
    with (
        serving(tmp_path / "w") as one,
        closing(socket.create_connection(one.server.server_address)) as slow,
    ):
        head = f"POST {PREFIX}{LOG} HTTP/1.1\r\nAuthorization: Bearer {one.credential}\r\n"
        slow.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
        for byte in body:
            time.sleep(0.5)
            slow.sendall(bytes([byte]))
        assert b" 200 " in slow.makefile("rb").readline()


def test_answers_of_others_and_old_ones_are_not_believed(tmp_path: Path) -> None:
    with serving(tmp_path / "now") as one:
        other = Ed25519PrivateKey.generate().public_key()
        for ask in (
            lambda c: c.add(LOG, 0, ()),
            lambda c: c.lines(LOG),
            lambda c: c.add(LOG, 9, ()),
        ):
            with pytest.raises(WitnessAway, match="not signed by its key"):
                ask(one.client(key=other))
        assert one.client(key=None).lines(LOG) == []
    long_ago = time.time() - client_module.SKEW_SECONDS - 5
    with (
        serving(tmp_path / "then", clock=lambda: long_ago) as one,
        pytest.raises(WitnessAway, match="an old one"),
    ):
        one.client().lines(LOG)


def test_a_cosignature_is_of_one_log_number_hash_and_time() -> None:
    public = KEY.public_key()
    good = sign(KEY, LOG, 7, "ab" * 32, 1_800_000_000.9)
    assert read(spell(good)) == good
    assert is_by(public, LOG, good)
    assert not is_by(public, LOG + "x", good)
    for changed in (
        {"number": 8}, {"hash": "cd" * 32}, {"time": good.time + 1}, {"signature": "00" * 64},
        {"signature": "x"}, {"signature": ""},
    ):  # fmt: skip
        assert not is_by(public, LOG, replace(good, **changed))
    for text in (b"", b"{}", b"[" * 10_000, spell(good)[:-1], spell(good).replace(b"7", b'"7"')):
        assert read(text) is None


@pytest.mark.parametrize("start", [b"", b"HTTP/1.0 200 OK\r\nContent-Length: 999\r\n\r\n{"])
def test_a_witness_that_answers_a_byte_at_a_time_is_away(
    monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    """It kept a thread of the service's, the witness's lock, and the process from ending."""
    monkeypatch.setattr(client_module, "SECONDS", 0.3)
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(start)
            while not over.wait(0.05):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(WitnessAway):
            WitnessClient(url, KEY.public_key(), "x").add(LOG, 0, ())
        assert time.monotonic() < began + 10
        over.set()
        thread.join()
