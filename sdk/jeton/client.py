"""The synchronous client, on urllib3."""

import os
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import TypeVar, overload

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    SSLError,
)
from urllib3.util import Timeout, Url, parse_url

from jeton.errors import JetonError, NoAnswer, Unreachable, UsageError
from jeton.protocol import (
    DETOKENISE,
    MASK,
    MATCH,
    TOKENISE,
    Answer,
    Call,
    Operation,
    Text,
    ask,
    ask_transformations,
    visible,
)
from jeton.results import Items, Sensitive, Token, Transformation

T = TypeVar("T")

CONNECTIONS = 16
"""Kept open for reuse; more threads than that open more, and close them again."""


class Client:
    """Calls one Jeton service. Thread-safe; close it, or use it as a context manager.

    `url` and `credential` default to ``JETON_URL`` and ``JETON_CREDENTIAL``. `purpose` is
    that of every call that states none of its own; `timeout` is in seconds. Certificates are
    checked against the system's authorities, or as `ssl_context` says. No proxy is used.

    Every method takes one text, and gives one result or raises; or a sequence of texts, and
    gives `Items`, with an `ItemError` in the place of each item that failed. All raise
    `UsageError`, `Unreachable`, `NoAnswer` or a `ServiceError` for the request as a whole.
    Nothing is tried again by itself.
    """

    def __init__(
        self,
        url: str | None = None,
        credential: str | None = None,
        *,
        purpose: str | None = None,
        timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        where = _base(_setting(url, "url", "JETON_URL"))
        secret = _setting(credential, "credential", "JETON_CREDENTIAL").strip()
        self._authorization = f"Bearer {visible(secret, 'the credential')}"
        self._purpose = purpose
        self._prefix = (where.path or "").rstrip("/")
        self._shown = f"{where.scheme}://{where.netloc}"
        self._pool = _pool(where, Timeout(total=timeout), ssl_context)

    def __repr__(self) -> str:
        return f"Client({self._shown})"

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    # A str is a Sequence[str]; the overload for one text stands first and wins.
    @overload
    def tokenise(  # type: ignore[overload-overlap]
        self, transformation: str, value: str, *, context: str | None = None
    ) -> Token: ...
    @overload
    def tokenise(
        self, transformation: str, value: Sequence[str], *, context: Text | None = None
    ) -> Items[Token]: ...
    def tokenise(
        self, transformation: str, value: Text, *, context: Text | None = None
    ) -> Token | Items[Token]:
        """The token of a value, under a context where the transformation takes one."""
        return self._ask(TOKENISE, transformation, (value,), context, None, None)

    @overload
    def detokenise(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: str,
        *,
        context: str | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Sensitive: ...
    @overload
    def detokenise(
        self,
        transformation: str,
        token: Sequence[str],
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Items[Sensitive]: ...
    def detokenise(
        self,
        transformation: str,
        token: Text,
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Sensitive | Items[Sensitive]:
        """The value behind a token: charged and recorded, for a stated purpose."""
        return self._ask(DETOKENISE, transformation, (token,), context, purpose, on_behalf_of)

    @overload
    def mask(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: str,
        *,
        context: str | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> str: ...
    @overload
    def mask(
        self,
        transformation: str,
        token: Sequence[str],
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Items[str]: ...
    def mask(
        self,
        transformation: str,
        token: Text,
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> str | Items[str]:
        """As much of the value behind a token as a screen may show: ``284************``."""
        return self._ask(MASK, transformation, (token,), context, purpose, on_behalf_of)

    @overload
    def match(  # type: ignore[overload-overlap]
        self,
        transformation: str,
        token: str,
        candidate: str,
        *,
        context: str | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> bool: ...
    @overload
    def match(
        self,
        transformation: str,
        token: Sequence[str],
        candidate: Sequence[str],
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Items[bool]: ...
    def match(
        self,
        transformation: str,
        token: Text,
        candidate: Text,
        *,
        context: Text | None = None,
        purpose: str | None = None,
        on_behalf_of: str | None = None,
    ) -> bool | Items[bool]:
        """Whether the value behind a token is the candidate, and nothing more."""
        given = (token, candidate)
        return self._ask(MATCH, transformation, given, context, purpose, on_behalf_of)

    def transformations(self) -> list[Transformation]:
        """What this client may do, and with which transformations."""
        return self.send(ask_transformations())

    def _ask(
        self,
        operation: Operation[T],
        transformation: str,
        given: Sequence[Text],
        context: Text | None,
        purpose: str | None,
        on_behalf_of: str | None,
    ) -> T | Items[T]:
        if purpose is None and operation is not TOKENISE:
            purpose = self._purpose
        call = ask(operation, transformation, given, context, purpose, on_behalf_of)
        return self.send(call)

    def send(self, call: Call[T]) -> T:
        """Send a call made by `jeton.protocol`, of any media type, and read its answer."""
        headers = {**call.headers, "Authorization": self._authorization}
        failure: JetonError
        try:
            got = self._pool.urlopen(
                call.method, self._prefix + call.path, call.body, headers, retries=False
            )
            seen = {name.lower(): value for name, value in got.headers.items()}
            answer = Answer(got.status, seen, got.data)
        except (NewConnectionError, ConnectTimeoutError, SSLError) as error:
            failure = Unreachable(_why(error, self._shown), request_id=call.request_id)
        except HTTPError as error:
            failure = NoAnswer(_why(error, self._shown), request_id=call.request_id)
        else:
            return call.read(answer)
        # Raised out here it drags no exception along that may quote what was sent.
        raise failure


def _pool(
    where: Url, timeout: Timeout, ssl_context: ssl.SSLContext | None
) -> urllib3.HTTPConnectionPool:
    host, port = where.host or "", where.port
    if where.scheme == "http":
        return urllib3.HTTPConnectionPool(host, port, timeout=timeout, maxsize=CONNECTIONS)
    context = ssl_context or ssl.create_default_context()
    return urllib3.HTTPSConnectionPool(
        host, port, timeout=timeout, maxsize=CONNECTIONS, ssl_context=context
    )


def _why(error: Exception, where: str) -> str:
    return f"{where}: {type(error).__name__}"


def _setting(given: str | None, name: str, variable: str) -> str:
    found = given if given is not None else os.environ.get(variable)
    if not found:
        raise UsageError(f"say where: pass `{name}` or set {variable}")
    return found


def _base(url: str) -> Url:
    try:
        where = parse_url(url)
    except LocationParseError:
        where = Url()
    if where.scheme not in ("http", "https") or not where.host:
        raise UsageError("the url must read http://host:port or https://host:port")
    if where.auth or where.query or where.fragment:
        raise UsageError("the url must hold no user, query or fragment")
    return where
