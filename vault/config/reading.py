"""A TOML file and the environment -> `Settings`, or one error that lists all that is wrong."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from vault.config.checks import disagreements
from vault.config.identity import Identity
from vault.config.profiles import with_profiles
from vault.config.proxy import Proxy
from vault.config.settings import Settings
from vault.config.shape import Problem, misfits, nearest
from vault.config.witness import Witness
from vault.errors import SetUpError

PREFIX = "JETON__"
FROM_ENVIRONMENT = {
    "SERVER__HOST": "server.host",
    "SERVER__PORT": "server.port",
    "SERVER__SOCKET": "server.socket",
    "SERVER__TLS_CERTIFICATE": "server.tls_certificate",
    "SERVER__TLS_KEY": "server.tls_key",
    "SERVER__WORKERS": "server.workers",
    "SERVER__METRICS_HOST": "server.metrics_host",
    "SERVER__METRICS_PORT": "server.metrics_port",
    "KEYS__KEYSET": "keys.keyset",
    "KEYS__KEK": "keys.kek",
    "STORE__URL": "store.url",
    "STORE__PASSWORD": "store.password",
    "STORE__SENTINEL_PASSWORD": "store.sentinel_password",
    "STORE__TLS_CA": "store.tls_ca",
    "STORE__TLS_CERTIFICATE": "store.tls_certificate",
    "STORE__TLS_KEY": "store.tls_key",
    "AUDIT__FOLDER": "audit.folder",
    "AUDIT__HOST": "audit.host",
}
"""Addresses, paths and secrets. Whoever sets a process's environment must not thereby decide
who may do what: that takes a reviewed file."""

_QUOTED = re.compile(r"""\('.*',?\)|'(?:[^'\\]|\\x..|\\.){2,}'|"[^"]{2,}\"""")
"""More than a single character of the file in tomllib's messages: a secret may stand where a
key belongs."""
_NUMBERS = {"server.port", "server.workers", "server.metrics_port"}
_SHAPE = inspect.type_info(Settings)


def laid_over(environ: Mapping[str, str], **server: object) -> dict[str, str]:
    """An environment with these keys of ``[server]`` on top, but for those that are None: what
    a command line says, so that it is judged like anything else."""
    said = {key: str(value) for key, value in server.items() if value is not None}
    return dict(environ) | {f"{PREFIX}SERVER__{key.upper()}": text for key, text in said.items()}


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read and judge the file at `path`, with `environ` laid over it.

    Raises SetUpError: the file cannot be read, is no TOML (with the line), or breaks rules
    (every dotted key that does, and what is expected there).
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        reason = "does not exist; `jeton init` writes a configuration"
        raise _unusable(str(path), reason) from None
    except OSError as error:
        raise _unusable(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _unusable(str(path), "is not UTF-8 text") from None
    return read(text, path.absolute().parent, environ, str(path))


def read(
    text: str, folder: Path, environ: Mapping[str, str], origin: str = "the configuration"
) -> Settings:
    """`load` for text that is in hand: relative paths, the environment's too, start in
    `folder`. Raises SetUpError, whose message begins with `origin`."""
    raw = _parse(text, origin)
    names = _lay_over(raw, environ)
    _stop_at(misfits(raw, _SHAPE), names, origin)
    settings = msgspec.convert(raw, Settings, dec_hook=lambda _, text: Path(text))
    settings = msgspec.structs.replace(settings, proxy=with_profiles(settings.proxy))
    _stop_at(disagreements(settings), names, origin)
    return _anchored(settings, folder)


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = _QUOTED.sub("<withheld>", str(error))
        raise _unusable(origin, f"is not valid TOML: {said}") from None
    except (ValueError, RecursionError):  # a number of 5,000 digits; brackets without end
        raise _unusable(origin, "is not valid TOML: a value is too large or deep") from None


def _unusable(origin: str, reason: str) -> SetUpError:
    return SetUpError(f"{origin} {reason}")


def _lay_over(raw: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Puts the environment's settings into `raw`; returns which variable set which key."""
    names: dict[str, str] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        dotted = FROM_ENVIRONMENT.get(variable.removeprefix(PREFIX))
        if dotted is None:
            raise SetUpError(_not_from_environment(variable))
        section, _, key = dotted.partition(".")
        text = environ[variable]
        table = raw.setdefault(section, {})
        if isinstance(table, dict):  # else the shape's check says what it should be
            number = dotted in _NUMBERS and text.isascii() and text.isdigit() and len(text) < 10
            table[key] = int(text) if number else text
            names[dotted] = variable
    return names


def _not_from_environment(variable: str) -> str:
    right = nearest(variable, (PREFIX + name for name in FROM_ENVIRONMENT))
    return (
        f"{variable} may not be set: the environment sets addresses, paths and secrets; who may "
        "do what comes from the reviewed file alone"
        + (f" (did you mean {right}?)" if right else "")
    )


def _stop_at(problems: Iterator[Problem], names: Mapping[str, str], origin: str) -> None:
    lines = [
        f"  {at}{f' (set by {names[at]})' if at in names else ''}: {text}" for at, text in problems
    ]
    if lines:
        raise SetUpError("\n".join([f"{origin} cannot be used:", *lines]))


def _anchored(settings: Settings, folder: Path) -> Settings:
    """All relative paths, shipped ones and those inside addresses too, start in `folder`."""
    replace = msgspec.structs.replace
    keys, store, audit = settings.keys, settings.store, settings.audit
    return replace(
        settings,
        server=replace(
            settings.server,
            **_anchored_files(settings.server, folder, "socket", "tls_certificate", "tls_key"),
        ),
        keys=replace(
            keys, keyset=folder / keys.keyset, kek=_anchored_address(keys.kek, "file:", folder)
        ),
        store=replace(
            store,
            url=_anchored_address(store.url, "sqlite:", folder),
            **{
                key: _anchored_address(source, "file:", folder)
                for key in ("password", "sentinel_password")
                if (source := getattr(store, key)) is not None
            },
            **_anchored_files(store, folder, "tls_ca", "tls_certificate", "tls_key"),
        ),
        audit=replace(
            audit, folder=folder / audit.folder, witness=_anchored_witness(audit.witness, folder)
        ),
        identity=_anchored_identity(settings.identity, folder),
        proxy=_anchored_proxy(settings.proxy, folder),
        honeytokens=replace(
            settings.honeytokens,
            file=folder / settings.honeytokens.file,
            outbox=folder / settings.honeytokens.outbox,
        ),
    )


def _anchored_identity(identity: Identity, folder: Path) -> Identity:
    replace, certificates = msgspec.structs.replace, identity.certificates
    return replace(
        identity,
        issuers={
            name: replace(
                one,
                keys=_anchored_address(one.keys, "file:", folder),
                **_anchored_files(one, folder, "keys_ca", "keys_bearer"),
            )
            for name, one in identity.issuers.items()
        },
        certificates=certificates
        and replace(certificates, **_anchored_files(certificates, folder, "ca", "crl")),
    )


def _anchored_witness(witness: Witness | None, folder: Path) -> Witness | None:
    if witness is None:
        return None
    return msgspec.structs.replace(
        witness,
        credential=_anchored_address(witness.credential, "file:", folder),
        **_anchored_files(witness, folder, "key", "tls_ca"),
    )


def _anchored_proxy(proxy: Proxy, folder: Path) -> Proxy:
    listener = ("socket", "tls_certificate", "tls_key", "client_ca")
    upstream = ("tls_ca", "tls_certificate", "tls_key")
    return msgspec.structs.replace(
        proxy,
        listeners={
            name: msgspec.structs.replace(one, **_anchored_files(one, folder, *listener))
            for name, one in proxy.listeners.items()
        },
        upstreams={
            name: msgspec.structs.replace(one, **_anchored_files(one, folder, *upstream))
            for name, one in proxy.upstreams.items()
        },
    )


def _anchored_files(section: object, folder: Path, *keys: str) -> dict[str, Path]:
    return {key: folder / path for key in keys if (path := getattr(section, key)) is not None}


def _anchored_address(address: str, scheme: str, folder: Path) -> str:
    path = address.removeprefix(scheme)
    return address if path == address or not path else f"{scheme}{folder / path}"
