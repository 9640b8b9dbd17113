"""Traces of a real service at a real collector: whole, continued, and of nothing that is secret."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import jeton
import jeton.tracing
from tests.support.collector import Collector
from tests.support.components import need_module
from tests.support.service import Service

pytestmark = pytest.mark.system

SERVER = 2
NIR = "284057512345672"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GRANTS = ["tokenise:fr-nir", "detokenise:fr-nir:care", "tokenise:kept", "detokenise:kept:care"]
KEPT = '\n[transformations.kept]\nformat = "fr-nir"\nmethod = "vaulted"\n'


@pytest.fixture
def collector() -> Iterator[Collector]:
    need_module("opentelemetry.exporter.otlp.proto.http")
    with Collector() as made:
        yield made


@pytest.fixture
def traced(new_service: Callable[[], Service], collector: Collector) -> Service:
    service = new_service()
    service.edit(lambda text: text + KEPT)
    service.add_client("desk", GRANTS)
    service.environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    return service.start()


def attributes(span: Any) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_trace_goes_on_in_the_service(traced: Service, collector: Collector) -> None:
    with (
        jeton.Client(
            traced.url,
            traced.credentials["desk"],
            purpose="care",
            headers=jeton.tracing.headers,
        ) as client,
        jeton.tracing.continued(f"00-{TRACE}-{PARENT}-01"),
    ):
        token = client.tokenise("fr-nir", NIR)
        assert client.detokenise("fr-nir", token).reveal() == NIR
        kept = client.tokenise("kept", NIR)
        assert client.detokenise("kept", kept).reveal() == NIR
    assert traced.stop() == 0
    spans = [span for span in collector.spans if span.trace_id.hex() == TRACE]
    known = {span.span_id: span for span in spans}
    roots = [span for span in spans if span.parent_span_id.hex() == PARENT]
    assert {span.name for span in roots} == {
        "POST /v1/tokenise/{transformation}",
        "POST /v1/detokenise/{transformation}",
    }
    assert all(attributes(span)["http.response.status_code"] == 200 for span in roots)

    def under(span: Any) -> str:
        return str(known[span.parent_span_id].name)

    parts = {(under(span), span.name) for span in spans if span not in roots}
    detokenise = "POST /v1/detokenise/{transformation}"
    tokenise = "POST /v1/tokenise/{transformation}"
    assert {
        (tokenise, "engine tokenise"),
        (tokenise, "store lease"),
        (tokenise, "store create"),
        (detokenise, "engine detokenise"),
        (detokenise, "ledger settle"),
        ("ledger settle", "store commit"),
        (detokenise, "store find"),
    } <= parts
    told = b"".join(collector.raw)
    for secret in (NIR, str(token), str(kept), traced.credentials["desk"]):
        assert secret.encode() not in told


def test_a_group_is_one_commit_with_links(traced: Service, collector: Collector) -> None:
    desk = traced.credentials["desk"]
    token = traced.post("tokenise/fr-nir", {"value": NIR}, desk).body["token"]
    with ThreadPoolExecutor(16) as callers:
        asked = [
            callers.submit(traced.post, "detokenise/fr-nir", {"token": token}, desk, "care")
            for _ in range(64)
        ]
    assert [one.result().status for one in asked] == [200] * 64
    traced.stop()
    settles = {span.span_id for span in collector.named("ledger settle")}
    commits = [span for span in collector.named("store commit") if span.parent_span_id in settles]
    told = [attributes(span)["jeton.charges"] for span in commits]
    assert all(1 + len(span.links) == charges for span, charges in zip(commits, told, strict=True))
    assert sum(int(charges) for charges in told) == len(settles) == 64


def test_what_is_not_sampled_hides_nothing_of_what_is(
    traced: Service, collector: Collector
) -> None:
    desk = traced.credentials["desk"]
    token = traced.post("tokenise/fr-nir", {"value": NIR}, desk).body["token"]

    def ask(number: int) -> None:
        with (
            jeton.Client(traced.url, desk, purpose="care", headers=jeton.tracing.headers) as client,
            jeton.tracing.continued(f"00-{number + 1:032x}-{PARENT}-0{number % 2}"),
        ):
            client.detokenise("fr-nir", token)

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(ask, range(48)))
    traced.stop()
    seen = {int(span.trace_id.hex(), 16) - 1 for span in collector.named("ledger settle")}
    assert seen == set(range(1, 48, 2))
    commits = collector.named("store commit")
    found = {span.parent_span_id for span in commits}
    found |= {link.span_id for span in commits for link in span.links}
    assert {span.span_id for span in collector.named("ledger settle")} <= found


def test_a_failure_is_one_and_says_nothing(traced: Service, collector: Collector) -> None:
    desk = traced.credentials["desk"]
    secret = str(uuid.uuid4())
    assert traced.post(f"tokenise/{secret}", {"value": secret}, desk).status == 404
    assert traced.post(f"{secret}/fr-nir", {"value": secret}, desk).status == 404
    assert traced.post("tokenise/fr-nir", {"value": secret}, secret).status == 401
    assert traced.post("detokenise/fr-nir", {"token": NIR}, desk, secret[:8]).status == 403
    traced.stop()
    server = [span for span in collector.spans if span.kind == SERVER]
    statuses = [attributes(span)["http.response.status_code"] for span in server]
    assert sorted(map(int, statuses)) == [401, 403, 404, 404]
    assert secret.encode() not in b"".join(collector.raw)
    assert secret[:8].encode() not in b"".join(collector.raw)


OFF = """
import sys
from vault.config import load
from vault.process import Process
from pathlib import Path
process = Process(load(Path(sys.argv[1]), {}))
assert type(process.application.calls).__name__ == "Calls"
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
assert "vault.traced" not in sys.modules
"""


def test_off_nothing_of_it_is_there(new_service: Callable[[], Service]) -> None:
    config = str(new_service().config)
    subprocess.run([sys.executable, "-c", OFF, config], check=True, timeout=60)
