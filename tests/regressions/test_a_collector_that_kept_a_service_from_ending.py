"""A collector of traces that answers a byte at a time kept a service half a minute from its end,
which is longer than what a pod has left of its grace."""

import time
from pathlib import Path

import pytest

from tests.regressions.test_receivers_that_answer_a_byte_at_a_time import dripping
from tests.support.components import need_module
from tests.support.service import Service

pytestmark = pytest.mark.system
MOST_SECONDS = 12.0


def test_it_goes_without(tmp_path: Path) -> None:
    need_module("opentelemetry.exporter.otlp.proto.http")
    with dripping() as port:
        service = Service.create(tmp_path)
        service.environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        credential = service.add_client("desk", ["tokenise:fr-nir"])
        service.start()
        for _ in range(2):
            body = {"value": "284057512345672"}
            assert service.post("tokenise/fr-nir", body, credential).status == 200
            time.sleep(0.3)  # the first batch is on its way then, and what follows waits for it
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < MOST_SECONDS
