"""What a client is told: by arguments, else by the environment; and files that may change.

A credential in a file is read again when the file changes, so that a rotated secret is in use
with the next call; Kubernetes swaps a symbolic link, which changes what is behind the path.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jeton.endpoints import Endpoint, endpoints
from jeton.errors import UsageError
from jeton.protocol import visible

TIMEOUT_SECONDS = 10.0
LONGEST_TIMEOUT_SECONDS = 300.0
"""Half of the ten minutes for which a request id is known as one that was charged."""
MOST_TRIES = 10
"""Below the sixteen repetitions of a request id that cost nothing."""


class Credential:
    """The ``Authorization`` header of each request, or None where a certificate stands for it."""

    def __init__(self, secret: str | None, file: Path | None = None) -> None:
        self._file = file
        self._stamp: tuple[int, ...] = ()
        self._header = None if secret is None else _bearer(secret)
        if file is not None and self._renewed() is None:
            raise UsageError("the credential file cannot be read, or is empty")

    def header(self) -> str | None:
        return self._header if self._file is None else self._renewed()

    def _renewed(self) -> str | None:
        """What the file says now; what it said last while it cannot be read."""
        assert self._file is not None
        try:
            seen = self._file.stat()
            stamp = (seen.st_mtime_ns, seen.st_ino, seen.st_dev, seen.st_size)
            if stamp != self._stamp:
                secret = self._file.read_text("utf-8").strip()
                if secret:
                    self._header, self._stamp = _bearer(secret), stamp
        except (OSError, ValueError):
            pass  # a file half written, or a secret that no header can carry
        return self._header


def _bearer(secret: str) -> str:
    return f"Bearer {visible(secret.strip(), 'the credential')}"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that both clients have to know."""

    endpoints: tuple[Endpoint, ...]
    credential: Credential = field(repr=False)
    purpose: str | None
    timeout: float
    tries: int
    coalesce: bool
    tls: ssl.SSLContext | None
    """What https is spoken with; None where there is no https."""

    @property
    def shown(self) -> str:
        return ", ".join(map(str, self.endpoints))


def settings(
    url: str | None,
    credential: str | None,
    *,
    credential_file: str | os.PathLike[str] | None = None,
    purpose: str | None = None,
    timeout: float | None = None,
    tries: int = 5,
    coalesce: bool = True,
    ca_file: str | os.PathLike[str] | None = None,
    client_certificate: str | os.PathLike[str] | None = None,
    client_key: str | os.PathLike[str] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Arguments win over the environment. Raises UsageError, without repeating a secret."""
    places = endpoints(url if url is not None else environment.get("JETON_URL", ""))
    ca_file = ca_file or environment.get("JETON_CA_FILE")
    certificate = client_certificate or environment.get("JETON_CLIENT_CERTIFICATE")
    key = client_key or environment.get("JETON_CLIENT_KEY")
    if ssl_context is not None and (ca_file or certificate or key):
        raise UsageError("an ssl_context holds authorities and certificates itself")
    tls = None
    if any(place.scheme == "https" for place in places):
        tls = ssl_context or _tls(ca_file, certificate, key)
    if credential is None and credential_file is None:
        credential = environment.get("JETON_CREDENTIAL") or None
        credential_file = environment.get("JETON_CREDENTIAL_FILE") or None
    if not 1 <= tries <= MOST_TRIES:
        raise UsageError(f"tries must be 1 to {MOST_TRIES}")
    return Settings(
        places,
        _credential(credential, credential_file, optional=tls is not None and certificate),
        purpose if purpose is not None else environment.get("JETON_PURPOSE") or None,
        _timeout(timeout if timeout is not None else environment.get("JETON_TIMEOUT")),
        tries,
        coalesce,
        tls,
    )


def _credential(
    secret: str | None, file: str | os.PathLike[str] | None, *, optional: object
) -> Credential:
    if secret is not None and file is not None:
        raise UsageError("a credential comes from the text or from the file: give one of them")
    if secret is None and file is None and not optional:
        raise UsageError("say who: pass `credential` or set JETON_CREDENTIAL")
    return Credential(secret, None if file is None else Path(file))


def _timeout(given: float | str | None) -> float:
    try:
        seconds = TIMEOUT_SECONDS if given is None else float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_TIMEOUT_SECONDS:
        raise UsageError(f"a timeout is more than 0 and at most {LONGEST_TIMEOUT_SECONDS:g} s")
    return seconds


def _tls(
    ca_file: str | os.PathLike[str] | None,
    certificate: str | os.PathLike[str] | None,
    key: str | os.PathLike[str] | None,
) -> ssl.SSLContext:
    if key and not certificate:
        raise UsageError("a client key without its certificate")
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if certificate:
            context.load_cert_chain(certificate, key)
    except (OSError, ValueError):  # an SSLError is an OSError
        context = None
    if context is None:
        raise UsageError("the authority's or the client's certificate or key cannot be read")
    return context
