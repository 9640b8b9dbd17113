"""What a pod's probes say while Redis is there, away, and back: only readiness asks for it. And
that Prometheus finds its metrics where the monitor says."""

import socket
import ssl
from pathlib import Path

import pytest

from tests.support.kubernetes import one as one_of
from tests.support.kubernetes import port_of
from tests.support.kubernetes_redis import redis_pods
from tests.support.pods import Pod, running
from tests.support.redis import until
from tests.support.rollout import NAME, Deployment, deployed

REQUEST = f"GET /metrics HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode()

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_readiness_follows_redis_and_liveness_does_not(tmp_path: Path) -> None:
    with deployed(tmp_path) as deployment, redis_pods(deployment.cluster) as (servers, sentinels):
        pod = deployment.pod("jeton", 0)
        with running([pod]):
            pod.await_ready()
            assert b"jeton_in_flight" in scraped(deployment, pod)
            assert pod.probe("livenessProbe")
            for one in (*servers, *sentinels):
                one.kill()
            until(lambda: not pod.probe("readinessProbe"), "it is not ready", 30)
            assert pod.probe("livenessProbe")
            assert pod.probe("startupProbe")
            for one in (*servers, *sentinels):
                one.start()
            until(lambda: pod.probe("readinessProbe"), "it is ready again", 60)
            assert pod.process is not None
            assert pod.process.poll() is None


def scraped(deployment: Deployment, pod: Pod) -> bytes:
    """As the ServiceMonitor asks, but by the pod's address."""
    [endpoint] = one_of(deployment.cluster.objects, "ServiceMonitor", "jeton")["spec"]["endpoints"]
    trusted, tls = endpoint["tlsConfig"]["ca"]["secret"], ssl.create_default_context()
    tls.load_verify_locations(deployment.cluster.secret(trusted["name"]) / trusted["key"])
    assert endpoint["tlsConfig"]["serverName"] == NAME
    port = port_of(pod.container, endpoint["port"])
    raw = socket.create_connection((pod.address, port), timeout=10)
    with tls.wrap_socket(raw, server_hostname=NAME) as connection:
        connection.sendall(REQUEST)
        return b"".join(iter(lambda: connection.recv(65_536), b""))
