"""What the page on Kubernetes tells its readers to type makes a pod that serves."""

import base64
import http.client
import json
import shutil
import ssl
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from benchmarks.population import nirs
from tests.support.components import need_program
from tests.support.kubernetes import K8S, need_tool
from tests.support.pods import Cluster, running
from tests.support.snippets import blocks, run_bash

pytestmark = [pytest.mark.system, pytest.mark.slow]

# The real kubectl, without a cluster: what would be sent there is kept.
KUBECTL = """
keep() { cat >> applied.yaml; printf -- '---\\n' >> applied.yaml; }
kubectl() {
    case " $* " in
        *" apply -k "*) "$KUBECTL" kustomize "${@: -1}" | keep ;;
        *" apply -f - "*) keep ;;
        *" apply -f "*) keep < "${@: -1}" ;;
        *" rollout status "*) ;;
        *) "$KUBECTL" "$@" ;;
    esac
}
"""


def test_the_first_steps_lead_to_a_pod_that_serves(tmp_path: Path) -> None:
    for program in ("bwrap", "openssl"):
        need_program(program)
    shutil.copytree(K8S, tmp_path / "k8s")
    script = KUBECTL + "\n".join(blocks("docs/kubernetes.md", "bash"))
    run_bash(script, tmp_path, {"KUBECTL": need_tool("kubectl")})
    applied = list(filter(None, yaml.safe_load_all((tmp_path / "applied.yaml").read_text())))
    secrets = {
        item["metadata"]["name"]: {
            name: base64.b64decode(text) for name, text in item["data"].items()
        }
        for item in applied
        if item["kind"] == "Secret"
    }
    cluster = Cluster(tmp_path / "cluster", applied, secrets)
    pod = cluster.pod("jeton", 0, entry=(sys.executable, "-m", "vault"))
    pod.environment = {
        "JETON__SERVER__HOST": pod.address,
        "JETON__SERVER__METRICS_HOST": pod.address,
    }
    credential = json.loads((tmp_path / "intake.json").read_text())["credential"]
    tls = ssl.create_default_context(cafile=tmp_path / "tls.crt")
    tls.check_hostname = False  # it is for names of the cluster
    with running([pod]):
        pod.await_ready()
        with closing(http.client.HTTPSConnection(pod.address, 8200, context=tls)) as client:
            headers = {
                "Authorization": f"Bearer {credential}",
                "Content-Type": "application/json",
            }
            [value] = nirs(1)
            client.request("POST", "/v1/tokenise/fr-nir", json.dumps({"value": value}), headers)
            answer = client.getresponse()
            assert answer.status == 200
            assert json.loads(answer.read())["token"] != value
