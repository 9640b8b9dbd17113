"""Certificates for tests: an authority of our own, and what it signs.

authority = Authority.create(tmp_path)
pair = authority.issue("first")               # for 127.0.0.1 and localhost
context = authority.trusting()                # what a client connects with
pair.put(certificate_path, key_path)          # as a renewal would
settings, context = encrypted(tmp_path)       # all of it, where nothing is renewed
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Pair:
    certificate: bytes
    key: bytes
    serial: int

    def put(self, certificate: Path, key: Path, mode: int = 0o600) -> "Pair":
        certificate.write_bytes(self.certificate)
        key.write_bytes(self.key)
        key.chmod(mode)
        return self


@dataclass(frozen=True)
class Authority:
    path: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, folder: Path) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder("an authority", "an authority", key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        path = folder / "authority.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return cls(path, certificate, key)

    def issue(
        self,
        name: str,
        *,
        is_rsa: bool = False,
        phrase: bytes | None = None,
        hosts: Sequence[str] = (),
    ) -> Pair:
        """A certificate for this machine's loopback addresses, and for `hosts`."""
        key: Key = (
            rsa.generate_private_key(65_537, 2_048)
            if is_rsa
            else ec.generate_private_key(ec.SECP256R1())
        )
        names = [_name(host) for host in ("localhost", "127.0.0.1", *hosts)]
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            _builder(name, "an authority", key)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(issuer, critical=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        how = BestAvailableEncryption(phrase) if phrase else NoEncryption()
        return Pair(
            certificate.public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how),
            certificate.serial_number,
        )

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.path)


def encrypted(folder: Path) -> tuple[dict[str, str], ssl.SSLContext]:
    """Settings of a server with a certificate, and what a client connects with."""
    authority = Authority.create(folder)
    certificate, key = folder / "tls.crt", folder / "tls.key"
    authority.issue("first").put(certificate, key)
    return {"tls_certificate": str(certificate), "tls_key": str(key)}, authority.trusting()


def serial_of(tls: ssl.SSLSocket) -> int:
    """Of the certificate that the peer showed."""
    shown = tls.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(subject: str, issuer: str, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
