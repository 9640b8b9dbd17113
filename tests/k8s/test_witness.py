"""The witness of the manifests, as a pod: it signs for the record of a pod of the service, keeps
what it saw over a restart, and ends when it is told to."""

from pathlib import Path

import pytest

from tests.support.kubernetes_redis import redis_pods
from tests.support.pods import Pod, running
from tests.support.redis import until
from tests.support.rollout import Deployment, deployed
from vault.audit.checkpoint import all_lines, load_public_key
from vault.witness.cosignature import is_by, log_of, read

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_it_signs_for_a_pod_s_record_and_keeps_what_it_saw(tmp_path: Path) -> None:
    with deployed(tmp_path) as deployment, redis_pods(deployment.cluster):
        pod, witness = deployment.pod("jeton", 0), deployment.witness
        assert all(witness.probe(kind) for kind in ("startupProbe", "livenessProbe"))
        with running([pod]):
            pod.await_ready()  # reveals wait for its signature
            until(lambda: known(deployment, witness), "a checkpoint is with the witness", 90)
            before = known(deployment, witness)
            assert signed(deployment, pod) > 0
            assert witness.stop() == 0
            witness.start()
            witness.await_ready()
            assert known(deployment, witness)[: len(before)] == before
            assert pod.probe("readinessProbe")
            assert pod.stop() == 0
        assert known(deployment, witness) == here(deployment, pod)
    volume = deployment.cluster.volume("seen", witness.name)
    kept = {path.name: path.stat().st_size for path in volume.iterdir() if path.is_file()}
    assert not kept.get("witness.key"), "its key is no file of its volume"


def known(deployment: Deployment, witness: Pod) -> list[bytes]:
    """The checkpoints of the first pod's record that the witness has on its volume."""
    [pem] = deployment.cluster.given("configMap", "jeton-witness-trusted").glob("*.pem")
    seen = deployment.cluster.volume("seen", witness.name)
    path = seen / "logs" / log_of(load_public_key(pem), "jeton-0") / "checkpoints.jsonl"
    return list(all_lines(path)) if path.exists() else []


def here(deployment: Deployment, pod: Pod) -> list[bytes]:
    path = deployment.cluster.volume("record", pod.name) / "audit" / "checkpoints.jsonl"
    return list(all_lines(path))


def signed(deployment: Deployment, pod: Pod) -> int:
    """How many cosignatures there are beside the pod's record: all of them the witness's."""
    folder = deployment.cluster.volume("record", pod.name) / "audit"
    key = load_public_key(deployment.cluster.secret("jeton-witness") / "witness.pem")
    log = log_of(load_public_key(folder / "public.pem"), pod.name)
    found = [read(line) for line in all_lines(folder / "cosignatures.jsonl")]
    assert all(one is not None and is_by(key, log, one) for one in found)
    return len(found)
