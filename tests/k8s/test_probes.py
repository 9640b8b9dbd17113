"""What a pod's probes say while Redis is there, away, and back: only readiness asks for it."""

import sys
from pathlib import Path

import pytest

from tests.support.components import need_program
from tests.support.kubernetes import need_tool
from tests.support.kubernetes_redis import redis_pods
from tests.support.pods import running
from tests.support.redis import until
from tests.support.rollout import Deployment

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_readiness_follows_redis_and_liveness_does_not(tmp_path: Path) -> None:
    need_tool("kubectl")
    for program in ("bwrap", "redis-server", "redis-sentinel"):
        need_program(program)
    deployment = Deployment.create(tmp_path)
    pod = deployment.pod("jeton", 0, (sys.executable, "-m", "vault"))
    with redis_pods(deployment.cluster) as (servers, sentinels), running([pod]):
        pod.await_ready()
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
