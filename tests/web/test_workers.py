"""Workers that do not come up: at start, later, and at a reload."""

import http.client
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.processes import children
from tests.support.small_service import SICK, Running, running

pytestmark = pytest.mark.system

WHY = {
    "refuses": "this worker does not feel like it",
    "dies": "a worker ended before it served, killed by SIGKILL",
    "hangs": "a worker did not serve within 15 seconds",
}
TWO = {"workers": 2, "startup_timeout": 15.0, "shutdown_timeout": 2.0}
"""A worker takes a second to start, and several on a busy machine."""


@pytest.fixture
def sickness(tmp_path: Path) -> Path:
    return tmp_path / "sickness"


def pid(service: Running) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        connection.request("GET", "/metrics")
        return int(connection.getresponse().read().split()[1])


@pytest.mark.parametrize("how", WHY)
def test_a_start_without_workers_fails_and_says_why(sickness: Path, how: str) -> None:
    sickness.write_text(how)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.small_service",
            json.dumps({"port": 0, **TWO}),
        ],
        env=os.environ | {SICK: str(sickness)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"jeton: {WHY[how]}"
    assert done.stderr.count(WHY[how]) == 1
    assert done.stdout == ""


@pytest.mark.parametrize("how", WHY)
def test_a_reload_that_no_worker_survives_changes_nothing(sickness: Path, how: str) -> None:
    with running(TWO, {SICK: str(sickness)}, capture=True) as service:
        before = set(children(service.process.pid))
        assert len(before) == 2
        sickness.write_text(how)
        service.process.send_signal(signal.SIGHUP)
        service.said(f"not reloaded: {WHY[how]}".encode())
        assert before <= set(children(service.process.pid))
        assert {pid(service) for _ in range(10)} <= before
        sickness.unlink()
        service.process.send_signal(signal.SIGHUP)
        service.said(b'"reloaded"')
        assert not {pid(service) for _ in range(10)} & before


def test_workers_that_cannot_live_are_started_ever_less_often(sickness: Path) -> None:
    with running(TWO, {SICK: str(sickness)}, capture=True) as service:
        victim = pid(service)
        sickness.write_text("refuses")
        os.kill(victim, signal.SIGKILL)
        service.said(b'"worker-died"')
        times = []
        for _ in range(4):  # at once, then after 1, 2 and 4 seconds
            died = json.loads(service.said(b'"worker-died"'))
            service.said(WHY["refuses"].encode())
            times.append(datetime.fromisoformat(died["timestamp"]).timestamp())
        pauses = [after - before for before, after in pairwise(times)]
        assert pauses[0] > 0.9
        assert pauses[1] > 1.9
        assert pauses[2] > 3.9
        assert pid(service) != victim, "the other one serves"
        sickness.unlink()
        service.said(b'"serving"')


def test_told_to_end_while_a_worker_hangs(sickness: Path) -> None:
    with running({**TWO, "startup_timeout": 60.0}, {SICK: str(sickness)}, capture=True) as service:
        sickness.write_text("hangs")
        service.process.send_signal(signal.SIGHUP)
        service.said(b'"worker-started"')
        service.process.send_signal(signal.SIGTERM)
        assert service.wait() == 0
