"""Whether the load generator is the bottleneck: its share of a core, in each of its processes.

A generator without processor time left measures itself. In a distributed run the workers report
their shares to the main process, which makes no load and judges theirs.
"""

import time
from typing import Any

import gevent
from locust import events

WARNING = 0.8
SHARE = "generator_share"


class _Watch:
    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None
        self._share = 0.0
        self.workers: dict[str, float] = {}

    def begin(self) -> None:
        self._began = time.process_time(), time.perf_counter()
        self.workers.clear()

    def share(self) -> float:
        if self._began is not None:
            spent, took = self._began
            wall = max(1e-9, time.perf_counter() - took)
            self._share = (time.process_time() - spent) / wall
        return self._share

    def end(self) -> None:
        self.share()
        self._began = None


_watch = _Watch()


def busiest() -> float:
    """The share of a core, of the process that had the largest: 1.0 is all of it."""
    return max(_watch.workers.values(), default=_watch.share())


@events.init.add_listener  # type: ignore[untyped-decorator]
def _look_at_the_clock(**_: Any) -> None:
    """gevent's is as old as its last turn, before all was imported: by as much a run whose time
    counts from now would end too early, and a short one on a slow machine at once."""
    gevent.get_hub().loop.update_now()


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(**_: Any) -> None:
    _watch.begin()


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _end(**_: Any) -> None:
    _watch.end()


@events.report_to_master.add_listener  # type: ignore[untyped-decorator]
def _report(data: dict[str, Any], **_: Any) -> None:
    data[SHARE] = _watch.share()


@events.worker_report.add_listener  # type: ignore[untyped-decorator]
def _hear(client_id: str, data: dict[str, Any], **_: Any) -> None:
    _watch.workers[client_id] = data[SHARE]
