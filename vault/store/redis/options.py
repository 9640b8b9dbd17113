"""What a link is told: `[store]` of the configuration, and the secrets that it points to."""

import os
import ssl
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from vault.errors import SetUpError
from vault.store.redis.address import Address

MAX_SECRET = 4_096


class StoreSettings(Protocol):
    """`vault.config.StoreSettings`, which says what each is for, as this room sees it."""

    @property
    def url(self) -> str: ...
    @property
    def timeout(self) -> float: ...
    @property
    def replicas(self) -> int: ...
    @property
    def accept(self) -> Sequence[str]: ...
    @property
    def password(self) -> str | None: ...
    @property
    def sentinel_username(self) -> str | None: ...
    @property
    def sentinel_password(self) -> str | None: ...
    @property
    def tls_ca(self) -> Path | None: ...
    @property
    def tls_certificate(self) -> Path | None: ...
    @property
    def tls_key(self) -> Path | None: ...


def secret_of(source: str | None, key: str) -> str | None:
    """What ``env:NAME`` or ``file:PATH`` holds. Raises SetUpError, which names `key`."""
    if source is None:
        return None
    kind, _, where = source.partition(":")
    text = os.environ.get(where) if kind == "env" else _from_file(where, key)
    if not text:
        raise SetUpError(f"{key}: the environment variable or file that it names is empty")
    return text


def _from_file(path: str, key: str) -> str:
    try:
        with Path(path).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_SECRET).decode()
    except (OSError, UnicodeDecodeError):
        raise SetUpError(f"{key}: the file that it names cannot be read") from None
    if stat.S_ISREG(mode) and mode & stat.S_IRWXO:
        raise SetUpError(f"{key}: the file is open to everybody: run `chmod 600` on it")
    return text.strip("\r\n")


def tls_of(settings: StoreSettings) -> Mapping[str, object]:
    """What redis-py's TLS connections take: the server's name is always checked."""
    certificate = {
        "ssl_ca_certs": settings.tls_ca,
        "ssl_certfile": settings.tls_certificate,
        "ssl_keyfile": settings.tls_key,
    }
    _try_files(settings)
    return {
        "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        "ssl_check_hostname": True,
        **{name: str(path) for name, path in certificate.items() if path is not None},
    }


def _try_files(settings: StoreSettings) -> None:
    """Say at start, and by its key, which file is no use: a connection would only say "TLS"."""
    context = ssl.create_default_context()
    try:
        if settings.tls_ca is not None:
            context.load_verify_locations(settings.tls_ca)
    except (OSError, ssl.SSLError):
        raise SetUpError("store.tls_ca: no readable PEM file of certificates") from None
    try:
        if settings.tls_certificate is not None:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key, password=_none)
    except (OSError, ssl.SSLError, ValueError):
        raise SetUpError(
            "store.tls_certificate and store.tls_key: no readable PEM files of a certificate and "
            "its key without a pass phrase"
        ) from None


def _none() -> str:
    """Instead of a pass phrase: OpenSSL would ask for one at the terminal."""
    return ""


def credentials_of(settings: StoreSettings, address: Address) -> Mapping[str, object]:
    """Of the Redis servers themselves."""
    return {
        "username": address.username,
        "password": secret_of(settings.password, "store.password"),
    }


def sentinel_credentials_of(settings: StoreSettings) -> Mapping[str, object]:
    return {
        "username": settings.sentinel_username,
        "password": secret_of(settings.sentinel_password, "store.sentinel_password"),
    }
