"""The image: what is in it, and that a pod of the manifests runs on it."""

import http.client
import json
import re
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.population import nirs
from tests.support.certificates import Authority
from tests.support.components import need_program
from tests.support.images import Image, built
from tests.support.kubernetes import ROOT, need_tool, one, overlay
from tests.support.kubernetes_redis import files
from tests.support.pods import Cluster, Pod, put, running
from tests.support.rollout import keys
from tests.support.service import Service, jeton

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

MOST = 400 * 1024 * 1024
"""Bytes; debootstrap's base is 150 MB larger than Debian's slim image."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    with built(tmp_path_factory.mktemp("images")) as made:
        yield made


@pytest.fixture
def image(images: dict[str, Image]) -> Image:
    return images["jeton"]


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


def test_it_has_what_the_production_overlay_is_configured_with(image: Image) -> None:
    packages = {path.name for path in (image.root / "opt/jeton/lib").glob("python3.*/*/*")}
    assert {"redis", "aiohttp", "joserfc", "boto3"} <= packages


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_it_is_no_larger_than_it_has_to_be(image: Image) -> None:
    sizes = (path.lstat().st_size for path in image.root.rglob("*") if not path.is_dir())
    assert sum(sizes) < MOST


@dataclass
class Development:
    """A pod of the development overlay on an image, and what calls it."""

    authority: Authority
    cluster: Cluster
    pod: Pod
    credentials: dict[str, str] = field(repr=False)


@pytest.fixture
def development(image: Image, tmp_path: Path) -> Iterator[Development]:
    need_tool("kubectl")
    need_program("bwrap")
    authority = Authority.create(tmp_path)
    secrets = keys(Service.create(tmp_path).folder)
    cluster = Cluster(tmp_path / "cluster", overlay("dev"), secrets, image.root)
    address = cluster.addresses["jeton-0"]
    for name, content in files(authority.issue("a pod", hosts=[address])).items():
        put(cluster.secret("jeton-tls") / name, content, 0o440)
    config = cluster.config("jeton-config") / "jeton.toml"
    credentials = {}
    for client in ("intake", "load"):
        rotated = jeton("clients", "rotate", client, "--config", str(config), "--json")
        credentials[client] = json.loads(rotated)["credential"]
    pod = cluster.pod("jeton", 0, entry=image.config["Entrypoint"])
    pod.environment = {"JETON__SERVER__HOST": address, "JETON__SERVER__METRICS_HOST": address}
    with running([pod]):
        pod.await_ready()
        yield Development(authority, cluster, pod, credentials)


def test_a_pod_of_the_development_overlay_serves_and_ends_on_it(development: Development) -> None:
    pod, tls = development.pod, development.authority.trusting()
    assert all(pod.probe(kind) for kind in ("startupProbe", "livenessProbe"))
    with closing(http.client.HTTPSConnection(pod.address, 8200, context=tls)) as client:
        [value] = nirs(1)
        headers = {
            "Authorization": f"Bearer {development.credentials['intake']}",
            "Content-Type": "application/json",
        }
        client.request("POST", "/v1/tokenise/fr-nir", json.dumps({"value": value}), headers)
        answer = client.getresponse()
        assert answer.status == 200, answer.read()
        assert json.loads(answer.read())["token"] != value
    assert pod.stop() == 0


def test_the_template_of_load_jobs_loads_it(
    images: dict[str, Image], development: Development
) -> None:
    cluster, credentials = development.cluster, development.credentials
    load = cluster.secret("jeton-load")
    put(load / "credential", credentials["load"].encode(), 0o440)
    put(load / "ca.crt", development.authority.path.read_bytes(), 0o440)
    manifest = one(overlay("dev"), "CronJob", "jeton-load")["spec"]["jobTemplate"]
    [script] = manifest["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--run-time 5m" in script
    shorter = script.replace("--run-time 5m", "--run-time 3s").replace("users 64", "users 2")
    image = images["locust"]
    cluster.root = image.root
    job = Pod(cluster, "jeton-load", manifest, folder=image.config["WorkingDir"])
    job.environment = dict(text.split("=", 1) for text in image.config["Env"])
    job.environment |= {"JETON_URL": f"https://{development.pod.address}:8200"}
    job.container["args"] = [shorter]
    with running([job]):
        assert job.process is not None
        assert job.process.wait(60) == 0, job.tail()
    assert "Aggregated" in job.tail()
