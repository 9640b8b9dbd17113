"""The witness of the manifests, as a pod: made and trusted as its page says."""

from pathlib import Path

from tests.support.certificates import Authority
from tests.support.kubernetes import ROOT
from tests.support.kubernetes_redis import files
from tests.support.pods import ENTRY, Cluster, Pod
from tests.support.service import Service, jeton

NAME = "jeton-witness.jeton-witness.svc"


def given(cluster: Cluster, service: Service, authority: Authority, folder: Path) -> None:
    """What both sides are given; `service` has the keyset of those who are to be believed."""
    credential = jeton("witness", "init", str(folder)).strip()
    jeton("witness", "trust", str(folder), str(public_key(service)))
    trusted = {path.name: path.read_bytes() for path in (folder / "trusted").iterdir()}
    cluster.give("configMap", "jeton-witness-trusted", trusted)
    own = {name: (folder / name).read_bytes() for name in ("witness.key", "credential.sha256")}
    cluster.give("secret", "jeton-witness-key", own)
    cluster.give("secret", "jeton-witness-tls", files(authority.issue("the witness", hosts=[NAME])))
    shown = {
        "witness.pem": (folder / "witness.pem").read_bytes(),
        "credential": f"{credential}\n".encode(),
        "ca.crt": authority.path.read_bytes(),
    }
    cluster.give("secret", "jeton-witness", shown)


def public_key(service: Service) -> Path:
    """The record's; a record has one as soon as it was written to."""
    value, credential = "284057512345672", {"JETON_CREDENTIAL": service.credentials["intake"]}
    jeton("tokenise", "fr-nir", "-", "--config", str(service.config),
          environment=credential, stdin=value)  # fmt: skip
    return service.folder / "audit" / "public.pem"


def witness_pod(cluster: Cluster) -> Pod:
    pod = cluster.pod("jeton-witness", 0, entry=ENTRY)
    pod.extra = ("--host", pod.address)
    pod.environment = {"PYTHONPATH": str(ROOT)}
    return pod
