"""A reload that was refused was told by no metric of the edge proxy, nor of several workers, whose
parent judges it: the alert could not fire. A SIGHUP that came while workers started was not
heeded before something else happened."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.proxied import Edge
from tests.support.service import Service
from tests.support.upstream import upstream
from tests.telemetry.test_metrics import parsed, value

pytestmark = pytest.mark.system
ROUTE = '[proxy.routes.main]\nlistener = "main"\nupstream = "main"\n'
MOST_SECONDS = 30.0


def test_of_several_workers(tmp_path: Path) -> None:
    service = Service.create(tmp_path)
    service.launch(workers=2)
    service.await_ready()  # the other may still be starting: it is scraped and reloaded so, too
    try:
        assert service.process is not None
        follows(service, service.process.pid, service.url)
    finally:
        service.stop()


def test_of_the_edge_proxy(tmp_path: Path) -> None:
    with upstream() as behind:
        edge = Edge.create(tmp_path, behind.port, ROUTE)
        with edge.running():
            assert edge.process is not None
            follows(edge.service, edge.process.pid, f"http://127.0.0.1:{edge.pages}")


def follows(service: Service, pid: int, url: str) -> None:
    def told(last: int, outcome: str, times: int) -> Callable[[], bool]:
        def look() -> bool:
            with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
                seen = parsed(answer.read())
            counted = value(seen, "config_reloads_total", outcome=outcome) or 0
            return (value(seen, "config_last_reload_success"), counted) == (last, times)

        return look

    right = service.config.read_text("utf-8")
    until(told(1, "failed", 0))
    for times in (1, 2):
        service.edit(lambda text: text + "\nnonsense = ]\n")
        os.kill(pid, signal.SIGHUP)
        until(told(0, "failed", times))
        service.config.write_text(right, "utf-8")
        os.kill(pid, signal.SIGHUP)
        until(told(1, "ok", times))


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
