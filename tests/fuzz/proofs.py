"""What proves a caller or an end user: tokens, key sets, certificates and the headers they come in.

The first byte says which. Whatever is believed has to be what the one good key has signed.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from tests.fuzz.quiet import assert_tells_nothing
from vault.access.certificates import Authorities
from vault.access.forwarded import Form, certificates
from vault.access.keyring import BadKeys, Keyring, Keys
from vault.access.rejected import Rejected
from vault.access.tokens import Tokens, issued_to
from vault.config import Issuer

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ISSUER = Issuer("https://issuer.example", ("jeton",), "file:x", ("Ed25519",))
URI = "spiffe://example/billing"
SIGNS = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
"""Keys that are always the same, so that a kept input stays a good one."""


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _jwks() -> bytes:
    raw = SIGNS.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key = {"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": _b64(raw)}
    return json.dumps({"keys": [key]}).encode()


def _tokens() -> Tokens:
    keyring = Keyring(ISSUER)
    keyring.put(_jwks(), NOW.timestamp())
    return Tokens({"people": ISSUER}, {"people": keyring})


_SIGNER = x509.KeyUsage(False, False, False, False, False, True, True, False, False)


def _certificate(name: str, uri: str | None, signed_by: int, number: int) -> bytes:
    """In DER: `number` is its key, `signed_by` its authority's."""
    own, by = (ec.derive_private_key(one, ec.SECP256R1()) for one in (number, signed_by))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(own.public_key())
        .serial_number(number)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    if uri is None:
        limits = x509.BasicConstraints(ca=True, path_length=0)
        key = x509.SubjectKeyIdentifier.from_public_key(own.public_key())
        builder = builder.add_extension(limits, True).add_extension(key, False)
        builder = builder.add_extension(_SIGNER, True)
    else:
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        builder = builder.add_extension(names, False).add_extension(signer, False)
    made = builder.sign(by, hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(Encoding.DER)


def _pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


CA = _certificate("authority", None, 1, 1)
GOOD, FORGED = _certificate("billing", URI, 1, 2), _certificate("billing", URI, 3, 2)
TOKENS, AUTHORITIES = _tokens(), Authorities(_pem(CA).encode())


def run(data: bytes) -> None:
    if data:
        KINDS[data[0] % len(KINDS)](data[1:])


def _text(data: bytes) -> None:
    """A token as it came."""
    _verified(data.decode("latin-1"))


def _signed(data: bytes) -> None:
    """A token whose header and claims, with a NUL between, the good key has signed."""
    header, _, claims = data.partition(b"\0")
    text = f"{_b64(header)}.{_b64(claims)}"
    _verified(f"{text}.{_b64(SIGNS.sign(text.encode()))}")


def _verified(text: str) -> None:
    try:
        token = TOKENS.verify(text, NOW.timestamp())
    except Rejected as rejected:
        assert_tells_nothing(rejected, text)
        assert rejected.cause.startswith("token_")
        return
    signed, _, signature = text.rpartition(".")
    SIGNS.public_key().verify(urlsafe_b64decode(signature + "=="), signed.encode())
    header, said = (json.loads(urlsafe_b64decode(part + "==")) for part in signed.split("."))
    assert header["alg"] == "Ed25519"
    assert not {"crit", "b64"}.intersection(header)
    assert (said["iss"], said["sub"]) == (ISSUER.iss, token.subject)
    assert "jeton" in said["aud"]
    now, skew = NOW.timestamp(), ISSUER.skew
    assert said["iat"] - skew <= now < said["exp"] + skew
    assert said.get("nbf", 0) - skew <= now
    party = issued_to(token)
    assert party is None or party in {said.get("azp"), said.get("client_id"), "jeton"}


def _keys(data: bytes) -> None:
    """A JWKS that somebody serves."""
    with suppress(BadKeys):
        keys = Keys(data, ISSUER.algorithms)
        for kid in (None, "k", ""):
            keys.find(kid, "Ed25519")
        assert keys.find("k", "ES256") is None


def _passed_on(form: Form) -> Callable[[bytes], None]:
    def passed_on(data: bytes) -> None:
        text = data.decode("latin-1")
        try:
            leaf, *chain = certificates(text, form)
        except Rejected as rejected:
            assert rejected.cause == "certificate_header"
            return
        _judged(leaf, chain)

    return passed_on


def _judged(leaf: bytes, chain: Sequence[bytes] = ()) -> None:
    try:
        shown = AUTHORITIES.judge(leaf, chain, NOW)
    except Rejected as rejected:
        assert rejected.cause.startswith("certificate_")
        return
    assert shown.names == {("uri", URI), ("subject", "CN=billing")}


KINDS: tuple[Callable[[bytes], None], ...] = (
    _text,
    _signed,
    _keys,
    _passed_on("pem"),
    _passed_on("envoy"),
    _judged,
)


def seeds() -> list[bytes]:
    now = int(NOW.timestamp())
    claims = {"iss": ISSUER.iss, "sub": "me", "aud": "jeton", "iat": now, "exp": now + 600}
    headers: list[dict[str, Any]] = [{"alg": "Ed25519", "kid": "k"}, {"alg": "none"}]
    headers += [{"alg": "Ed25519", "crit": ["exp"]}, {"alg": "Ed25519", "typ": "at+jwt"}]
    signed = [f"{json.dumps(header)}\0{json.dumps(claims)}".encode() for header in headers]
    more = claims | {"aud": ["jeton", "x"], "azp": "x", "nbf": now}
    signed.append(f"{json.dumps(headers[0])}\0{json.dumps(more)}".encode())
    text = ".".join(_b64(json.dumps(part).encode()) for part in (headers[0], claims))
    whole = f"{text}.{_b64(SIGNS.sign(text.encode()))}"
    assert TOKENS.verify(whole, now).subject == "me", "what is good is believed"
    assert AUTHORITIES.judge(GOOD, (), NOW).names
    sent = [quote(_pem(one), safe="") for one in (GOOD, FORGED)]
    envoy = [f'By=x;Hash=ab;Cert="{one}";Chain="{one}{quote(_pem(CA), safe="")}"' for one in sent]
    kinds: Sequence[Sequence[bytes]] = (
        [whole.encode(), f"{text}.".encode(), b"a.b.c"],
        signed,
        [_jwks(), b'{"keys": []}'],
        [one.encode() for one in sent],
        [one.encode() for one in (*envoy, f"{envoy[0]},{envoy[0]}")],
        [GOOD, FORGED, CA],
    )
    return [bytes([kind]) + one for kind, some in enumerate(kinds) for one in some]
