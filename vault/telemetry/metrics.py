"""What Prometheus is told: how much, how fast, how full; labels are configured names only.

Counting must not be felt on the hot path, and a prometheus-client counter costs a lock each
time, so requests are tallied in plain integers and handed over by `flush`, once a second and
before a scrape. Several worker processes count into files in ``PROMETHEUS_MULTIPROC_DIR``,
which must be set before prometheus-client is imported; a scrape of any of them adds up all.
"""

import os
from bisect import bisect_left
from collections.abc import Container, Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import MultiProcessValue

import vault
from vault.telemetry.promises import Promises
from vault.telemetry.vocabulary import CODES, LIMITS, OPERATIONS

OTHER: Final = "other"
"""The label of whatever is not configured: nobody can make a label by asking for it."""

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
LAST_RELOAD, RELOADS = "jeton_config_last_reload_success", "jeton_config_reloads"

LATENCIES: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
)  # fmt: skip
SYNCS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)
GROUPS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

disable_created_metrics()  # type: ignore[no-untyped-call]


class _Latency(Histogram):
    """A histogram that takes in many observations at once."""

    def absorb(self, counts: list[int], seconds: float) -> None:
        """`counts` has one number a bucket, not added up; `seconds` is their sum."""
        self._sum.inc(seconds)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class _Tally:
    """What was counted of one operation, transformation and code since the last flush."""

    __slots__ = ("failed", "items", "latencies", "requests", "seconds")

    def __init__(self) -> None:
        self.requests = self.items = self.failed = 0
        self.seconds = 0.0
        self.latencies = [0] * (len(LATENCIES) + 1)


class Metrics:
    """All of a worker's numbers, on a registry of their own.

    `request`, `proxied` and `in_flight` belong to the event loop's thread; the rest may be
    called from any. Names that are not configured count as ``other``.
    """

    in_flight: int
    """Requests that were let in and not yet answered: the service counts it up and down."""

    def __init__(
        self,
        transformations: Iterable[str] = (),
        clients: Iterable[str] = (),
        development: bool = False,
        routes: Iterable[str] = (),
    ) -> None:
        self._routes = frozenset(routes)
        self.in_flight = 0
        self._names = frozenset(transformations)
        self._clients = frozenset(clients)
        self._tallies: dict[tuple[str, str, str], _Tally] = {}
        self._store_calls = _Tally()
        self._messages: dict[tuple[str, str], _Tally] = {}
        self._registry = CollectorRegistry()
        self._make_request_metrics()
        self._make_guard_metrics()
        self._make_record_metrics()
        self._make_proxy_metrics()
        self._make_process_metrics()
        self.promises = Promises(self._counter, self._gauge, _listed)
        self._info.labels(vault.__version__).set(1)
        self._development.set(int(development))

    def know(
        self, transformations: Iterable[str], clients: Iterable[str], routes: Iterable[str] = ()
    ) -> None:
        """The names of a configuration that was reloaded."""
        self._names, self._clients = frozenset(transformations), frozenset(clients)
        self._routes = frozenset(routes)

    # The hot path ------------------------------------------------------------------------

    def request(
        self,
        operation: str,
        transformation: str,
        code: str,
        items: int,
        seconds: float,
        failed: int = 0,
    ) -> None:
        """An answered request: `code` is ``ok`` or a refusal's; `failed` items of `items`."""
        key = (operation, transformation, code)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies.setdefault(self._labels(*key), _Tally())
        tally.requests += 1
        tally.items += items
        tally.failed += failed
        tally.seconds += seconds
        tally.latencies[bisect_left(LATENCIES, seconds)] += 1

    def store_call(self, seconds: float, *, ok: bool) -> None:
        """A call of a store of the network, answered or not."""
        tally = self._store_calls
        tally.failed += not ok
        tally.seconds += seconds
        tally.latencies[bisect_left(LATENCIES, seconds)] += 1

    def proxied(self, route: str, code: str, seconds: float) -> None:
        """A message that the edge proxy passed on (``ok``), or did not."""
        tally = self._messages.get((route, code))
        if tally is None:
            known = _listed(route, self._routes), _listed(code, CODES)
            tally = self._messages.setdefault(known, _Tally())
        tally.requests += 1
        tally.seconds += seconds
        tally.latencies[bisect_left(LATENCIES, seconds)] += 1

    # The rest ----------------------------------------------------------------------------

    def revealed(self, operation: str, persons: int) -> None:
        """An admitted reveal, mask or match of so many distinct persons."""
        self._persons.labels(_listed(operation, OPERATIONS)).inc(persons)

    def refused_budget(self, client: str, limit: str) -> None:
        self._budget.labels(_listed(client, self._clients), _listed(limit, LIMITS)).inc()

    def unauthenticated(self) -> None:
        self._unauthenticated.inc()

    def real_values(self, route: str, count: int) -> None:
        """The leak guard has found so many."""
        self._real_values.labels(_listed(route, self._routes)).inc(count)

    def group(self, size: int, store_seconds: float, sync_seconds: float) -> None:
        """A group of the ledger: how many charges shared it, how long the store took to decide
        it, and the record to be durable."""
        self._group.observe(size)
        self._commit.observe(store_seconds)
        self._sync.observe(sync_seconds)

    def store_error(self) -> None:
        self._store_errors.inc()

    def store_away(self, servers: int) -> None:
        """So many servers of the store are not tried any more, until they are back."""
        self._away.set(servers)

    def tokens_held(self, transformation: str, kind: str, share: float) -> None:
        """Of all random tokens of a kind that may be taken, `share` is."""
        self._taken.labels(_listed(transformation, self._names), kind).set(share)

    def record_failure(self) -> None:
        self._record_failures.inc()

    def record_space(self, free_bytes: int, alarm: bool) -> None:
        self._free.set(free_bytes)
        self._alarm.set(int(alarm))

    def reloaded(self, ok: bool) -> None:
        self._reloads.labels("ok" if ok else "failed").inc()
        self.promises.loaded(ok=ok)

    def flush(self) -> None:
        """Hand the tallies over. Call it once a second, and at the end of a worker."""
        tallies, self._tallies = self._tallies, {}
        for (operation, transformation, code), tally in tallies.items():
            self._requests.labels(operation, transformation, code).inc(tally.requests)
            self._items.labels(operation, transformation).inc(tally.items)
            self._failed.labels(operation, transformation).inc(tally.failed)
            self._latency.labels(operation).absorb(tally.latencies, tally.seconds)
        self._in_flight.set(self.in_flight)
        calls, self._store_calls = self._store_calls, _Tally()
        self._store_latency.absorb(calls.latencies, calls.seconds)
        self._store_errors.inc(calls.failed)
        messages, self._messages = self._messages, {}
        for (route, code), tally in messages.items():
            self._proxied.labels(route, code).inc(tally.requests)
            self._proxied_seconds.absorb(tally.latencies, tally.seconds)

    def render(self) -> tuple[bytes, str]:
        """The body and the content type of ``/metrics``: all workers' where they share a folder."""
        self.flush()
        registry = self._registry
        if folder := os.environ.get(FOLDER):
            registry = CollectorRegistry()
            Together(registry, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def _labels(self, operation: str, transformation: str, code: str) -> tuple[str, str, str]:
        return (
            _listed(operation, OPERATIONS),
            _listed(transformation, self._names),
            _listed(code, CODES),
        )

    # The metrics themselves --------------------------------------------------------------

    def _make_request_metrics(self) -> None:
        of = ("operation", "transformation")
        self._requests = self._counter("requests", "Requests by outcome.", *of, "code")
        self._items = self._counter("items", "Items of requests.", *of)
        self._failed = self._counter("failed_items", "Items that failed by themselves.", *of)
        self._latency = _Latency(
            "jeton_request_seconds",
            "From the whole request read to the answer ready.",
            ("operation",),
            buckets=LATENCIES,
            registry=self._registry,
        )
        self._in_flight = self._gauge("in_flight", "Requests not yet answered.", mode="livesum")

    def _make_guard_metrics(self) -> None:
        self._persons = self._counter("persons", "Distinct persons of a request.", "operation")
        self._budget = self._counter(
            "budget_refusals", "Refused because a limit was reached.", "client", "limit"
        )
        self._unauthenticated = self._counter("unauthenticated", "Requests answered with 401.")

    def _make_proxy_metrics(self) -> None:
        self._proxied = self._counter("proxied", "Messages of the edge proxy.", "route", "code")
        self._proxied_seconds = self._histogram(
            "proxied_seconds", "From a request's head to its answer's end.", LATENCIES
        )
        self._real_values = self._counter(
            "real_values", "Real numbers that the leak guard found.", "route"
        )

    def _make_record_metrics(self) -> None:
        self._group = self._histogram("ledger_group_size", "Charges in one commit.", GROUPS)
        self._commit = self._histogram(
            "store_commit_seconds", "One group's charges, decided by the store.", SYNCS
        )
        self._sync = self._histogram("record_sync_seconds", "One fdatasync.", SYNCS)
        self._store_errors = self._counter("store_errors", "Failed calls of the store.")
        self._store_latency = _Latency(
            "jeton_store_seconds",
            "One call of a store of the network, with what was sent again.",
            buckets=LATENCIES,
            registry=self._registry,
        )
        self._away = self._gauge(
            "store_away",
            "Servers of the store that are not tried until they are back.",
            mode="livemax",
        )
        self._taken = self._gauge(
            "tokens_taken_ratio",
            "Random tokens that are taken, of those that may be (max_fill), as last looked.",
            "transformation",
            "kind",
            mode="livemax",
        )
        self._record_failures = self._counter("record_failures", "Failed writes of the record.")
        self._free = self._gauge("record_free_bytes", "Room left for the record.", mode="livemin")
        self._alarm = self._gauge(
            "record_space_alarm", "1: less room than audit.alarm_bytes.", mode="livemax"
        )

    def _make_process_metrics(self) -> None:
        self._reloads = self._counter("config_reloads", "Reloads by outcome.", "outcome")
        self._info = self._gauge("build_info", "Always 1.", "version", mode="livemax")
        self._development = self._gauge(
            "development", "1: throw-away keys, not for real data.", mode="livemax"
        )
        ProcessCollector(registry=self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"jeton_{name}", text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str, mode: str) -> Gauge:
        return Gauge(
            f"jeton_{name}",
            text,
            labels,
            registry=self._registry,
            multiprocess_mode=mode,  # type: ignore[arg-type] # one of its literals
        )

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> _Latency:
        return _Latency(f"jeton_{name}", text, buckets=buckets, registry=self._registry)


class Together(MultiProcessCollector):
    """The numbers of all workers, the one that is just starting too: prometheus-client makes an
    empty file and fills it a moment later, or never if the worker is killed, and cannot read it
    in between."""

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for file in Path(self._path).glob("*.db") if _has_begun(file)]
        return self.merge(files)  # type: ignore[no-untyped-call,no-any-return]


def _has_begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # a worker that ended meanwhile was forgotten
        return False


def forget_worker(pid: int) -> None:
    """A worker ended: its gauges no longer count. For the supervisor, where there is a folder."""
    if folder := os.environ.get(FOLDER):
        mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


@cache
def _shared() -> Any:
    return MultiProcessValue()  # type: ignore[no-untyped-call]


def parent_reloaded(*, ok: bool) -> None:
    """Workers were replaced, or were not since their parent refused a configuration: the parent's
    word, where they share a folder. It was not there yet when the parent imported this."""
    if not os.environ.get(FOLDER):
        return
    last = _shared()("gauge", LAST_RELOAD, LAST_RELOAD, (), (), "", multiprocess_mode="livemin")
    last.set(int(ok))
    outcome = ("outcome",), ("ok" if ok else "failed",)
    _shared()("counter", RELOADS, f"{RELOADS}_total", *outcome, "").inc(1)


def _listed(name: str, known: Container[str]) -> str:
    return name if name in known else OTHER
