"""A trace goes on in what the service is asked, and nothing else of its context does."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider

import jeton
from jeton import tracing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (PARENT, {"traceparent": PARENT}),
        (None, {}),
        ("", {}),
        ("00-" + "0" * 32 + "-b7ad6b7169203331-01", {}),
        (PARENT.upper(), {}),
        (PARENT + "\r\nX: y", {}),
        ("284057512345672", {}),
    ],
)
def test_a_traceparent_that_came_in_goes_on(given: str | None, sent: dict[str, str]) -> None:
    with tracing.continued(given):
        assert tracing.headers() == sent
    assert tracing.headers() == {}


def test_a_span_of_opentelemetry_goes_before_it_and_baggage_stays() -> None:
    tracer = TracerProvider().get_tracer("test")
    with tracing.continued(PARENT), tracer.start_as_current_span("claim") as span:
        token = context.attach(baggage.set_baggage("nir", "284057512345672"))
        sent = tracing.headers()
        context.detach(token)
    trace_id = trace.format_trace_id(span.get_span_context().trace_id)
    assert sent["traceparent"].split("-")[1] == trace_id
    assert set(sent) <= {"traceparent", "tracestate"}


def test_a_client_sends_what_the_hook_says() -> None:
    seen: list[str | None] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["traceparent"])
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}"
        client = jeton.Client(url, "c", headers=tracing.headers)
        with client, tracing.continued(PARENT), pytest.raises(jeton.NotFound):
            client.transformations()
    assert seen == [PARENT]


def test_it_does_without_opentelemetry() -> None:
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from jeton import tracing\n"
        f"with tracing.continued('{PARENT}'): print(tracing.headers())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout.strip() == str({"traceparent": PARENT}), done.stderr
