"""Client certificates of any kind, and lists of those revoked, by an authority of the tests."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.certificates import Authority, Pair

DAY = timedelta(days=1)


def caller(
    authority: Authority,
    name: str = "billing",
    uris: Sequence[str] = (),
    *,
    since: timedelta = -DAY,
    until: timedelta = DAY,
    for_servers: bool = False,
) -> Pair:
    """A certificate that is good from `since` to `until`, from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    signed_by = authority.certificate.public_key()
    assert isinstance(signed_by, ec.EllipticCurvePublicKey)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if for_servers else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + since)
        .not_valid_after(now + until)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by), False)
    )
    if uris:
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = builder.sign(authority.key, hashes.SHA256())
    return Pair(
        made.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        made.serial_number,
    )


def revoking(authority: Authority, *revoked: Pair, until: timedelta = DAY) -> bytes:
    """A list of the authority's, in PEM."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - 2 * DAY)
        .next_update(now + until)
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial)
        builder = builder.add_revoked_certificate(entry.revocation_date(now - DAY).build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def showing(trust: ssl.SSLContext, pair: Pair, folder: Path) -> ssl.SSLContext:
    """`trust`, with a certificate to show."""
    certificate, key = folder / f"{pair.serial}.crt", folder / f"{pair.serial}.key"
    pair.put(certificate, key)
    trust.load_cert_chain(certificate, key)
    return trust


def der(pair: Pair) -> bytes:
    return x509.load_pem_x509_certificate(pair.certificate).public_bytes(Encoding.DER)


def as_nginx(pair: Pair) -> str:
    return quote(pair.certificate.decode(), safe="")


def as_envoy(pair: Pair, **more: str) -> str:
    fields = {"By": "spiffe://example/front", "Hash": "ab" * 32, "Cert": f'"{as_nginx(pair)}"'}
    return ";".join(f"{name}={value}" for name, value in (fields | more).items())
