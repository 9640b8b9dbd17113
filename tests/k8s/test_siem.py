"""The component that ships the record, as production has it: valid, and what it starts beside a pod
sends that pod's record to a receiver on TLS that knows it by its certificate."""

import shutil
import ssl
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.test_tools import checkov, newest, schemas
from tests.support.certificates import Authority
from tests.support.kubernetes import K8S, ROOT, Object, one, rendered, run_tool
from tests.support.pods import ENTRY, Cluster, Pod, running
from tests.support.records import fill
from tests.support.redis import until
from tests.support.siem import SyslogServer, server_context
from tests.telemetry.test_metrics import parsed, value
from vault.audit.writer import RecordWriter

__all__ = ["schemas"]
pytestmark = pytest.mark.slow

WHERE = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: any}
spec:
  template:
    spec:
      initContainers:
        - name: siem
          env: [{name: SIEM_URL, value: "HERE"}]
"""


def laid_over(folder: Path, url: str) -> Path:
    """Production, which has the component, with its receiver where the test has one."""
    shutil.copytree(K8S, folder / "k8s")
    (folder / "where.yaml").write_text(WHERE.replace("HERE", url), "utf-8")
    target = {
        "kind": "StatefulSet",
        "labelSelector": "app.kubernetes.io/name in (jeton, jeton-proxy)",
    }
    made = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["k8s/overlays/prod"],
        "patches": [{"target": target, "path": "where.yaml"}],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(made), "utf-8")
    return folder


@dataclass
class Shipper(Pod):
    """The container beside the service's."""

    @property
    def container(self) -> Object:
        [found] = self.spec["initContainers"]
        url = {one["name"]: one["value"] for one in found["env"]}["SIEM_URL"]
        return {**found, "args": [text.replace("$(SIEM_URL)", url) for text in found["args"]]}


def test_the_record_goes_to_the_receiver(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    context = server_context(authority.issue("siem"), tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.path)
    client = authority.issue("shipper")
    shown = {"ca.crt": authority.path.read_bytes(), "client.pem": client.certificate + client.key}
    with SyslogServer(context) as server:
        overlay = laid_over(tmp_path / "overlay", f"syslog+tls://127.0.0.1:{server.port}")
        cluster = Cluster(tmp_path / "cluster", rendered(overlay), {"jeton-siem": shown})
        item = one(cluster.objects, "StatefulSet", "jeton")
        pod = Shipper(cluster, "jeton-0", item, ENTRY, environment={"PYTHONPATH": str(ROOT)})
        with running([pod]):  # it comes before the service, which makes the folder
            writer = RecordWriter.claim(cluster.volume("record", "jeton-0") / "audit")
            fill(writer, 3)
            writer.close()
            until(lambda: len(server.events) == 9, "all is with the receiver", 30)
            until(lambda: metric(pod, "ship_events_total") == 9, "it says so", 10)
            assert metric(pod, "ship_until_seconds") > 0
            assert pod.stop() == 0
        assert (cluster.volume("record", "jeton-0") / "siem").exists()


def metric(pod: Pod, name: str) -> float:
    with urllib.request.urlopen(f"http://{pod.address}:9465/metrics", timeout=10) as answer:
        return value(parsed(answer.read()), name) or 0.0


def test_it_is_valid_and_explained(tmp_path: Path, schemas: list[Path]) -> None:
    objects = rendered(laid_over(tmp_path / "overlay", "syslog+tls://siem.example:6514"))
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(objects), "utf-8")
    for version in newest(schemas):
        done = run_tool("kubernetes-validate", "-k", version, "--strict", "--quiet", str(file))
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    report: dict[str, Any] = checkov("kubernetes", file)
    assert [(one["check_id"], one["resource"]) for one in report["results"]["failed_checks"]] == []
    for item in (one(objects, "StatefulSet", name) for name in ("jeton", "jeton-proxy")):
        template = item["spec"]["template"]
        selected = one(objects, "Service", "jeton-siem")["spec"]["selector"]
        assert selected.items() <= template["metadata"]["labels"].items()
        mounted = {mount["name"] for mount in template["spec"]["initContainers"][0]["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in template["spec"]["volumes"]} | {"record"}
