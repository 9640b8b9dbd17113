"""The image: what is in it, and that a pod of the manifests runs on it."""

import http.client
import json
import re
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.population import nirs
from tests.support.certificates import Authority
from tests.support.components import need_program
from tests.support.images import Image, built
from tests.support.kubernetes import ROOT, need_tool, one, overlay
from tests.support.kubernetes_redis import files
from tests.support.pods import Cluster, put, running
from tests.support.rollout import keys
from tests.support.service import Service, jeton

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

MOST = 400 * 1024 * 1024
"""Bytes; debootstrap's base is 150 MB larger than Debian's slim image."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    with built(tmp_path_factory.mktemp("image")) as made:
        yield made


def test_it_runs_as_nobody_of_the_machine(image: Image) -> None:
    assert image.config["User"] == "10001:10001"
    assert image.config["Entrypoint"] == ["jeton"]
    spec = one(overlay("dev"), "StatefulSet", "jeton")["spec"]["template"]["spec"]
    user = spec["securityContext"]
    assert image.config["User"] == f"{user['runAsUser']}:{user['runAsGroup']}"


def test_nothing_in_it_installs_compiles_or_changes_the_user(image: Image) -> None:
    for folder in ("usr/bin", "usr/sbin", "usr/local/bin", "opt/jeton/bin"):
        names = {path.name for path in (image.root / folder).glob("*")}
        assert not names & {"pip", "pip3", "gcc", "cc", "make", "git", "curl", "wget"}
    for path in image.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert not path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID), path
    assert list((image.root / "var/lib/apt/lists").glob("*")) == []
    assert not (image.root / "source").exists()


def test_its_packages_are_those_that_the_tests_ran_with(image: Image) -> None:
    pins = dict(
        re.findall(r"^([A-Za-z0-9_.-]+)==([^;\s]+)", (ROOT / "constraints.txt").read_text(), re.M)
    )
    pinned = {normal(name): version for name, version in pins.items()}
    found = list((image.root / "opt/jeton/lib").glob("python3.*/site-packages/*.dist-info"))
    assert len(found) > 10
    for path in found:
        name, _, version = path.name.removesuffix(".dist-info").partition("-")
        known = normal(name)
        assert known == "jeton" or pinned[known] == version, path.name


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_it_is_no_larger_than_it_has_to_be(image: Image) -> None:
    sizes = (path.lstat().st_size for path in image.root.rglob("*") if not path.is_dir())
    assert sum(sizes) < MOST


def test_a_pod_of_the_development_overlay_serves_and_ends_on_it(
    image: Image, tmp_path: Path
) -> None:
    need_tool("kubectl")
    need_program("bwrap")
    authority = Authority.create(tmp_path)
    secrets = keys(Service.create(tmp_path).folder)
    cluster = Cluster(tmp_path / "cluster", overlay("dev"), secrets, image.root)
    address = cluster.addresses["jeton-0"]
    for name, content in files(authority.issue("a pod", hosts=[address])).items():
        put(cluster.secret("jeton-tls") / name, content, 0o440)
    config = cluster.config("jeton-config") / "jeton.toml"
    rotated = jeton("clients", "rotate", "intake", "--config", str(config), "--json")
    credential = json.loads(rotated)["credential"]
    pod = cluster.pod("jeton", 0, entry=image.config["Entrypoint"])
    pod.environment = {"JETON__SERVER__HOST": address, "JETON__SERVER__METRICS_HOST": address}
    with running([pod]):
        pod.await_ready()
        assert all(pod.probe(kind) for kind in ("startupProbe", "livenessProbe"))
        tls = authority.trusting()
        with closing(http.client.HTTPSConnection(address, 8200, context=tls)) as client:
            [value] = nirs(1)
            body = json.dumps({"value": value})
            client.request(
                "POST", "/v1/tokenise/fr-nir", body, {
                    "Authorization": f"Bearer {credential}", "Content-Type": "application/json",
                },
            )  # fmt: skip
            answer = client.getresponse()
            assert answer.status == 200, answer.read()
            assert json.loads(answer.read())["token"] != value
        assert pod.stop() == 0
