"""JSON Web Tokens of configured issuers: is this one good, here and now?

Everything a token says of how to verify it is a wish: the algorithm has to be one that the
configuration names, and the key one of the issuer's own, which `kid` may only choose among.
`jku`, `x5u`, `jwk` and `x5c` are not looked at.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, deserialize_compact

from vault.access.keyring import LONGEST_KID, Keyring
from vault.access.rejected import KeyUnknown, Rejected
from vault.config import Issuer

LONGEST: Final = 8_192
REMEMBERED: Final = 4_096
"""Verified tokens: each costs a digest then, instead of a verification."""
TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt", "application/jwt"})
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SUBJECT: Final = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """What a good token says. `issuer` is its name in the configuration."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]
    digest: str
    """The first 8 hex digits of its hash."""


@dataclass(frozen=True, slots=True, repr=False)
class _Verified:
    token: Token
    version: int
    first: float
    last: float


class Tokens:
    """All issuers of a configuration."""

    def __init__(self, issuers: Mapping[str, Issuer], keyrings: Mapping[str, Keyring]) -> None:
        self._issuers = {one.iss: (name, one, keyrings[name]) for name, one in issuers.items()}
        self._keyrings = keyrings
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    def verify(self, text: str, now: float) -> Token:
        """What `text` says, at `now` in seconds since 1970.

        Raises Rejected with ``token_malformed``, ``_issuer``, ``_algorithm``, ``_key`` (as
        KeyUnknown), ``_signature``, ``_expired``, ``_early``, ``_lifetime``, ``_audience`` or
        ``_subject``.
        """
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is not None and self._still(known, now):
            return known.token
        self._verified.pop(digest, None)
        fresh = self._verify(text, digest, now)
        self._verified[digest] = fresh
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return fresh.token

    def _still(self, known: _Verified, now: float) -> bool:
        keyring = self._keyrings[known.token.issuer]
        return (
            known.first <= now < known.last
            and keyring.version == known.version
            and keyring.is_good(now)
        )

    def _verify(self, text: str, digest: bytes, now: float) -> _Verified:
        header, claims = _parts(text)
        iss = claims.get("iss")
        name, issuer, keyring = self._issuers.get(iss if isinstance(iss, str) else "", _NOBODY)
        if issuer is None or keyring is None:
            raise Rejected("token_issuer")
        algorithm, kid = _asked(header, issuer)
        key = keyring.find(kid, algorithm, now)
        if key is None:
            raise KeyUnknown(name)
        try:
            deserialize_compact(text, key, registry=JWSRegistry(algorithms=[algorithm]))
        except (JoseError, ValueError, TypeError):
            raise Rejected("token_signature") from None
        first, last = _times(claims, issuer, now)
        if not _audiences(claims).intersection(issuer.audiences):
            raise Rejected("token_audience")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise Rejected("token_subject")
        token = Token(name, subject, claims, digest.hex()[:8])
        return _Verified(token, keyring.version, first, last)


_NOBODY: Final[tuple[str, Issuer | None, Keyring | None]] = ("", None, None)


def is_token(text: str) -> bool:
    """Whether it has the form of one, signed or (which is never believed) encrypted."""
    return text.count(".") in (2, 4)


def issued_to(token: Token) -> str | None:
    """Whom it was given to, and nobody else: `azp`, or `client_id` (RFC 9068), or the one audience
    where it has neither."""
    for name in ("azp", "client_id"):
        if name in token.claims:
            party = token.claims[name]
            return party if isinstance(party, str) else None
    audiences = _audiences(token.claims)
    return next(iter(audiences)) if len(audiences) == 1 else None


def _parts(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, of which nothing is believed yet."""
    if len(text) > LONGEST or not _FORM.fullmatch(text):
        raise Rejected("token_malformed")
    read = [_decoded(part) for part in text.split(".")]
    try:
        header, claims = (msgspec.json.decode(part) for part in read[:2])
        for part in read[:2]:
            json.loads(part, object_pairs_hook=_once)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Rejected("token_malformed") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Rejected("token_malformed")
    return header, claims


def _once(members: list[tuple[str, Any]]) -> None:
    """Of two with one name others may read the first, where the last is read here."""
    if len({name for name, _ in members}) < len(members):
        raise ValueError


def _decoded(part: str) -> bytes:
    """Base64url with one spelling a text: bits that nobody reads have to be zero."""
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Rejected("token_malformed") from None
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise Rejected("token_malformed")
    return raw


def _asked(header: Mapping[str, Any], issuer: Issuer) -> tuple[str, str | None]:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
        raise Rejected("token_algorithm")
    if not isinstance(kind, str) or kind.lower() not in TYPES or "crit" in header:
        raise Rejected("token_malformed")
    if "b64" in header or not (kid is None or (isinstance(kid, str) and len(kid) <= LONGEST_KID)):
        raise Rejected("token_malformed")
    return algorithm, kid


def _times(claims: Mapping[str, Any], issuer: Issuer, now: float) -> tuple[float, float]:
    """From when until when it is good."""
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    begins = max(issued, _time(claims, "nbf")) if "nbf" in claims else issued
    if expires - issued > issuer.max_lifetime or expires <= issued:
        raise Rejected("token_lifetime")
    first, last = begins - issuer.skew, expires + issuer.skew
    if now >= last:
        raise Rejected("token_expired")
    if now < first:
        raise Rejected("token_early")
    return first, last


def _time(claims: Mapping[str, Any], name: str) -> float:
    said = claims.get(name)
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < 2**53:
        raise Rejected("token_malformed")
    return float(said)


def _audiences(claims: Mapping[str, Any]) -> frozenset[str]:
    said = claims.get("aud")
    if isinstance(said, str):
        return frozenset({said})
    if isinstance(said, list) and all(isinstance(one, str) for one in said):
        return frozenset(said)
    return frozenset()
