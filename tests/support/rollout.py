"""The production overlay as processes, and what changes of it a cluster would carry out.

deployment = Deployment.create(tmp_path)          # keys, secrets, certificates, clients
with deployment.running() as (pods, balancer): ...
    deployment.configure(change)                  # a new ConfigMap, by kustomize
    restart(pods, balancer, deployment)           # as a StatefulSet does
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from tests.support import kubernetes_redis as redis
from tests.support.balancer import Balancer
from tests.support.certificates import Authority, Pair
from tests.support.kubernetes import K8S, ROOT, one, text_of
from tests.support.pods import DOMAIN, HOST_ROOT, Cluster, Pod, put, running
from tests.support.service import Service, jeton

NAME = f"jeton.{DOMAIN}"
PODS = 3


@dataclass
class Deployment:
    folder: Path
    config: Path
    """The reviewed file: what is written there is in force after a rollout."""
    service: Service
    """Where keys and the record's key come from; it is never started."""
    authority: Authority
    cluster: Cluster
    revisions: int = 0
    credentials: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def create(cls, folder: Path, root: Path = HOST_ROOT) -> "Deployment":
        service = Service.create(folder)
        authority = Authority.create(folder)
        config = folder / "overlay" / "jeton.toml"
        config.parent.mkdir()
        config.write_bytes((K8S / "overlays/prod/jeton.toml").read_bytes())
        secrets = {
            **keys(service.folder),
            "jeton-tls": {
                **redis.files(authority.issue("first", hosts=[NAME])),
                "ca.crt": authority.path.read_bytes(),
            },
            "jeton-redis": redis.passwords(),
            "jeton-redis-tls": redis.certificate(authority),
        }
        made = cls(
            folder, config, service, authority, Cluster(folder / "cluster", [], secrets, root)
        )
        made.cluster.objects = made._rendered()
        made.cluster.apply()
        return made

    def client(self, name: str, grants: Sequence[str], limits: dict[str, int]) -> None:
        arguments = ["clients", "add", name, "--config", str(self.config), "--json"]
        for grant in grants:
            arguments += ["--grant", grant]
        for key, limit in limits.items():
            arguments += ["--limit", f"{key}={limit}"]
        self.credentials[name] = json.loads(jeton(*arguments))["credential"]

    def rotate(self, name: str) -> None:
        arguments = ["clients", "rotate", name, "--config", str(self.config), "--json"]
        self.credentials[name] = json.loads(jeton(*arguments))["credential"]

    def revoke(self, name: str) -> None:
        jeton("clients", "revoke", name, "--config", str(self.config))

    def certify(self, name: str) -> Pair:
        """A new certificate in the secret, as a kubelet shows it to the pods that run."""
        pair = self.authority.issue(name, hosts=[NAME])
        for file, content in redis.files(pair).items():
            put(self.cluster.secret("jeton-tls") / file, content, 0o440)
        return pair

    def apply(self) -> None:
        """The reviewed file becomes the cluster's: kustomize gives its ConfigMap another name."""
        self.cluster.objects = self._rendered()
        self.cluster.apply()

    def _rendered(self) -> list[dict[str, object]]:
        self.revisions += 1
        folder = self.folder / "overlay" / str(self.revisions)
        folder.mkdir()
        (folder / "jeton.toml").write_bytes(self.config.read_bytes())
        described = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": "jeton",
            "resources": [os.path.relpath(K8S / "overlays/prod", folder)],
            "configMapGenerator": [
                {"name": "jeton-config", "behavior": "replace", "files": ["jeton.toml"]}
            ],
        }
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(described), "utf-8")
        return list(yaml.safe_load_all(text_of(folder)))

    # Running --------------------------------------------------------------------------------------

    @contextmanager
    def running(
        self, entry: Sequence[str], mode: Literal["http", "tcp"] = "http"
    ) -> Iterator[tuple[list[Pod], Balancer]]:
        with redis.redis_pods(self.cluster):
            pods = [self.pod("jeton", number, entry) for number in range(PODS)]
            with running(pods):
                for pod in pods:
                    pod.await_ready()
                there = (self.folder / "haproxy", pods, self.authority.path, NAME, mode)
                with Balancer(*there) as balancer:
                    yield pods, balancer

    def pod(self, name: str, number: int, entry: Sequence[str]) -> Pod:
        """On its own address of the loopback, as it would be on its own of the cluster."""
        pod = self.cluster.pod(name, number, entry=entry)
        pod.environment = {
            "JETON__SERVER__HOST": pod.address,
            "JETON__SERVER__METRICS_HOST": pod.address,
            "PYTHONPATH": str(ROOT) if self.cluster.root == HOST_ROOT else "",
        }
        return pod

    def restart(self, pods: Sequence[Pod], balancer: Balancer) -> None:
        """What a StatefulSet does to bring in a change: the last pod first, one by one, each
        ready and steady before the next."""
        steady = one(self.cluster.objects, "StatefulSet", "jeton")["spec"]["minReadySeconds"]
        for pod in reversed(pods):
            balancer.delete(pod)
            pod.manifest = one(self.cluster.objects, "StatefulSet", "jeton")
            pod.start()
            pod.await_ready()
            balancer.come(pod)
            time.sleep(steady)


def keys(folder: Path) -> dict[str, dict[str, bytes]]:
    """The secrets of what `jeton init` left in a folder."""
    named = {"jeton-keys": "keyset.json", "jeton-kek": "kek.key"}
    return {secret: {name: (folder / name).read_bytes()} for secret, name in named.items()}
