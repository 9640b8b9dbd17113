"""Certificates from files: what is refused, and that a renewal holds for new handshakes only."""

import pickle
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.certificates import Authority, Pair
from vault.config import Server
from vault.errors import SetUpError
from vault.web.tls import Certificate, Encryption


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def settings(tmp_path: Path) -> Server:
    return Server(tls_certificate=tmp_path / "tls.crt", tls_key=tmp_path / "tls.key")


def put(pair: Pair, settings: Server, mode: int = 0o600) -> Pair:
    assert settings.tls_certificate is not None
    assert settings.tls_key is not None
    return pair.put(settings.tls_certificate, settings.tls_key, mode)


def complaint(settings: Server) -> str:
    with pytest.raises(SetUpError) as caught:
        Certificate.of(settings)
    assert "PRIVATE" not in str(caught.value)
    return str(caught.value)


class Peers:
    """A server and a client that shake hands in memory."""

    def __init__(self, serving: ssl.SSLContext, client: ssl.SSLContext, name: str | None) -> None:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = serving.wrap_bio(to_server, to_client, server_side=True)
        self.client = client.wrap_bio(to_client, to_server, server_hostname=name)
        self.shake()

    def shake(self) -> None:
        waiting = [self.client, self.server]
        for _ in range(10):
            for peer in list(waiting):
                try:
                    peer.do_handshake()
                    waiting.remove(peer)
                except ssl.SSLWantReadError:
                    pass
        assert not waiting

    def serial(self) -> int:
        shown = self.client.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number


def trusting(authority: Authority, *, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = authority.trusting()
    context.check_hostname = False
    if version is not None:
        context.maximum_version = version
    return context


def test_nothing_said_is_plain_http() -> None:
    assert Certificate.of(Server()) is None


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", None])
def test_a_pair_is_served_with(authority: Authority, settings: Server, name: str | None) -> None:
    pair = put(authority.issue("first"), settings)
    certificate = Certificate.of(settings)
    assert certificate is not None
    peers = Peers(Encryption(certificate).context, trusting(authority), name)
    assert peers.serial() == pair.serial
    assert peers.client.version() == "TLSv1.3"


@pytest.mark.parametrize("name", ["localhost", None])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_renewal_holds_for_new_handshakes(
    authority: Authority, name: str | None, version: ssl.TLSVersion
) -> None:
    """Of another kind of key too: what was loaded first would be offered beside it for ever."""
    first, second = authority.issue("first", is_rsa=True), authority.issue("second")
    encryption = Encryption(Certificate(first.certificate, first.key))
    client = trusting(authority, version=version)
    before = Peers(encryption.context, client, name)
    encryption.renew(Certificate(second.certificate, second.key))
    assert Peers(encryption.context, client, name).serial() == second.serial
    before.client.write(b"still here")
    assert before.server.read() == b"still here"
    assert before.serial() == first.serial
    encryption.renew(Certificate(first.certificate, first.key))
    assert Peers(encryption.context, client, name).serial() == first.serial


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"])
def test_old_versions_and_ciphers_are_refused(authority: Authority, cipher: str) -> None:
    pair = authority.issue("first")
    serving = Certificate(pair.certificate, pair.key).context
    weak = trusting(authority, version=ssl.TLSVersion.TLSv1_2)
    weak.set_ciphers(cipher)
    with pytest.raises(ssl.SSLError):
        Peers(serving, weak, "localhost")
    assert serving.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_worker_gets_the_bytes_that_were_judged(authority: Authority, settings: Server) -> None:
    pair = put(authority.issue("first"), settings)
    judged = Certificate.of(settings)
    assert judged is not None
    put(authority.issue("second"), settings)
    given = pickle.loads(pickle.dumps(judged))
    assert Peers(given.context, trusting(authority), None).serial() == pair.serial
    assert repr(given) == "<Certificate>"


class TestRefusals:
    def test_files_that_are_not_there(self, authority: Authority, settings: Server) -> None:
        assert "server.tls_certificate" in complaint(settings)
        pair = put(authority.issue("first"), settings)
        assert settings.tls_key is not None
        settings.tls_key.unlink()
        assert "server.tls_key" in (said := complaint(settings))
        assert "No such file" in said
        assert pair.key.decode() not in said

    def test_a_key_that_everybody_can_read(self, authority: Authority, settings: Server) -> None:
        put(authority.issue("first"), settings, mode=0o644)
        assert "chmod 600" in complaint(settings)
        put(authority.issue("first"), settings, mode=0o640)
        assert Certificate.of(settings) is not None

    def test_a_key_with_a_pass_phrase(self, authority: Authority, settings: Server) -> None:
        put(authority.issue("first", phrase=b"secret"), settings)
        assert "pass phrase" in complaint(settings)

    def test_a_pair_that_does_not_belong_together(
        self, authority: Authority, settings: Server
    ) -> None:
        first, second = authority.issue("first"), authority.issue("second")
        put(Pair(first.certificate, second.key, 0), settings)
        assert "do not belong together" in complaint(settings)

    @pytest.mark.parametrize("text", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nMA==\n"])
    def test_what_is_no_pem(self, authority: Authority, settings: Server, text: bytes) -> None:
        pair = authority.issue("first")
        put(Pair(text, pair.key, 0), settings)
        assert "no PEM certificate" in complaint(settings)
        put(Pair(pair.certificate, text, 0), settings)
        assert "no PEM private key" in complaint(settings)

    def test_a_key_in_the_certificates_place(self, authority: Authority, settings: Server) -> None:
        pair = authority.issue("first")
        put(Pair(pair.key, pair.certificate, 0), settings)
        assert "no PEM certificate" in complaint(settings)

    def test_what_is_far_too_large(self, authority: Authority, settings: Server) -> None:
        pair = authority.issue("first")
        put(Pair(pair.certificate * 5_000, pair.key, 0), settings)
        assert "too large" in complaint(settings)
