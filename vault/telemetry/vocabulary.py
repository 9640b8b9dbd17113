"""The words that a log line may be made of.

A closed vocabulary, not a filter: a filter must know what a value looks like, and some other
day's value looks like something else. Here an event, a field or a text that is not listed
simply has no way out. Numbers are bounded, and the large ones rounded to four digits, so that
none can carry an identifier. To log something new, add its event or field below.
"""

import builtins
import errno
import os
import re
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import vault
import vault.errors

WITHHELD: Final = "<withheld>"

EVENTS: Final = frozenset(
    """
    starting serving ready not-ready stopping stopped development-mode not-encrypted no-honeytokens
    worker-started worker-stopped worker-died
    reloaded reload-failed keys-loaded keys-unavailable
    store-unavailable store-recovered store-halted store-resumed store-weak tokens-filling
    record-repaired record-replayed record-unavailable record-recovered
    checkpoint-written checkpoint-failed segment-retired witness-away witness-back witness-forgot
    disk-space-low disk-space-recovered
    ledger-failed duty-failed
    budget-exhausted principal-locked principal-unlocked
    issuer-away issuer-back
    upstream-away upstream-health message-blocked real-values unread-body
    request-failed task-failed uncaught-exception warning foreign
    """.split()
)

OPERATIONS: Final = frozenset({"tokenise", "detokenise", "mask", "match"})

ITEM_CODES: Final = frozenset(
    {"context_required", "invalid_value", "not_a_token", "domain_exhausted"}
)
REQUEST_CODES: Final = frozenset(
    """
    unauthenticated not_found unknown_transformation method_not_allowed unsupported_media_type
    too_large timeout malformed_request locked not_allowed purpose_required end_user_required
    approval_required request_id_reused budget_exhausted store_unavailable audit_unavailable
    keys_unavailable overloaded internal
    blocked upgrade_refused upstream_invalid upstream_unavailable upstream_timeout
    """.split()
)
CODES: Final = ITEM_CODES | REQUEST_CODES | {"ok"}

LIMITS: Final = frozenset(
    f"{prefix}{budget}.{window}"
    for prefix in ("", "end_user.")
    for budget in ("tokenise", "reveal", "match", "people")
    for window in ("hour", "day")
)
REASONS: Final = frozenset(
    """
    torn-tail went-backwards epoch-changed generation-went-backwards operator honeytoken
    disk-full read-only missing retention shutdown signal
    """.split()
) | frozenset(os.strerror(number) for number in errno.errorcode)
DUTIES: Final = frozenset(
    "free_space aggregates locks leases mark state store retention tick alarm witness".split()
)
"""What the ledger does beside answering."""
ERRORS: Final = frozenset(
    name
    for name, kind in {**vars(builtins), **vars(vault.errors)}.items()
    if isinstance(kind, type) and issubclass(kind, BaseException)
) | {"DatabaseError", "IntegrityError", "InterfaceError", "OperationalError", "ProgrammingError"}
"""Classes of exceptions, where only the class's name was handed on (the last ones: SQLite's)."""
HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost", "0.0.0.0", "::"})  # noqa: S104
LOGGERS: Final = frozenset(
    {"root", "uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio", "concurrent"}
)
MESSAGES: Final = frozenset(
    {
        "Started server process [%d]",
        "Finished server process [%d]",
        "Uvicorn running on %s://%s:%d (Press CTRL+C to quit)",
        "Waiting for application startup.",
        "Application startup complete.",
        "Application startup failed. Exiting.",
        "Waiting for application shutdown.",
        "Application shutdown complete.",
        "Application shutdown failed. Exiting.",
        "Waiting for connections to close. (CTRL+C to force quit)",
        "Waiting for background tasks to complete. (CTRL+C to force quit)",
        "Cancel %s running task(s), timeout graceful shutdown exceeded",
        "Shutting down",
        "Invalid HTTP request received.",
        "Unsupported upgrade request.",
        "Exceeded concurrency limit.",
        "Exception in ASGI application\n",
        "ASGI callable returned without starting response.",
        "ASGI callable returned without completing response.",
        "Task exception was never retrieved",
        "Future exception was never retrieved",
        "Task was destroyed but it is pending!",
        "socket.accept() out of system resource",
        "Using selector: %s",
    }
)
"""What other libraries say, without what they say it of: constants of their sources."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the configuration in force: what else a log line may mention."""

    clients: frozenset[str] = frozenset()
    transformations: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    phrases: frozenset[str] = frozenset()
    """Of Jeton's own tables."""
    routes: frozenset[str] = frozenset()
    """Of the proxy, and its upstreams."""
    issuers: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        clients: Iterable[str] = (),
        transformations: Iterable[str] = (),
        paths: Iterable[object] = (),
        hosts: Iterable[str] = (),
        phrases: Iterable[str] = (),
        routes: Iterable[str] = (),
        issuers: Iterable[str] = (),
    ) -> "Names":
        """`paths` are strings or `Path`s."""
        return cls(
            frozenset(clients),
            frozenset(transformations),
            frozenset(str(path) for path in paths),
            frozenset(hosts),
            frozenset(phrases),
            frozenset(routes),
            frozenset(issuers),
        )


Check = Callable[[object, Names], object]
"""What of a field may be logged; None: nothing."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WRITER = re.compile(r"w[0-9]{1,3}")


def plain(value: object) -> str | None:
    """A text without whatever a subclass of `str` may have put into its methods."""
    return str.__str__(value) if isinstance(value, str) else None


def _one_of(words: frozenset[str]) -> Check:
    return lambda value, _: text if (text := plain(value)) in words else None


def _named(kind: str) -> Check:
    return lambda value, names: text if (text := plain(value)) in getattr(names, kind) else None


def _matching(pattern: re.Pattern[str]) -> Check:
    def check(value: object, _: Names) -> str | None:
        text = plain(value)
        return text if text is not None and pattern.fullmatch(text) else None

    return check


def _up_to(most: int) -> Check:
    """Whole numbers below ten million: shorter than any identifier or an eight-digit date."""
    return lambda value, _: value if type(value) is int and 0 <= value <= most else None


def _rounded(value: object, _: Names) -> float | int | None:
    """Four digits tell of any size or time what there is to tell, and of a value nothing."""
    if type(value) is not int and type(value) is not float:
        return None
    number = float(f"{value:.4g}")
    if not 0 <= number < 1e15:
        return None
    return int(number) if type(value) is int else number


def _flag(value: object, _: Names) -> bool | None:
    return value if type(value) is bool else None


def _path(value: object, names: Names) -> str | None:
    return text if (text := str(value)) in names.paths else None


def _host(value: object, names: Names) -> str | None:
    return text if (text := plain(value)) in names.hosts | HOSTS else None


_COUNT = _up_to(9_999_999)

FIELDS: Final[Mapping[str, Check]] = {
    "client": _named("clients"),
    "transformation": _named("transformations"),
    "route": _named("routes"),
    "upstream": _named("routes"),
    "issuer": _named("issuers"),
    "well": _flag,
    "host": _host,
    "path": _path,
    "operation": _one_of(OPERATIONS),
    "code": _one_of(CODES),
    "limit": _one_of(LIMITS),
    "reason": _one_of(REASONS),
    "weakness": _named("phrases"),
    "loses": _named("phrases"),
    "duty": _one_of(DUTIES),
    "error": _one_of(ERRORS),
    "signal": _one_of(frozenset(known.name for known in signal.Signals)),
    "release": _one_of(frozenset({vault.__version__})),
    "request_id": _matching(_UUID),
    "writer": _matching(_WRITER),
    "count": _COUNT,
    "items": _COUNT,
    "people": _COUNT,
    "clients": _COUNT,
    "transformations": _COUNT,
    "workers": _up_to(256),
    "worker": _up_to(256),
    "pid": _up_to(2**22),
    "port": _up_to(65_535),
    "status": _up_to(599),
    "generation": _COUNT,
    "version": _COUNT,
    "retry_after": _COUNT,
    "free_bytes": _rounded,
    "bytes": _rounded,
    "seconds": _rounded,
    "share": _rounded,
    "development": _flag,
    "encrypted": _flag,
    "message": _one_of(MESSAGES),
}


def admit(fields: Mapping[str, object], names: Names) -> dict[str, object]:
    """What of `fields` may be logged: never raises, and nothing unlisted comes out.

    A listed field that does not hold what it should reads ``<withheld>``; of unlisted ones
    not even the name is kept, only how many there were.
    """
    admitted: dict[str, object] = {}
    unlisted = 0
    for name, value in fields.items():
        check = FIELDS.get(name)
        if check is None:
            unlisted += 1
            continue
        try:
            allowed = check(value, names)
        except Exception:  # noqa: BLE001 - a value's own methods may raise anything
            allowed = None
        admitted[name] = WITHHELD if allowed is None else allowed
    if unlisted:
        admitted["withheld"] = unlisted
    return admitted
