"""A rolling restart of the production overlay, by its own probes, preStop and grace, under load:
a configuration with new credentials comes in, certificates change, and nobody notices."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from signal import SIGHUP
from time import monotonic
from typing import Literal

import pytest
from hypothesis import settings

from benchmarks.population import nirs
from tests.support.balancer import Balancer
from tests.support.certificates import serial_of
from tests.support.pods import Pod
from tests.support.redis import eventually
from tests.support.rollout import NAME, Deployment, deployed
from tests.support.steady_load import PURPOSE, Load
from vault.audit.entry import Receipt
from vault.audit.verify import verify
from vault.cli.folders import of_each
from vault.config import load
from vault.rules import Rules

pytestmark = [pytest.mark.system, pytest.mark.slow]

LONG = settings.get_current_profile_name() == "long"
RATE, SECONDS, RESTARTED = (500.0, 60.0, 3) if LONG else (60.0, 0.0, 1)
PLENTY = 10**9
LIMITS = {
    f"{spent}.{window}": PLENTY for spent in ("tokenise", "reveal") for window in ("hour", "day")
}


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with deployed(tmp_path) as made:
        made.client("load-in", ["tokenise:fr-nir"], LIMITS)
        made.client("load-out", [f"detokenise:fr-nir:{PURPOSE}"], {**LIMITS, "people.day": PLENTY})
        made.apply()
        yield made


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", ["http", "tcp"] if LONG else ["http"])
async def test_a_rolling_restart_under_load_fails_no_request_and_misses_no_record(
    deployment: Deployment, mode: Literal["http", "tcp"]
) -> None:
    clients = ("load-in", "load-out")
    with deployment.running(mode) as (pods, balancer):
        write, reveal = (deployment.credentials[client] for client in clients)
        tls = deployment.authority.trusting() if mode == "tcp" else None
        url = f"{'https' if tls else 'http'}://localhost:{balancer.port}"
        load = Load(url, RATE, write, reveal, list(nirs(200, seed=3)), tls)
        began = monotonic()
        async with load:
            await asyncio.to_thread(roll, deployment, pods[-RESTARTED:], balancer, clients)
            renewed = deployment.certify("third")
            for pod in pods:
                pod.signal(SIGHUP)
            for pod in pods:
                await eventually(lambda pod=pod: shown(deployment, pod) == renewed.serial, pod.name)
            if len(pods) == RESTARTED:
                load.write, load.reveal = (deployment.credentials[client] for client in clients)
            await asyncio.sleep(max(1.0, SECONDS - (monotonic() - began)))
        seconds = monotonic() - began
        report(load, seconds)
        assert not load.failures
        assert load.answered > RATE * seconds * 0.8
    assert missing_of(deployment, pods, load.receipts) == []


def roll(
    deployment: Deployment, pods: list[Pod], balancer: Balancer, clients: tuple[str, ...]
) -> None:
    """A second credential for each client and a new certificate, brought in by a rollout."""
    for client in clients:
        deployment.rotate(client)
    deployment.apply()
    deployment.certify("second")
    deployment.restart(pods, balancer)


def shown(deployment: Deployment, pod: Pod) -> int:
    """The serial of the certificate that a pod shows."""
    raw = socket.create_connection((pod.address, 8200), timeout=5)
    with closing(deployment.authority.trusting().wrap_socket(raw, server_hostname=NAME)) as tls:
        return serial_of(tls)


def missing_of(deployment: Deployment, pods: list[Pod], receipts: list[str]) -> list[str]:
    """What of the receipts is not in the record, and whatever else is wrong with it."""
    key = Rules(load(deployment.service.config, {})).record_key()
    folders = [deployment.cluster.volume("record", pod.name) / "audit" for pod in pods]
    known = of_each(folders, {}, [Receipt.parse(text) for text in receipts], [])
    findings: list[str] = []
    for each in known:
        report = verify(each.folder, key, receipts=each.receipts)
        findings += [str(finding) for finding in report.findings]
    assert sum(len(each.receipts) for each in known) == len(receipts) > 0
    return findings


def report(load: Load, seconds: float) -> None:
    print(
        f"{load.answered} answered in {seconds:.1f} s, {len(load.receipts)} of them reveals; "
        f"the slowest took {load.slowest * 1000:.0f} ms; failures: {dict(load.failures)}"
    )
