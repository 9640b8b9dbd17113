"""The Redis of the manifests, as pods: they find one another, a rollout of the primary hands its
place over, and a volume that is lost takes nothing along."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from tests.support.certificates import Authority
from tests.support.components import need_program
from tests.support.kubernetes import need_tool, overlay
from tests.support.kubernetes_redis import (
    ask,
    certificate,
    passwords,
    primary,
    redis_pods,
    write,
)
from tests.support.pods import Cluster, Pod
from tests.support.redis import until

pytestmark = [pytest.mark.system, pytest.mark.slow]

Pods = tuple[list[Pod], list[Pod]]


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    need_tool("kubectl")
    for program in ("bwrap", "redis-server", "redis-sentinel"):
        need_program(program)
    secrets = {
        "jeton-redis": passwords(),
        "jeton-redis-tls": certificate(Authority.create(tmp_path)),
    }
    with redis_pods(Cluster(tmp_path / "cluster", overlay("prod"), secrets)) as started:
        await_whole(*started)
        yield started


def await_whole(servers: list[Pod], sentinels: list[Pod]) -> None:
    """One primary, on which all agree, with two replicas that keep up and that they know."""

    def is_whole() -> bool:
        with suppress(redis.RedisError):
            first = primary(servers, sentinels)
            role, _, replicas = ask(first, "ROLE")
            known = [ask(one, "SENTINEL", "MASTER", "jeton") for one in sentinels]
            return (
                role == b"master"
                and len(replicas) == 2
                and all(primary(servers, [one]) is first for one in sentinels)
                and all(one[b"num-slaves"] == b"2" for one in known)
            )
        return False

    until(is_whole, "a primary with two replicas", 60)


def test_a_primary_that_is_stopped_hands_over_and_comes_back_as_a_replica(pods: Pods) -> None:
    servers, sentinels = pods
    old = primary(servers, sentinels)
    write(old, "jt:a", "kept")
    assert old.stop() == 0
    new = primary(servers, sentinels)
    assert new is not old
    assert ask(new, "ROLE")[0] == b"master"
    old.start()
    old.await_ready()
    assert ask(old, "ROLE")[0] == b"slave"
    await_whole(servers, sentinels)
    assert write(new, "jt:b", "new", get="jt:a") == b"kept"


def test_a_first_pod_that_lost_its_volume_asks_who_is_primary(pods: Pods) -> None:
    servers, sentinels = pods
    first = servers[0]
    write(first, "jt:a", "kept")
    assert first.stop() == 0
    shutil.rmtree(first.cluster.volume("data", first.name))
    first.start()
    first.await_ready()
    assert ask(first, "ROLE")[0] == b"slave"
    await_whole(servers, sentinels)
    assert write(primary(servers, sentinels), "jt:b", "new", get="jt:a") == b"kept"


def test_a_sentinel_that_restarts_knows_what_it_learned(pods: Pods) -> None:
    servers, sentinels = pods
    one = sentinels[0]
    before = ask(one, "SENTINEL", "MYID")
    assert primary(servers, sentinels).stop() == 0  # so that the primary is not the first pod
    new = primary(servers, sentinels)
    assert one.stop() == 0
    one.start()
    one.await_ready()
    assert ask(one, "SENTINEL", "MYID") == before
    assert primary(servers, [one]) is new
    assert len(ask(one, "SENTINEL", "SENTINELS", "jeton")) == 2
