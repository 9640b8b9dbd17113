"""The rules of `[identity]` and of what clients say about tokens and certificates."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from vault.config.identity import Certificates, Issuer
from vault.config.shape import Problem, dotted, is_network, nearest

if TYPE_CHECKING:
    from vault.config.settings import Client, Settings

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_TAKEN: Final = frozenset(
    """authorization connection content-encoding content-length content-type expect host
    jeton-on-behalf-of jeton-purpose jeton-request-id transfer-encoding""".split()
)


def identity_disagreements(settings: "Settings") -> Iterator[Problem]:
    issuers = settings.identity.issuers
    said: dict[str, str] = {}
    for name, issuer in issuers.items():
        at = dotted("identity.issuers", name)
        if not _NAME.fullmatch(name):
            words = "names have 1 to 63 lower-case letters, digits and hyphens, no hyphen first"
            yield Problem(at, words)
        yield from _issuer(issuer, at)
        owner = said.setdefault(issuer.iss, at)
        if owner != at:
            yield Problem(f"{at}.iss", f"the same as that of {owner}")
    if settings.identity.certificates is not None:
        yield from _certificates(settings.identity.certificates)
    for name, client in settings.clients.items():
        yield from _client(client, settings, dotted("clients", name))
    yield from _used_twice(settings.clients)


def _issuer(issuer: Issuer, at: str) -> Iterator[Problem]:
    for key in ("iss", "audiences", "algorithms"):
        said = getattr(issuer, key)
        if not said or "" in list(said):
            yield Problem(f"{at}.{key}", "empty: say which")
    if issuer.keys.startswith("file:"):
        if issuer.keys == "file:":
            yield Problem(f"{at}.keys", "expected file:PATH")
        for key in ("keys_ca", "keys_bearer"):
            if getattr(issuer, key) is not None:
                yield Problem(f"{at}.{key}", "says something of an address only")
    elif not _is_fetched(issuer.keys):
        words = "expected file:PATH, or an https:// address (http:// on this machine only)"
        yield Problem(f"{at}.keys", words)
    if issuer.keys_keep < issuer.keys_refresh:
        yield Problem(f"{at}.keys_keep", "below keys_refresh: no keys would be left between two")


def _is_fetched(address: str) -> bool:
    try:
        url = urlsplit(address)
        host, _ = url.hostname or "", url.port
    except ValueError:
        return False
    if not host or "@" in url.netloc or not address.isascii() or " " in address:
        return False
    return url.scheme == "https" or (url.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _certificates(certificates: Certificates) -> Iterator[Problem]:
    at, header = "identity.certificates", certificates.forwarded_header
    if header is None:
        if certificates.forwarded_from:
            yield Problem(f"{at}.forwarded_header", "missing: forwarded_from needs it")
        return
    if not _HEADER.fullmatch(header) or header.lower() in _TAKEN:
        words = "expected the name of a header, and none that has a meaning of its own"
        yield Problem(f"{at}.forwarded_header", words)
    if not certificates.forwarded_from:
        yield Problem(f"{at}.forwarded_from", "missing: whose header is it believed of?")
    for index, network in enumerate(certificates.forwarded_from):
        if network != "unix" and not is_network(network):
            words = 'expected a network such as "10.1.0.0/16", or "unix"'
            yield Problem(f"{at}.forwarded_from[{index}]", words)


def _client(client: "Client", settings: "Settings", at: str) -> Iterator[Problem]:
    issuers = settings.identity.issuers
    for index, one in enumerate(client.tokens):
        yield from _known(one.issuer, issuers, f"{at}.tokens[{index}].issuer")
        if not one.sub:
            yield Problem(f"{at}.tokens[{index}].sub", "empty: say whose")
    for index, shown in enumerate(client.certificates):
        if (shown.uri is None) == (shown.subject is None) or not (shown.uri or shown.subject):
            yield Problem(f"{at}.certificates[{index}]", "expected one of uri and subject")
    if client.certificates and settings.identity.certificates is None:
        yield Problem(f"{at}.certificates", "missing: identity.certificates says whose")
    asked: dict[tuple[str, str], frozenset[str]] = {}
    for index, grant in enumerate(client.grants):
        here = f"{at}.grants[{index}].end_user_issuers"
        for position, name in enumerate(grant.end_user_issuers):
            yield from _known(name, issuers, f"{here}[{position}]")
        wanted = frozenset(grant.end_user_issuers)
        if asked.setdefault((grant.operation, grant.transformation), wanted) != wanted:
            yield Problem(here, "another grant of the same says it otherwise: one would undo it")
        if wanted and not client.issued_to:
            words = "missing: a grant asks for end users' tokens, and these say who may bring them"
            yield Problem(f"{at}.issued_to", words)


def _known(name: str, issuers: Mapping[str, Issuer], at: str) -> Iterator[Problem]:
    if name not in issuers:
        right = nearest(name, issuers)
        advice = f"; did you mean {right}?" if right else ""
        yield Problem(at, f"identity.issuers has none of this name{advice}")


def _used_twice(clients: "Mapping[str, Client]") -> Iterator[Problem]:
    """One proof, two principals: which of them it is must never be a matter of order."""
    first: dict[object, str] = {}
    for name, client in clients.items():
        at = dotted("clients", name)
        proofs: list[tuple[str, object]] = [
            (f"{at}.tokens[{index}]", ("token", one.issuer, one.sub))
            for index, one in enumerate(client.tokens)
        ]
        proofs += [
            (f"{at}.certificates[{index}]", ("certificate", one.uri, one.subject))
            for index, one in enumerate(client.certificates)
        ]
        proofs += [
            (f"{at}.issued_to[{index}]", ("issued", one))
            for index, one in enumerate(client.issued_to)
        ]
        for here, proof in proofs:
            owner = first.setdefault(proof, here)
            if owner != here:
                yield Problem(here, f"the same as {owner}")
