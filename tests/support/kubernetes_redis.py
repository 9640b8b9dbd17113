"""The Redis of the manifests, run as pods: three servers, three sentinels, TLS, passwords."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from tests.support.certificates import Authority, Pair
from tests.support.pods import DOMAIN, Cluster, Pod, running

ALL = ("service", "replica", "watcher", "sentinel")
HOSTS = (f"*.jeton-redis.{DOMAIN}", f"*.jeton-sentinel.{DOMAIN}", f"jeton-sentinel.{DOMAIN}")
"""What the servers' certificate is for, as `k8s/components/redis` says."""


def passwords() -> dict[str, bytes]:
    """With a line end, as an editor or `echo` leaves one."""
    return {name: f"{secrets.token_hex(24)}\n".encode() for name in ALL}


def certificate(authority: Authority) -> dict[str, bytes]:
    return {"ca.crt": authority.path.read_bytes(), **files(authority.issue("redis", hosts=HOSTS))}


def files(pair: Pair) -> dict[str, bytes]:
    return {"tls.crt": pair.certificate, "tls.key": pair.key}


@contextmanager
def redis_pods(cluster: Cluster) -> Iterator[tuple[list[Pod], list[Pod]]]:
    """Servers and sentinels, ready."""
    servers = [_bound(cluster, "jeton-redis", number) for number in range(3)]
    sentinels = [_bound(cluster, "jeton-sentinel", number) for number in range(3)]
    with running([*servers, *sentinels]):
        for pod in [*servers, *sentinels]:
            pod.await_ready()
        yield servers, sentinels


def _bound(cluster: Cluster, name: str, number: int) -> Pod:
    """To its own address, as all share the loopback's ports."""
    pod = cluster.pod(name, number)
    pod.extra = ("--bind", pod.address)
    return pod


def ask(pod: Pod, *command: str) -> Any:
    """As the user that watches; of a sentinel, as its only one."""
    is_sentinel = pod.name.startswith("jeton-sentinel")
    name, port = ("sentinel", 26379) if is_sentinel else ("watcher", 6379)
    with _client(pod, port, None if is_sentinel else name, name) as client:
        return client.execute_command(*command)


def write(pod: Pod, key: str, value: str, get: str | None = None) -> Any:
    """As the service writes; returns what stands under `get`."""
    with _client(pod, 6379, "jeton", "service") as client:
        assert client.set(key, value)
        assert client.wait(1, 5_000) >= 1
        return client.get(get or key)


def _client(pod: Pod, port: int, user: str | None, password: str) -> "redis.Redis":
    secret = pod.cluster.secret("jeton-redis") / password
    return redis.Redis(
        pod.address,
        port,
        username=user,
        password=secret.read_text().strip(),
        ssl=True,
        ssl_cert_reqs="none",
        ssl_check_hostname=False,
        socket_timeout=10,
    )


def primary(pods: list[Pod], sentinels: list[Pod]) -> Pod:
    """As the sentinels see it."""
    host = ask(sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "jeton")[0].decode()
    return next(pod for pod in pods if host.startswith(f"{pod.name}."))
