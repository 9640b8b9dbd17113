"""What the page on Kubernetes tells its readers to type makes a pod that serves, and a witness
that believes it."""

import base64
import http.client
import json
import shutil
import ssl
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from benchmarks.population import nirs
from tests.support.components import need_program
from tests.support.kubernetes import K8S, need_tool
from tests.support.kubernetes_witness import witness_pod
from tests.support.pods import ENTRY, Cluster, Pod, running
from tests.support.snippets import blocks, run_bash
from vault.audit.checkpoint import load_public_key
from vault.witness.cosignature import HEADER, PREFIX, is_by, log_of, read

pytestmark = [pytest.mark.system, pytest.mark.slow]

# The real kubectl, without a cluster: what would be sent there is kept. A pod whose record is asked
# for has one of the same keyset, made by its own configuration.
KUBECTL = """
record() {
    credential=$(python -c 'import json; print(json.load(open("intake.json"))["credential"])')
    echo 284057512345672 | JETON_CREDENTIAL="$credential" \\
        JETON__KEYS__KEYSET="$PWD/data/keyset.json" JETON__KEYS__KEK="file:$PWD/data/kek.key" \\
        JETON__STORE__URL="sqlite:$PWD/pod.db" \\
        JETON__AUDIT__FOLDER="$PWD/pod/var/lib/jeton/audit" \\
        jeton tokenise fr-nir - --config k8s/overlays/dev/jeton.toml > /dev/null
}
keep() { cat >> applied.yaml; printf -- '---\\n' >> applied.yaml; }
kubectl() {
    case " $* " in
        *" apply -k "*) "$KUBECTL" kustomize "${@: -1}" | keep ;;
        *" apply -f - "*) keep ;;
        *" apply -f "*) keep < "${@: -1}" ;;
        *" rollout status "*) ;;
        *" exec jeton-0 -- cat "*) record; cat "pod${@: -1}" ;;
        *) "$KUBECTL" "$@" ;;
    esac
}
"""


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all of it was typed."""
    for program in ("bwrap", "openssl"):
        need_program(program)
    folder = tmp_path_factory.mktemp("typed")
    shutil.copytree(K8S, folder / "k8s")
    script = KUBECTL + "\n".join(blocks("docs/kubernetes.md", "bash"))
    run_bash(script, folder, {"KUBECTL": need_tool("kubectl")})
    return folder


@pytest.fixture(scope="module")
def cluster(typed: Path) -> Cluster:
    applied = list(filter(None, yaml.safe_load_all((typed / "applied.yaml").read_text())))
    secrets = {
        item["metadata"]["name"]: {
            name: base64.b64decode(text) for name, text in item["data"].items()
        }
        for item in applied
        if item["kind"] == "Secret"
    }
    return Cluster(typed / "cluster", applied, secrets)


def test_what_the_pods_of_production_mount_of_the_witness_is_there_before_one_is_asked() -> None:
    """A pod does not start without its secrets, and nothing can be read in it before it did."""
    text = "\n".join(blocks("docs/kubernetes.md", "bash"))
    assert text.index("secret jeton-witness ") < text.index("exec jeton-0")


def asking(pod: Pod, port: int, ca: Path) -> closing[http.client.HTTPSConnection]:
    tls = ssl.create_default_context(cafile=ca)
    tls.check_hostname = False  # it is for names of the cluster
    return closing(http.client.HTTPSConnection(pod.address, port, context=tls))


def test_the_first_steps_lead_to_a_pod_that_serves(typed: Path, cluster: Cluster) -> None:
    pod = cluster.pod("jeton", 0, entry=ENTRY)
    pod.environment = {
        "JETON__SERVER__HOST": pod.address,
        "JETON__SERVER__METRICS_HOST": pod.address,
    }
    credential = json.loads((typed / "intake.json").read_text())["credential"]
    with running([pod]):
        pod.await_ready()
        with asking(pod, 8200, typed / "tls.crt") as client:
            headers = {
                "Authorization": f"Bearer {credential}",
                "Content-Type": "application/json",
            }
            [value] = nirs(1)
            client.request("POST", "/v1/tokenise/fr-nir", json.dumps({"value": value}), headers)
            answer = client.getresponse()
            assert answer.status == 200
            assert json.loads(answer.read())["token"] != value


def test_the_witness_believes_that_pod_and_is_known_by_what_the_service_is_given(
    typed: Path, cluster: Cluster
) -> None:
    witness = witness_pod(cluster)
    given = cluster.secret("jeton-witness")
    credential = (given / "credential").read_text().strip()
    log = log_of(load_public_key(typed / "public.pem"), "jeton-0")
    with running([witness]):
        witness.await_ready()
        with asking(witness, 8300, given / "ca.crt") as client:
            headers = {"Authorization": f"Bearer {credential}"}
            client.request("GET", PREFIX + log, headers=headers)
            answer = client.getresponse()
            assert answer.status == 200
            signed = read(answer.headers[HEADER].encode())
    assert signed is not None
    assert signed.number == 0
    assert is_by(load_public_key(given / "witness.pem"), log, signed)
