"""Spans by OpenTelemetry: how long, where, with which outcome; never of what.

On where the environment names an exporter as OpenTelemetry does (OTEL_EXPORTER_OTLP_ENDPOINT), and
then only is it imported: it is an extra, `jeton[otel]`. Attributes are names of the configuration,
codes and counts. Exceptions are not recorded, since their messages may quote what they choked on.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import vault

CARRIED: Final = ("traceparent", "tracestate")
"""What is read of a request; baggage is not."""
SERVER_ERROR: Final = 500
LAST_SECONDS: Final = 3.0
"""What the exporter would wait for by itself is longer than a pod's grace."""


class Traces:
    """A process's tracer. OpenTelemetry's own variables say where to, how many and who we are."""

    def __init__(self) -> None:
        service = Resource({"service.name": "jeton", "service.version": vault.__version__})
        self._provider = TracerProvider(
            resource=service.merge(Resource.create()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("jeton", vault.__version__)
        self._carrier = TraceContextTextMapPropagator()

    def request(self, method: str, route: str, fields: Mapping[bytes, bytes]) -> Span:
        """Begin the span of a request, in the trace that its headers name; `answered` ends it."""
        carried = {
            name: fields[name.encode()].decode("latin-1")
            for name in CARRIED
            if name.encode() in fields
        }
        known = {"http.request.method": method, "http.route": route}
        context = self._carrier.extract(carried, context=Context())
        return self._tracer.start_span(f"{method} {route}", context, SpanKind.SERVER, known)

    @contextmanager
    def within(self, span: Span) -> Iterator[None]:
        """What begins in here is a part of `span`."""
        with trace.use_span(
            span, end_on_exit=False, record_exception=False, set_status_on_exception=False
        ):
            yield

    def answered(self, span: Span, status: int) -> None:
        span.set_attribute("http.response.status_code", status)
        if status >= SERVER_ERROR:
            span.set_status(StatusCode.ERROR)
        span.end()

    @contextmanager
    def part(
        self, name: str, attributes: Mapping[str, str | int], of: Sequence[Span] = ()
    ) -> Iterator[Span]:
        """A span of the current one; where it is done for several at once, of the first of them,
        with links to the others. It fails where this is left by an exception. Of what is not
        sampled there are no parts."""
        sampled = [span for span in of if span.is_recording()]
        whole = next(iter([*sampled, *of]), None) or trace.get_current_span()
        if whole.get_span_context().is_valid and not whole.is_recording():
            yield whole
            return
        context = trace.set_span_in_context(whole)
        links = [Link(span.get_span_context()) for span in sampled[1:]]
        with self._tracer.start_as_current_span(
            name,
            context,
            attributes=attributes,
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException:
                span.set_status(StatusCode.ERROR)
                raise

    def close(self) -> None:
        """Send what is left; a collector that has not taken it in time goes without."""
        ending = Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(LAST_SECONDS)
