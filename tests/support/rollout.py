"""The production overlay as processes, and what changes of it a cluster would carry out.

with deployed(tmp_path) as deployment:            # keys, secrets, AWS, API server, witness
    with deployment.running() as (pods, balancer): ...
        deployment.apply()                        # a new ConfigMap, by kustomize
        deployment.restart(pods, balancer)        # as a StatefulSet does
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import yaml

from tests.support import api_server, kubernetes_aws, kubernetes_witness
from tests.support import kubernetes_redis as redis
from tests.support.api_server import ApiServer
from tests.support.balancer import Balancer
from tests.support.certificates import Authority, Pair
from tests.support.components import need_program
from tests.support.kms import Kms, kms_server
from tests.support.kubernetes import K8S, ROOT, Object, need_tool, one, rendered, text_of
from tests.support.pods import DOMAIN, ENTRY, Cluster, Pod, put, running
from tests.support.service import Service, jeton
from vault.config import load

NAME = f"jeton.{DOMAIN}"
PODS = 3
REVIEWED = K8S / "overlays/prod/jeton.toml"


@dataclass
class Deployment:
    folder: Path
    config: Path
    """The reviewed file: what is written there is in force after a rollout."""
    service: Service
    """Where keys and the record's key come from; it is never started."""
    authority: Authority
    cluster: Cluster
    api: ApiServer
    environment: Mapping[str, str]
    """What pods are told beside their manifests: where AWS is, and this checkout."""
    revisions: int = 0
    credentials: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def create(cls, folder: Path, authority: Authority, kms: Kms, api: ApiServer) -> "Deployment":
        service = Service.create(folder)
        config = folder / "overlay" / "jeton.toml"
        config.parent.mkdir()
        there = f"https://{api_server.NAME}"
        text = REVIEWED.read_text("utf-8").replace(f"{there}/", f"{there}:{api.port}/")
        config.write_text(text, "utf-8")
        ca = {"ca.crt": authority.path.read_bytes()}
        secrets = {
            "jeton-keys": {"keyset.json": kubernetes_aws.sealed(kms, config, service.folder)},
            "jeton-tls": {**redis.files(authority.issue("first", hosts=[NAME])), **ca},
            "jeton-redis": redis.passwords(),
            "jeton-redis-tls": redis.certificate(authority),
        }
        names = {api_server.NAME: "127.0.0.1"}
        cluster = Cluster(folder / "cluster", [], secrets, tokens=api.token, names=names)
        for configuration in ("kube-root-ca.crt", "jeton-ca"):
            cluster.give("configMap", configuration, ca)
        environment = {**kubernetes_aws.endpoint(kms), "PYTHONPATH": str(ROOT)}
        made = cls(folder, config, service, authority, cluster, api, environment)
        kubernetes_witness.given(cluster, service, authority, folder / "witness")
        made.apply()
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

    def _rendered(self) -> list[Object]:
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
        beside = [*rendered(K8S / "witness"), *rendered(K8S / "caller")]
        return [*yaml.safe_load_all(text_of(folder)), *beside]

    # Running --------------------------------------------------------------------------------------

    @contextmanager
    def running(
        self, mode: Literal["http", "tcp"] = "http"
    ) -> Iterator[tuple[list[Pod], Balancer]]:
        with redis.redis_pods(self.cluster):
            pods = [self.pod("jeton", number) for number in range(PODS)]
            with running(pods):
                for pod in pods:
                    pod.await_ready()
                there = (self.folder / "haproxy", pods, self.authority.path, NAME, mode)
                with Balancer(*there) as balancer:
                    yield pods, balancer

    @cached_property
    def witness(self) -> Pod:
        return kubernetes_witness.witness_pod(self.cluster)

    def pod(self, name: str, number: int) -> Pod:
        """On its own address of the loopback, as it would be on its own of the cluster."""
        pod = self.cluster.pod(name, number, entry=ENTRY)
        pod.environment = {
            "JETON__SERVER__HOST": pod.address,
            "JETON__SERVER__METRICS_HOST": pod.address,
            **self.environment,
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


@contextmanager
def deployed(folder: Path) -> Iterator[Deployment]:
    """The overlay, with all that it finds around it but Redis: moto for AWS, the API server, and
    the witness, ready in a pod of its own."""
    need_tool("kubectl")
    for program in ("bwrap", "haproxy", "redis-server", "redis-sentinel"):
        need_program(program)
    authority = Authority.create(folder)
    iss = load(REVIEWED, {}).identity.issuers["cluster"].iss
    with kms_server(folder) as kms, ApiServer.serving(iss, authority) as api:
        deployment = Deployment.create(folder, authority, kms, api)
        with running([deployment.witness]):
            deployment.witness.await_ready()
            yield deployment


def keys(folder: Path) -> dict[str, dict[str, bytes]]:
    """The secrets of what `jeton init` left in a folder."""
    named = {"jeton-keys": "keyset.json", "jeton-kek": "kek.key"}
    return {secret: {name: (folder / name).read_bytes()} for secret, name in named.items()}
