"""W3C trace context for the service's log and traces: pass `headers` to a client.

    client = jeton.Client(headers=jeton.tracing.headers)

Where OpenTelemetry is installed, its propagator says what to send, in the context of the
caller; else `traceparent`, which whoever takes a request in has set:

    with jeton.tracing.continued(request.headers.get("traceparent")): ...
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

try:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:
    _propagator = None
else:
    _propagator = TraceContextTextMapPropagator()

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_current: ContextVar[str | None] = ContextVar("jeton_traceparent", default=None)


@contextmanager
def continued(traceparent: str | None) -> Iterator[None]:
    """Let calls made within carry this `traceparent`; one that is none is left out."""
    valid = traceparent is not None and _TRACEPARENT.fullmatch(traceparent)
    token = _current.set(traceparent if valid else None)
    try:
        yield
    finally:
        _current.reset(token)


def headers() -> Mapping[str, str]:
    """``traceparent``, and ``tracestate`` where there is one, of the current context.

    No baggage is sent: it is the application's, and may hold anything."""
    sent: dict[str, str] = {}
    if _propagator is not None:
        _propagator.inject(sent)
    current = _current.get()
    if not sent and current is not None:
        sent["traceparent"] = current
    return sent
