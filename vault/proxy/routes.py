"""Which route a request takes, and what each has been worked out to."""

import re
from collections.abc import Sequence

from vault.config import Client, Settings
from vault.config import Route as Configured
from vault.proxy.end_user import EndUser
from vault.proxy.head import twins
from vault.proxy.kinds import IsToken, media_type
from vault.proxy.rules import Rules

_PART = re.compile(r"\{([a-z_][a-z0-9_]*)\}|\*|[^{*]+")
_REST = "/**"


class Route:
    """One route of the configuration. `client` is empty where no rule needs one."""

    def __init__(
        self, name: str, configured: Configured, client: Client | None, is_token: IsToken
    ) -> None:
        """Raises SetUpError for selectors that cannot be followed."""
        at = f"proxy.routes.{name}"
        self.name = name
        self.configured = configured
        self.client = configured.client or ""
        grants = client.grants if client is not None else ()
        self.proving = frozenset(
            (grant.operation, grant.transformation) for grant in grants if grant.end_user_issuers
        )
        self.end_user = EndUser(configured.end_user, proved=bool(self.proving))
        self.request = Rules(configured.request, configured, is_token, f"{at}.request")
        self.response = Rules(configured.response, configured, is_token, f"{at}.response")
        self.purposeful = frozenset(
            (grant.operation, grant.transformation)
            for grant in grants
            if configured.purpose in grant.purposes
        )
        meant = self.request.headers
        if self.end_user.header is not None:
            meant = {*meant, self.end_user.header}
        self.meant = frozenset(meant)
        """Names of headers that the route reads: no caller can have them taken away."""
        self.twins = twins(meant)
        """Names of headers that could be taken for one that the route reads."""
        self._hosts = {_host(host.encode()) for host in configured.hosts}
        self._methods = frozenset(configured.methods)
        self._types = frozenset(configured.content_types)
        self._path = _compiled(configured.path)

    def fits(
        self, method: str, host: bytes, path: bytes, content_type: str
    ) -> dict[str, tuple[int, int]] | None:
        """The named segments' places in the path; None for a request of another route."""
        if self._methods and method not in self._methods:
            return None
        if self._hosts and _host(host) not in self._hosts:
            return None
        if self._types and content_type and media_type(content_type) not in self._types:
            return None
        found = self._path.fullmatch(path)
        if found is None:
            return None
        return {name: found.span(name) for name in self._path.groupindex}


def routes_of(settings: Settings, listener: str, is_token: IsToken) -> Sequence[Route]:
    """Those of a listener, in the configuration's order. Raises SetUpError."""
    return [
        Route(name, one, settings.clients.get(one.client or ""), is_token)
        for name, one in settings.proxy.routes.items()
        if one.listener == listener
    ]


def _host(host: bytes) -> bytes:
    """Without a port, and without the dot that ends a whole name."""
    if host.startswith(b"["):
        return host.lower().partition(b"]")[0] + b"]"
    return host.lower().partition(b":")[0].rstrip(b".")


def _compiled(template: str) -> re.Pattern[bytes]:
    out = []
    for part in _PART.finditer(template.removesuffix(_REST)):
        if part[0] == "*":
            out.append("[^/]+")
        else:
            out.append(f"(?P<{part[1]}>[^/]+)" if part[1] else re.escape(part[0]))
    if template.endswith(_REST):
        out.append("(?:/.*)?")
    return re.compile("".join(out).encode(), re.DOTALL)
