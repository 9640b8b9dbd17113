"""The rules that no single key can break alone: names that must exist, rules that must agree."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from vault.audit.names import HOST
from vault.config.identity_checks import identity_disagreements
from vault.config.proxy_checks import proxy_disagreements
from vault.config.settings import Client, Grant, Server, Settings, Transformation
from vault.config.shape import Problem, dotted, is_network, nearest
from vault.config.store_checks import store_disagreements
from vault.config.witness import witness_disagreements
from vault.errors import SetUpError
from vault.formats import CATALOGUE, Format, build

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""Clients and transformations: they stand in URLs, file names and credentials."""
PURPOSE = re.compile(r"[a-z0-9-]{1,64}")

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_REVEALS = ("detokenise", "mask")


def disagreements(settings: Settings) -> Iterator[Problem]:
    """Every broken rule of well-shaped settings; none means that they may be served."""
    yield from _server(settings)
    yield from store_disagreements(settings.store)
    if settings.audit.witness is not None:
        yield from witness_disagreements(settings.audit.witness)
    for name, transformation in settings.transformations.items():
        at = dotted("transformations", name)
        yield from _name(name, at)
        yield from _transformation(transformation, settings.transformations, at)
    yield from _cycles(settings.transformations)
    yield from _shared_keys(settings.transformations)
    for name, client in settings.clients.items():
        at = dotted("clients", name)
        yield from _name(name, at)
        for index, grant in enumerate(client.grants):
            yield from _grant(grant, settings.transformations, f"{at}.grants[{index}]")
        yield from _credentials(client, f"{at}.credentials")
    yield from _credentials_used_twice(settings.clients)
    yield from identity_disagreements(settings)
    yield from _honeytokens(settings)
    yield from proxy_disagreements(settings)


def _honeytokens(settings: Settings) -> Iterator[Problem]:
    for index, name in enumerate(settings.honeytokens.exempt):
        if name not in settings.clients:
            right = nearest(name, settings.clients)
            advice = f"; did you mean {right}?" if right else ""
            yield Problem(f"honeytokens.exempt[{index}]", f"no client has this name{advice}")
    if settings.honeytokens.webhook is not None:
        try:
            url = urlsplit(settings.honeytokens.webhook)
            fits = url.scheme == "https" or (
                url.scheme == "http" and _is_loopback(url.hostname or "")
            )
            fits = fits and bool(url.hostname) and "@" not in url.netloc and url.port != 0
        except ValueError:
            fits = False
        if not fits:
            words = (
                "expected an https:// address (http:// on this machine only), without a password"
            )
            yield Problem("honeytokens.webhook", words)


def _name(name: str, at: str) -> Iterator[Problem]:
    if not NAME.fullmatch(name):
        yield Problem(
            at, "names have 1 to 63 lower-case letters, digits and hyphens, no hyphen first"
        )


def _server(settings: Settings) -> Iterator[Problem]:
    server = settings.server
    yield from _addresses(server)
    if settings.development:
        for key in ("host", "metrics_host"):
            host = getattr(server, key)
            if host and not _is_loopback(host):
                yield Problem(f"server.{key}", "development mode listens on loopback only")
    if settings.audit.host is not None and not HOST.fullmatch(settings.audit.host):
        yield Problem(
            "audit.host", "expected 1 to 63 lower-case letters, digits and hyphens, none at an end"
        )
    if settings.audit.alarm_bytes < settings.audit.reserve_bytes:
        yield Problem("audit.alarm_bytes", "the alarm must ring before audit.reserve_bytes")


def _addresses(server: Server) -> Iterator[Problem]:
    if not server.host and server.socket is None:
        yield Problem("server.host", "empty, and there is no server.socket: nobody could call")
    if server.metrics_port is not None:
        if not (server.host if server.metrics_host is None else server.metrics_host):
            yield Problem("server.metrics_host", "missing: server.metrics_port needs an address")
        elif server.host and server.metrics_port == server.port != 0:
            yield Problem("server.metrics_port", "expected another port than server.port")
    if (server.tls_certificate is None) != (server.tls_key is None):
        there, missing = "tls_certificate", "tls_key"
        if server.tls_certificate is None:
            there, missing = missing, there
        yield Problem(f"server.{missing}", f"missing: server.{there} needs it")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _transformation(
    transformation: Transformation, known: dict[str, Transformation], at: str
) -> Iterator[Problem]:
    if transformation.key_id is not None and not NAME.fullmatch(transformation.key_id):
        yield Problem(f"{at}.key_id", "expected 1 to 63 lower-case letters, digits and hyphens")
    yield from _format(transformation, at)
    yield from _method(transformation, at)
    yield from _person(transformation, known, f"{at}.person")


def _method(transformation: Transformation, at: str) -> Iterator[Problem]:
    if transformation.method == "vaulted":
        return
    for key in ("convergent", "max_fill"):
        if getattr(transformation, key) is not None:
            yield Problem(f"{at}.{key}", 'says something of method = "vaulted" only')


def _format(transformation: Transformation, at: str) -> Iterator[Problem]:
    if transformation.format not in CATALOGUE:
        right = nearest(transformation.format, CATALOGUE)
        yield Problem(
            f"{at}.format",
            f'no format has this name; did you mean "{right}"?'
            if right
            else f"no format has this name; there are {', '.join(CATALOGUE)}",
        )
        return
    try:
        format_of(transformation)
    except SetUpError as error:
        yield Problem(at, str(error))


def format_of(transformation: Transformation) -> Format:
    """The format with the options that a transformation says. Raises SetUpError as `build`."""
    return build(
        transformation.format,
        band=transformation.band,
        wrong_key=transformation.wrong_key,
        alphabet=transformation.alphabet,
        min_length=transformation.min_length,
        max_length=transformation.max_length,
        template=transformation.template,
        vaulted=transformation.method == "vaulted",
    )


def _needs_context(transformation: Transformation) -> bool:
    if transformation.context is not None:
        return transformation.context == "required"
    try:
        return format_of(transformation).context == "required"
    except SetUpError:  # told by its own check
        return False


def _person(
    transformation: Transformation, known: dict[str, Transformation], at: str
) -> Iterator[Problem]:
    rule, _, name = transformation.person.partition(":")
    if transformation.person not in ("value", "context") and (rule != "context" or not name):
        yield Problem(at, 'expected "value", "context" or "context:NAME" of a transformation')
        return
    if rule == "context" and transformation.context == "none":
        yield Problem(at, "a transformation without contexts cannot find the person in one")
    if not name:
        return
    if name not in known:
        yield Problem(at, _no_such_transformation(name, known))
    elif _needs_context(known[name]):
        yield Problem(
            at, "must name a transformation that opens without a context: a context has none"
        )


def _no_such_transformation(name: str, known: dict[str, Transformation]) -> str:
    right = nearest(name, known)
    return "no transformation has this name" + (f'; did you mean "{right}"?' if right else "")


def _cycles(known: dict[str, Transformation]) -> Iterator[Problem]:
    for name in known:
        seen, at = {name}, name
        while (after := known[at].person.removeprefix("context:")) in known:
            if after == name:
                yield Problem(f"{dotted('transformations', name)}.person", "leads back to itself")
            if after in seen:
                break
            seen.add(after)
            at = after


def _shared_keys(known: dict[str, Transformation]) -> Iterator[Problem]:
    """Two formats under one key: a token of the one may open as a value of the other."""
    first: dict[str, str] = {}
    for name, transformation in known.items():
        owner = first.setdefault(transformation.key_id or name, name)
        if known[owner].format != transformation.format:
            yield Problem(
                f"{dotted('transformations', name)}.key_id",
                f"{dotted('transformations', owner)} has the same key and another format",
            )


def _grant(grant: Grant, known: dict[str, Transformation], at: str) -> Iterator[Problem]:
    if grant.transformation not in known:
        yield Problem(f"{at}.transformation", _no_such_transformation(grant.transformation, known))
    if grant.operation in _REVEALS and not grant.purposes:
        yield Problem(f"{at}.purposes", f"a {grant.operation} grant names at least one purpose")
    for index, purpose in enumerate(grant.purposes):
        if not PURPOSE.fullmatch(purpose):
            yield Problem(
                f"{at}.purposes[{index}]",
                "purposes have 1 to 64 lower-case letters, digits and hyphens",
            )


def _credentials(client: Client, at: str) -> Iterator[Problem]:
    for index, credential in enumerate(client.credentials):
        if not _SHA256.fullmatch(credential.sha256):
            yield Problem(
                f"{at}[{index}].sha256",
                "expected 64 hex digits: the SHA-256 of the credential, never the credential",
            )
        for position, network in enumerate(credential.networks):
            if not is_network(network):
                yield Problem(
                    f"{at}[{index}].networks[{position}]",
                    'expected a network such as "10.1.0.0/16" or "2001:db8::/32"',
                )


def _credentials_used_twice(clients: dict[str, Client]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name, client in clients.items():
        for index, credential in enumerate(client.credentials):
            at = f"{dotted('clients', name)}.credentials[{index}].sha256"
            owner = first.setdefault(credential.sha256.lower(), at)
            if owner != at:
                yield Problem(at, f"the same credential as {owner}")
