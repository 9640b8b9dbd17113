"""Numbers that add up, labels that nobody can invent, and workers that count as one."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

import vault
from tests.support.leaks import distinctive_values, found
from vault.telemetry.metrics import GROUPS, LATENCIES, OTHER, SYNCS, Metrics
from vault.telemetry.vocabulary import CODES, OPERATIONS


def metrics() -> Metrics:
    return Metrics(["fr-nir", "digits"], ["portal"])


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(body: bytes) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"jeton_{name}", frozenset(labels.items())))


requests = st.lists(
    st.tuples(
        st.sampled_from([*sorted(OPERATIONS), "delete"]),
        st.sampled_from(["fr-nir", "digits", "nothing"]),
        st.sampled_from(["ok", "budget_exhausted", "made_up"]),
        st.integers(0, 10_000),
        st.sampled_from(LATENCIES) | st.floats(0, 20),
        st.booleans(),
    ),
    max_size=30,
)


@given(requests)
def test_every_request_is_counted_once_wherever_the_flushes_fall(
    made: list[tuple[str, str, str, int, float, bool]],
) -> None:
    counted, outcomes, items = metrics(), Counter[str](), 0
    for operation, transformation, code, count, seconds, flush in made:
        counted.request(operation, transformation, code, count, seconds, failed=count // 2)
        outcomes[code if code in CODES else OTHER] += 1
        items += count
        if flush:
            counted.flush()
    samples = parsed(counted.render()[0])

    def total(name: str, **having: str) -> float:
        return sum(
            number
            for (sample, labels), number in samples.items()
            if sample == f"jeton_{name}" and labels >= frozenset(having.items())
        )

    for code in ("ok", "budget_exhausted", OTHER):
        assert total("requests_total", code=code) == outcomes[code]
    assert total("items_total") == items
    assert total("failed_items_total") == sum(count // 2 for *_, count, _, _ in made)
    assert total("request_seconds_count") == len(made)
    assert total("request_seconds_sum") == pytest.approx(sum(seconds for *_, seconds, _ in made))
    for bound in LATENCIES:
        under = sum(seconds <= bound for *_, seconds, _ in made)
        assert total("request_seconds_bucket", le=str(bound)) == under


def test_the_rest_is_told() -> None:
    told = metrics()
    told.in_flight = 3
    told.revealed("mask", 5)
    told.refused_budget("portal", "people.day")
    told.unauthenticated()
    told.group(3, 0.0002, 0.0004)
    told.store_error()
    told.record_failure()
    told.record_space(123_456, alarm=True)
    told.reloaded(ok=False)
    told.reloaded(ok=True)
    body, kind = told.render()
    samples = parsed(body)
    assert kind.startswith("text/plain")
    assert value(samples, "in_flight") == 3
    assert value(samples, "persons_total", operation="mask") == 5
    assert value(samples, "budget_refusals_total", client="portal", limit="people.day") == 1
    assert value(samples, "unauthenticated_total") == 1
    assert value(samples, "ledger_group_size_sum") == 3
    assert value(samples, "record_sync_seconds_bucket", le="0.0005") == 1
    assert value(samples, "record_sync_seconds_bucket", le="0.00025") == 0
    assert value(samples, "store_errors_total") == 1
    assert value(samples, "record_failures_total") == 1
    assert value(samples, "record_free_bytes") == 123_456
    assert value(samples, "record_space_alarm") == 1
    assert value(samples, "config_reloads_total", outcome="failed") == 1
    assert (value(samples, "config_loaded_at_seconds") or 0) > 1.7e9
    assert value(samples, "build_info", version=vault.__version__) == 1
    assert value(samples, "development") == 0
    assert ("process_open_fds", frozenset()) in samples


def test_development_shows() -> None:
    assert value(parsed(Metrics(development=True).render()[0]), "development") == 1


def test_no_label_is_made_by_asking_for_it() -> None:
    asked, values = metrics(), distinctive_values()
    for unknown in values:
        asked.request(unknown, unknown, unknown, 1, 0.1)
        asked.refused_budget(unknown, unknown)
        asked.revealed(unknown, 1)
    body = asked.render()[0].decode()
    samples = parsed(body.encode())
    assert found(body, values) == set()
    labels = {"operation": OTHER, "transformation": OTHER, "code": OTHER}
    assert value(samples, "requests_total", **labels) == len(values)
    assert value(samples, "budget_refusals_total", client=OTHER, limit=OTHER) == len(values)


def test_names_follow_a_reload() -> None:
    told = metrics()
    told.know(["birth-date"], ["intake"])
    told.request("mask", "birth-date", "ok", 1, 0.1)
    told.request("mask", "fr-nir", "ok", 1, 0.1)
    told.refused_budget("intake", "match.hour")
    samples = parsed(told.render()[0])
    for name in ("birth-date", OTHER):
        assert value(samples, "items_total", operation="mask", transformation=name) == 1
    assert value(samples, "budget_refusals_total", client="intake", limit="match.hour") == 1


def test_what_was_tallied_under_a_name_that_a_reload_removed_is_still_told() -> None:
    told = metrics()
    told.request("mask", "fr-nir", "ok", 1, 0.1)
    told.know([], [])
    samples = parsed(told.render()[0])
    assert value(samples, "items_total", operation="mask", transformation="fr-nir") == 1


def test_buckets_rise() -> None:
    for buckets in (LATENCIES, SYNCS, GROUPS):
        assert list(buckets) == sorted(set(buckets))


WORKER = """
from vault.telemetry.metrics import Metrics
m = Metrics(["fr-nir"], ["portal"])
m.request("mask", "fr-nir", "ok", 7, 0.002)
m.in_flight = 2
m.record_space(FREE, alarm=False)
m.flush()
print(os.getpid())
"""
SCRAPE = """
from vault.telemetry.metrics import Metrics, forget_worker
for pid in PIDS:
    forget_worker(pid)
m = Metrics(["fr-nir"], ["portal"])
m.record_space(450, alarm=True)
m.request("mask", "fr-nir", "ok", 1, 0.002)
sys.stdout.write(m.render()[0].decode())
"""


def in_process(script: str, folder: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", "import os, sys\n" + script],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_workers_count_as_one(tmp_path: Path) -> None:
    first = int(in_process(WORKER.replace("FREE", "500"), tmp_path))
    second = int(in_process(WORKER.replace("FREE", "400"), tmp_path))
    samples = parsed(in_process(SCRAPE.replace("PIDS", f"({first}, {second})"), tmp_path).encode())
    mask = {"operation": "mask", "transformation": "fr-nir"}
    assert value(samples, "requests_total", **mask, code="ok") == 3
    assert value(samples, "items_total", **mask) == 15
    assert value(samples, "request_seconds_count", operation="mask") == 3
    assert value(samples, "record_free_bytes") == 450
    assert value(samples, "in_flight") == 0, "workers that ended have none in flight"
    assert value(samples, "build_info", version=vault.__version__) == 1


def test_living_workers_gauges_are_put_together(tmp_path: Path) -> None:
    in_process(WORKER.replace("FREE", "500"), tmp_path)
    in_process(WORKER.replace("FREE", "400"), tmp_path)
    samples = parsed(in_process(SCRAPE.replace("PIDS", "()"), tmp_path).encode())
    assert value(samples, "in_flight") == 4
    assert value(samples, "record_free_bytes") == 400
    assert value(samples, "record_space_alarm") == 1
