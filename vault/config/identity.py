"""The settings' shape: who is believed to say who calls, and for whom."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]
"""Asymmetric ones alone: who can verify such a token cannot make one."""


class Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose JSON Web Tokens are believed."""

    iss: str
    """As its tokens say it, to the letter."""
    audiences: tuple[str, ...]
    """A token is for one of these."""
    keys: str
    """Its JWKS: `file:PATH`, or an https:// address (http:// on this machine only)."""
    algorithms: tuple[Algorithm, ...]
    keys_ca: Path | None = None
    """PEM: who signs the address's certificate. None: the system's authorities."""
    keys_bearer: Path | None = None
    """What to ask the address with: a file with a credential, read at each fetch. None: nothing."""
    keys_refresh: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300.0
    """Seconds between two fetches."""
    keys_cooldown: Annotated[float, msgspec.Meta(ge=0.1, le=3_600)] = 10.0
    """Seconds from a fetch until an unknown `kid` may cause another."""
    keys_keep: Annotated[float, msgspec.Meta(ge=1, le=604_800)] = 86_400.0
    """Seconds that fetched keys are believed while no others can be had."""
    skew: Annotated[float, msgspec.Meta(ge=0, le=300)] = 30.0
    """Seconds that its clock may differ from ours."""
    max_lifetime: Annotated[float, msgspec.Meta(gt=0, le=31_622_400)] = 86_400.0
    """Seconds from `iat` to `exp`: a token made for longer is none."""


class Certificates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose client certificates are believed."""

    ca: Path
    """PEM: the authorities, and those between them and the callers."""
    crl: Path | None = None
    """PEM: a list of each authority that signs callers. None: nothing is ever revoked."""
    forwarded_header: str | None = None
    """Where a proxy that ends TLS passes the caller's certificate on. None: nowhere."""
    forwarded_as: Literal["envoy", "pem"] = "envoy"
    """`envoy`: x-forwarded-client-cert with `Cert`. `pem`: PEM, URL-encoded, as nginx does."""
    forwarded_from: tuple[str, ...] = ()
    """The networks of these proxies; from anywhere else the header is refused. `unix`: who calls
    over the Unix socket."""


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issuers: dict[str, Issuer] = {}
    certificates: Certificates | None = None


class TokenOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client's tokens: those of an issuer about a subject."""

    issuer: str
    sub: str
    claims: dict[str, str] = {}
    """Others that the token has to have, with these texts."""


class CertificateOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client's certificates: exactly one of both."""

    uri: str | None = None
    """The one URI among its alternative names, such as a SPIFFE id."""
    subject: str | None = None
    """As RFC 4514 writes it: `CN=billing,O=Example`."""
