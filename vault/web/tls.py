"""TLS from two files, and a certificate that can be renewed while the service runs.

A pair is read once, judged, and kept as the bytes that were judged: worker processes are given
those and not the files, which may be half written by the time a worker is started anew.
"""

import os
import ssl
import stat
from functools import partial
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from vault.config import Server
from vault.errors import SetUpError

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secrecy and authenticated encryption. All of TLS 1.3 have both."""
MAX_FILE: Final = 1_048_576


class Certificate:
    """A certificate with its chain and its key, fit to serve with.

    `context` makes new connections. Pickled as the two texts that it was made of.
    """

    __slots__ = ("_chain", "_client_ca", "_crl", "_key", "_optional", "context")

    def __init__(
        self,
        chain: bytes,
        key: bytes,
        client_ca: bytes | None = None,
        crl: bytes | None = None,
        *,
        optional: bool = False,
    ) -> None:
        """PEM texts; with `client_ca` every caller has to show a certificate of its, or may
        (`optional`) show none; `crl` lists those revoked. Raises SetUpError where OpenSSL does
        not serve with them."""
        self._chain = chain
        self._key = key
        self._client_ca = client_ca
        self._crl = crl
        self._optional = optional
        self.context = _context(chain, key)
        if client_ca is not None:
            _ask_for_certificates(self.context, client_ca, crl, optional=optional)

    @classmethod
    def of(
        cls,
        settings: Server,
        client_ca: Path | None = None,
        crl: Path | None = None,
        *,
        optional: bool = False,
    ) -> "Certificate | None":
        """The one that the settings name. Raises SetUpError where it cannot be served with."""
        if settings.tls_certificate is None or settings.tls_key is None:
            return None
        # A fortieth of the memory of a service that needs none of it.
        from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415

        chain = _read(settings.tls_certificate, "certificate")
        key = _read(settings.tls_key, "key")
        authorities = None if client_ca is None else _read(client_ca, "client_ca")
        revoked = None if crl is None else _read(crl, "crl")
        try:
            load_pem_x509_certificates(chain)
        except ValueError:
            reason = "it is no PEM certificate"
            raise _bad("certificate", settings.tls_certificate, reason) from None
        try:
            load_pem_private_key(key, None)
        except TypeError:
            reason = "it has a pass phrase, and nobody is there to type it: store it without"
            raise _bad("key", settings.tls_key, reason) from None
        except (ValueError, UnsupportedAlgorithm):
            raise _bad("key", settings.tls_key, "it is no PEM private key") from None
        return cls(chain, key, authorities, revoked, optional=optional)

    def __reduce__(self) -> tuple[object, tuple[bytes, bytes, bytes | None, bytes | None]]:
        make = partial(Certificate, optional=self._optional)
        return make, (self._chain, self._key, self._client_ca, self._crl)

    def __repr__(self) -> str:
        return "<Certificate>"


class Encryption:
    """The TLS of a process: a handshake uses the certificate that is in force as it begins.

    What is already connected goes on as it is.
    """

    def __init__(self, certificate: Certificate) -> None:
        self.context = certificate.context
        """What to listen with, over all renewals."""
        self._in_force = certificate.context
        self.context.sni_callback = self._choose  # called with a name or without

    def renew(self, certificate: Certificate) -> None:
        """For all handshakes from now on."""
        self._in_force = certificate.context

    def _choose(self, tls: ssl.SSLObject, _: str | None, listening: ssl.SSLContext) -> None:
        if self._in_force is not listening:
            tls.context = self._in_force


def _read(path: Path, kind: str) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_FILE + 1)
    except OSError as error:
        reason = error.strerror or "input or output failed"
        raise _bad(kind, path, f"it cannot be read: {reason}") from None
    if len(text) > MAX_FILE:
        raise _bad(kind, path, f"it is too large to be a {kind}")
    if kind == "key" and stat.S_ISREG(mode) and mode & stat.S_IRWXO:
        raise _bad(kind, path, "it is open to everybody: run `chmod 600` on it")
    return text


def _bad(kind: str, path: Path, reason: str) -> SetUpError:
    return SetUpError(f"server.tls_{kind} ({path}) cannot be served with: {reason}")


def _context(chain: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0  # connections are kept, and none outlives a certificate by a ticket
    context.set_alpn_protocols(["http/1.1"])
    # OpenSSL only takes files: this one has no name and is gone with its descriptor.
    with os.fdopen(os.memfd_create("certificate"), "wb") as file:
        file.write(key + b"\n" + chain)
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=lambda: "")
        except ssl.SSLError as error:
            raise SetUpError(_why(error)) from None
        except OSError as error:
            raise SetUpError(f"TLS needs /proc: {error.strerror}") from None
    return context


def _ask_for_certificates(
    context: ssl.SSLContext, authorities: bytes, crl: bytes | None, *, optional: bool
) -> None:
    context.verify_mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise SetUpError("client_ca holds no PEM certificates") from None
    if crl is None:
        return
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    with os.fdopen(os.memfd_create("crl"), "wb") as file:  # lists are taken from files alone
        file.write(crl)
        file.flush()
        try:
            context.load_verify_locations(cafile=f"/proc/self/fd/{file.fileno()}")
        except ssl.SSLError:
            raise SetUpError("crl holds no PEM lists of revocations") from None


_CAUSES: Final = {3: "list", 9: "early", 10: "expired", 11: "list", 12: "list", 23: "revoked"}
"""By the numbers of OpenSSL's x509_vfy.h."""


def cause_of(error: ssl.SSLCertVerificationError) -> str:
    """Why a caller's certificate was refused, in the record's words."""
    return f"certificate_{_CAUSES.get(error.verify_code, 'authority')}"


def _why(error: ssl.SSLError) -> str:
    start = "server.tls_certificate and server.tls_key cannot be served with: "
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{start}they do not belong together"
    return f"{start}OpenSSL says {error.reason or 'no more'}"
