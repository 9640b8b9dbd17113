"""What Prometheus is told of the record's way to a SIEM: a process of its own, and so a page."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    start_http_server,
)

disable_created_metrics()  # type: ignore[no-untyped-call]


class ShippingMetrics:
    """Numbers without labels."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._until = Gauge(
            "jeton_ship_until_seconds",
            "All that was recorded before this was confirmed; 0: not since the start.",
            registry=self.registry,
        )
        self._events = Counter(
            "jeton_ship_events", "Events that were confirmed.", registry=self.registry
        )
        self._failures = Counter(
            "jeton_ship_failures", "Batches that were not confirmed.", registry=self.registry
        )

    def serve(self, host: str, port: int) -> None:
        """`/metrics` from a thread that ends with the process. Raises OSError."""
        start_http_server(port, host, self.registry)

    def confirmed(self, events: int) -> None:
        self._events.inc(events)

    def failed(self) -> None:
        self._failures.inc()

    def caught_up(self, at: float) -> None:
        """There was nothing else to send at this time."""
        self._until.set(at)
