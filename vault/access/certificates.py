"""Client certificates: who signed this one, is it still good, and whose is it?

One judge for all of them, whether a connection showed it or a listed proxy passed it on. What
OpenSSL found at the handshake is not relied on: a connection outlives a list of revocations.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from vault.access.rejected import Rejected

REMEMBERED: Final = 1_024
DEEPEST: Final = 4
"""Certificates between an authority and a caller."""


class BadAuthorities(Exception):
    """The files of authorities or revocations are none; says why."""


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """A good certificate."""

    names: frozenset[tuple[str, str]]
    """Its one URI, and its subject: as clients are configured by."""
    digest: str
    """The first 8 hex digits of its hash."""


@dataclass(frozen=True, slots=True, repr=False)
class _Judged:
    shown: Shown
    serial: int
    issuer: x509.Name
    first: datetime
    last: datetime


class Authorities:
    """Whose certificates are believed, and which of them no longer."""

    def __init__(self, bundle: bytes, revoked: bytes | None = None) -> None:
        """PEM texts. Raises BadAuthorities."""
        try:
            known = x509.load_pem_x509_certificates(bundle)
        except (ValueError, x509.InvalidVersion):
            raise BadAuthorities("ca: it holds no PEM certificates") from None
        roots = [one for one in known if one.subject == one.issuer]
        if not roots:
            raise BadAuthorities("ca: it holds no certificate that is signed by itself")
        self._store = Store(roots)
        self._between = [one for one in known if one.subject != one.issuer]
        self._lists = None if revoked is None else _lists(revoked, known)
        self._judged: OrderedDict[bytes, _Judged] = OrderedDict()

    def judge(self, leaf: bytes, chain: Sequence[bytes], now: datetime) -> Shown:
        """Of DER texts: what `leaf` shows, with `chain` between it and an authority.

        Raises Rejected with ``certificate_malformed``, ``_authority``, ``_expired``, ``_early``,
        ``_revoked``, or ``_list`` where no list of revocations says anything of it today.
        """
        digest = hashlib.sha256(leaf).digest()
        known = self._judged.get(digest)
        if known is None:
            known = self._judge(leaf, chain, digest, now)
            self._judged[digest] = known
            if len(self._judged) > REMEMBERED:
                self._judged.popitem(last=False)
        _check_dates(known.first, known.last, now)
        self._check_lists(known, now)
        return known.shown

    def _judge(self, leaf: bytes, chain: Sequence[bytes], digest: bytes, now: datetime) -> _Judged:
        try:
            certificate = x509.load_der_x509_certificate(leaf)
            between = [x509.load_der_x509_certificate(one) for one in chain[:DEEPEST]]
            shown = Shown(_names(certificate), digest.hex()[:8])
        except Exception:  # noqa: BLE001 - what the parser raises is no closed list
            raise Rejected("certificate_malformed") from None
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        _check_dates(first, last, now)
        builder = PolicyBuilder().store(self._store).time(now).max_chain_depth(DEEPEST)
        builder = builder.extension_policies(ca_policy=_AUTHORITY, ee_policy=_CALLER)
        try:
            path = builder.build_client_verifier().verify(certificate, [*between, *self._between])
        except (VerificationError, ValueError):
            raise Rejected("certificate_authority") from None
        # What it was verified by may end before it does.
        last = min(one.not_valid_after_utc for one in path.chain)
        return _Judged(shown, certificate.serial_number, certificate.issuer, first, last)

    def _check_lists(self, known: _Judged, now: datetime) -> None:
        if self._lists is None:
            return
        current = [one for one in self._lists if one.issuer == known.issuer and one.holds(now)]
        if not current:
            raise Rejected("certificate_list")
        if any(known.serial in one.serials for one in current):
            raise Rejected("certificate_revoked")


@dataclass(frozen=True, slots=True)
class _List:
    issuer: x509.Name
    serials: frozenset[int]
    until: datetime | None

    def holds(self, now: datetime) -> bool:
        return self.until is None or now < self.until


def _lists(text: bytes, known: Sequence[x509.Certificate]) -> list[_List]:
    """Of PEM lists, each signed by an authority of the bundle."""
    end = b"-----END X509 CRL-----"
    pieces = [piece + end for piece in text.split(end)[:-1]]
    found: list[_List] = []
    for piece in pieces:
        try:
            one = x509.load_pem_x509_crl(piece)
            signed = any(_signed(one, by) for by in known if by.subject == one.issuer)
        except (ValueError, UnsupportedAlgorithm):
            raise BadAuthorities("crl: it holds no PEM lists of revocations") from None
        if not signed:
            raise BadAuthorities("crl: a list is not signed by an authority of ca")
        serials = frozenset(revoked.serial_number for revoked in one)
        found.append(_List(one.issuer, serials, one.next_update_utc))
    if not found:
        raise BadAuthorities("crl: it holds no PEM lists of revocations")
    return found


def _signed(one: x509.CertificateRevocationList, by: x509.Certificate) -> bool:
    try:
        return one.is_signature_valid(by.public_key())  # type: ignore[arg-type]
    except (InvalidSignature, TypeError, UnsupportedAlgorithm):
        return False


def _check_dates(first: datetime, last: datetime, now: datetime) -> None:
    if now > last:
        raise Rejected("certificate_expired")
    if now < first:
        raise Rejected("certificate_early")


def _names(certificate: x509.Certificate) -> frozenset[tuple[str, str]]:
    names = {("subject", certificate.subject.rfc4514_string())}
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset(names)
    uris = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) == 1:  # a SPIFFE id is the only one
        names.add(("uri", uris[0]))
    return frozenset(names)


def _for_clients(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    """Not one that was made for a server alone."""
    if usage is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("not for clients")


def _no_authority(_: Policy, __: x509.Certificate, limits: x509.BasicConstraints | None) -> None:
    """Who signs others does not call."""
    if limits is not None and limits.ca:
        raise ValueError("an authority")


# Some leave out names of the web's kind: these say who by their subject.
_CALLER: Final = (
    ExtensionPolicy.permit_all()
    .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _for_clients)
    .may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, _no_authority)
    .may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
)
_AUTHORITY: Final = ExtensionPolicy.webpki_defaults_ca()
