"""The rules of ``[proxy]`` that no single key can break alone."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from vault.config.profiles import NAMES
from vault.config.proxy import FieldRule, Listener, Proxy, Route, Upstream
from vault.config.settings import Client, Settings
from vault.config.shape import Problem, dotted, nearest

KINDS = ("json", "ndjson", "xml", "csv", "fixed", "hl7", "form", "multipart", "text")
"""Of bodies."""
HEAD = ("header", "path", "query")
"""The parts of a head that fields stand in."""

REVEALING = ("detokenise", "mask")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEMPLATE = re.compile(r"(?:/(?:\*|\{[a-z_][a-z0-9_]*\}|[^/{}*?#%]*))*(?:/\*\*)?")
_CAPTURE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_END_USER = re.compile(r"header:[^:]+|cookie:[^:]+(?::[^:]+)?|certificate")


def proxy_disagreements(settings: Settings) -> Iterator[Problem]:
    proxy = settings.proxy
    for name, listener in proxy.listeners.items():
        yield from _named(name, f"proxy.listeners.{name}")
        yield from _listener(listener, dotted("proxy.listeners", name), settings.development)
    for name, upstream in proxy.upstreams.items():
        yield from _named(name, f"proxy.upstreams.{name}")
        yield from _upstream(upstream, dotted("proxy.upstreams", name))
    for name, route in proxy.routes.items():
        yield from _named(name, f"proxy.routes.{name}")
        yield from _route(route, proxy, settings, dotted("proxy.routes", name))


def _named(name: str, at: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        yield Problem(at, "names have 1 to 63 lower-case letters, digits and hyphens")


def _listener(listener: Listener, at: str, development: bool) -> Iterator[Problem]:
    if not listener.host and listener.socket is None:
        yield Problem(f"{at}.host", "empty, and there is no socket: nobody could call")
    if development and listener.host and listener.host not in {"127.0.0.1", "::1", "localhost"}:
        yield Problem(f"{at}.host", "development mode listens on loopback only")
    yield from _pair(listener, at)
    if listener.client_ca is not None and listener.tls_certificate is None:
        yield Problem(f"{at}.client_ca", "clients show certificates over TLS: set tls_certificate")


def _pair(section: Listener | Upstream, at: str) -> Iterator[Problem]:
    if (section.tls_certificate is None) != (section.tls_key is None):
        missing = "tls_key" if section.tls_key is None else "tls_certificate"
        yield Problem(f"{at}.{missing}", "missing: a certificate and its key go together")


def _upstream(upstream: Upstream, at: str) -> Iterator[Problem]:
    if not upstream.urls:
        yield Problem(f"{at}.urls", "expected at least one address")
    for index, url in enumerate(upstream.urls):
        try:
            parts = urlsplit(url)
            fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            fits = False
        if not fits or parts.path not in {"", "/"} or parts.query or "@" in parts.netloc:
            words = "expected http://HOST:PORT or https://HOST:PORT, with nothing after it"
            yield Problem(f"{at}.urls[{index}]", words)
    if upstream.health is not None and not upstream.health.startswith("/"):
        yield Problem(f"{at}.health", "expected a path that begins with /")
    yield from _pair(upstream, at)


def _route(route: Route, proxy: Proxy, settings: Settings, at: str) -> Iterator[Problem]:
    yield from _known(route.listener, proxy.listeners, f"{at}.listener", "listener")
    yield from _known(route.upstream, proxy.upstreams, f"{at}.upstream", "upstream")
    client: Client | None = None
    if route.client is not None:
        yield from _known(route.client, settings.clients, f"{at}.client", "client")
        client = settings.clients.get(route.client)
    if not route.path.startswith("/") or not _TEMPLATE.fullmatch(route.path):
        words = "expected a path of plain segments, *, {name}, and perhaps /** at its end"
        yield Problem(f"{at}.path", words)
    for index, method in enumerate(route.methods):
        if not re.fullmatch(r"[A-Z]+", method):
            yield Problem(f"{at}.methods[{index}]", "expected a method in capitals")
    if route.end_user is not None and not _END_USER.fullmatch(route.end_user):
        words = 'expected "header:NAME", "cookie:NAME", "cookie:NAME:CLAIM" or "certificate"'
        yield Problem(f"{at}.end_user", words)
    yield from _proved(route, client, at)
    if route.upgrade and not _is_untouched(route):
        words = "nobody looks at a WebSocket: only of a route without rules and without guard"
        yield Problem(f"{at}.upgrade", words)
    for media, kind in route.types.items():
        if kind not in KINDS:
            yield Problem(f"{at}.types", f"a kind of body is one of {', '.join(KINDS)}: {media}")
    for direction in ("request", "response"):
        use = getattr(route, f"{direction}_profile")
        if use is not None:
            known = dict.fromkeys(NAMES)
            yield from _known(use.name, known, f"{at}.{direction}_profile.name", "profile")
        for index, rule in enumerate(getattr(route, direction)):
            where = f"{at}.{direction}[{index}]"
            yield from _rule(rule, route, settings, where)
            yield from _granted(rule, route, client, where)
            if direction == "response" and rule.select.partition(":")[0] in {"path", "query"}:
                yield Problem(f"{where}.select", "an answer has no path and no query")


def _is_untouched(route: Route) -> bool:
    rules = (route.request, route.response, route.request_profile, route.response_profile)
    return not any(rules) and route.guard_requests == route.guard_responses == "off"


def _known(name: str, known: Mapping[str, object], at: str, what: str) -> Iterator[Problem]:
    if name not in known:
        right = nearest(name, known)
        advice = f'; did you mean "{right}"?' if right else ""
        yield Problem(at, f"no {what} has this name{advice}")


def _rule(rule: FieldRule, route: Route, settings: Settings, at: str) -> Iterator[Problem]:
    kind, _, rest = rule.select.partition(":")
    if kind not in KINDS + HEAD or not rest:
        words = f"expected one of {', '.join(KINDS + HEAD)}, a colon, and what is selected there"
        yield Problem(f"{at}.select", words)
    yield from _head_field(rule.select, route, f"{at}.select")
    if rule.context_select is not None:
        yield from _head_field(rule.context_select, route, f"{at}.context_select")
        if rule.context is not None:
            yield Problem(f"{at}.context", "a context is a constant or another field, not both")
        if kind in HEAD and rule.context_select.partition(":")[0] not in HEAD:
            words = "the context of a field of the head is another one of it"
            yield Problem(f"{at}.context_select", words)
    if rule.operation == "drop":
        return
    if rule.transformation is None:
        yield Problem(f"{at}.transformation", "missing: only drop needs none")
    else:
        yield from _known(
            rule.transformation, settings.transformations, f"{at}.transformation", "transformation"
        )


def _head_field(select: str, route: Route, at: str) -> Iterator[Problem]:
    part, _, name = select.partition(":")
    if part == "header" and not _TOKEN.fullmatch(name):
        yield Problem(at, "expected the name of a header")
    if part == "path" and name not in _CAPTURE.findall(route.path):
        yield Problem(at, "the route's path has no {segment} of this name")


def _proved(route: Route, client: Client | None, at: str) -> Iterator[Problem]:
    """A request has one end user: a token where grants want that, else what is claimed."""
    proving = {
        (grant.operation, grant.transformation)
        for grant in (client.grants if client is not None else ())
        if grant.end_user_issuers
    }
    done = {(rule.operation, rule.transformation) for rule in (*route.request, *route.response)}
    wanted = {one in proving for one in done if one[0] in REVEALING}
    if wanted == {True, False}:
        yield Problem(f"{at}.end_user", "some of its rules want it proved, and others claimed")
    kind, _, rest = (route.end_user or "").partition(":")
    if proving.intersection(done) and (kind not in {"header", "cookie"} or ":" in rest):
        words = f"client {route.client} wants a token of theirs: name its header or cookie"
        yield Problem(f"{at}.end_user", words)


def _granted(rule: FieldRule, route: Route, client: Client | None, at: str) -> Iterator[Problem]:
    """A rule that could never be carried out is a mistake, and better found here."""
    if rule.operation == "drop" or rule.transformation is None:
        return
    if client is None:
        if route.client is None:
            yield Problem(at, "the route has no client whose grants this could spend")
        return
    grants = [
        grant
        for grant in client.grants
        if (grant.operation, grant.transformation) == (rule.operation, rule.transformation)
    ]
    if not grants:
        words = f"client {route.client} has no grant to {rule.operation} {rule.transformation}"
        yield Problem(at, words)
    elif any(grant.purposes for grant in grants) and not any(
        route.purpose in grant.purposes for grant in grants
    ):
        yield Problem(at, f"no such grant of client {route.client} names the route's purpose")
