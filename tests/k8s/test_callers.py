"""A caller of the cluster, as a pod of its own: let in by the token of its service account, which
the API server's keys verify, and by no other token."""

import sys
from collections.abc import Iterator

import pytest

from benchmarks.population import nirs
from tests.support.kubernetes import ROOT
from tests.support.kubernetes_redis import redis_pods
from tests.support.pods import running
from tests.support.redis import until
from tests.support.rollout import NAME, Deployment, deployed

pytestmark = [pytest.mark.system, pytest.mark.slow]

[VALUE] = nirs(1)
# What the caller's image would be started with: all that it knows is in its manifest.
APPLICATION = f"""
import sys
import jeton

with jeton.Client() as client:
    try:
        print("sent", client.tokenise("fr-nir", "{VALUE}"))
    except jeton.Unauthenticated:
        sys.exit("refused")
"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One pod of the service, ready."""
    with deployed(tmp_path_factory.mktemp("callers")) as deployment:
        pod = deployment.pod("jeton", 0)
        with redis_pods(deployment.cluster), running([pod]):
            pod.await_ready()
            yield deployment


def is_let_in(deployment: Deployment, account: str = "intake", audience: str = "jeton") -> bool:
    """Whether the caller's pod gets a token for its value."""
    job = deployment.cluster.job("intake", entry=(sys.executable, "-c", APPLICATION))
    job.spec["serviceAccountName"] = account
    [volume] = job.spec["volumes"]
    volume["projected"]["sources"][0]["serviceAccountToken"]["audience"] = audience
    # A Service would make the pods' 8200 of its 443.
    job.environment = {"JETON_URL": f"https://{NAME}:8200", "PYTHONPATH": str(ROOT / "sdk")}
    job.log.unlink(missing_ok=True)
    with running([job]):
        assert job.process is not None
        job.process.wait(60)
    said = job.tail().split()
    assert said[0] in {"sent", "refused"}, job.tail()
    return said[0] == "sent" and len(said[1]) == len(VALUE) and said[1] != VALUE


def test_the_caller_of_the_manifests_is_let_in_without_a_secret(serving: Deployment) -> None:
    assert is_let_in(serving)
    assert set(serving.api.asked) == {"system:serviceaccount:jeton:jeton"}


@pytest.mark.parametrize(
    ("account", "audience"), [("another", "jeton"), ("intake", "sts.amazonaws.com")]
)
def test_others_and_tokens_for_others_are_not(
    serving: Deployment, account: str, audience: str
) -> None:
    assert not is_let_in(serving, account, audience)


def test_a_caller_is_let_in_when_the_cluster_s_key_has_changed(serving: Deployment) -> None:
    serving.api.rotate()
    until(lambda: is_let_in(serving), "the new key is fetched, ten seconds after the last one", 30)
