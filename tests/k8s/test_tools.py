"""What kustomize, kubernetes-validate, checkov and hadolint say of the manifests and the image."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.kubernetes import (
    BESIDE,
    K8S,
    OVERLAYS,
    ROOT,
    TOOLS,
    need_tool,
    place,
    run_tool,
    text_of,
)

pytestmark = pytest.mark.slow

COMPONENTS = sorted(path.parent.name for path in K8S.glob("components/*/kustomization.yaml"))
NEWEST = 3
"""Versions of Kubernetes that all has to be valid for."""


@pytest.fixture(params=(*OVERLAYS, *BESIDE))
def manifest(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An overlay, or what is beside them, rendered."""
    file = tmp_path / f"{request.param}.yaml"
    file.write_text(text_of(place(request.param)), "utf-8")
    return file


@pytest.fixture(scope="module")
def schemas() -> list[Path]:
    """The validator's folders of schemas, with ours for kinds that it does not know."""
    need_tool("kubernetes-validate")
    found = list(TOOLS.parent.glob("lib/*/site-packages/kubernetes_validate/*/v*-local-strict"))
    for folder in found:
        for schema in (ROOT / "tests/k8s/schemas").glob("*.json"):
            shutil.copy(schema, folder)
    return found


def newest(schemas: list[Path]) -> Iterator[str]:
    versions = {
        tuple(map(int, folder.name.removeprefix("v").partition("-")[0].split(".")[:2]))
        for folder in schemas
    }
    for major, minor in sorted(versions)[-NEWEST:]:
        yield f"{major}.{minor}"


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_component_can_be_laid_over_the_base_alone(component: str, tmp_path: Path) -> None:
    folder = K8S.parent / "k8s"
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "jeton",
        "resources": ["k8s/base"],
        "components": [f"k8s/components/{component}"],
    }
    shutil.copytree(folder, tmp_path / "k8s")
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), "utf-8")
    done = run_tool("kubectl", "kustomize", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_every_overlay_is_valid_for_the_three_newest_versions(
    manifest: Path, schemas: list[Path]
) -> None:
    versions = list(newest(schemas))
    assert len(versions) == NEWEST
    for version in versions:
        arguments = ["-k", version, "--strict", "--quiet", str(manifest)]
        done = run_tool("kubernetes-validate", *arguments)
        assert done.returncode == 0, done.stdout
        assert done.stdout + done.stderr == "", "a warning: a kind without a schema"


def test_a_manifest_that_is_not_valid_would_be_found(
    manifest: Path, schemas: list[Path], tmp_path: Path
) -> None:
    """The tool is asked as above; it ends with 0 where it does not know a kind."""
    version = list(newest(schemas))[-1]
    for before, after, said in (
        ("runAsNonRoot:", "runAsNoRoot:", "runAsNoRoot"),
        ("kind: ServiceAccount", "kind: Unheard", "Unheard"),
    ):
        bad = tmp_path / "bad.yaml"
        bad.write_text(manifest.read_text("utf-8").replace(before, after), "utf-8")
        done = run_tool("kubernetes-validate", "-k", version, "--strict", "--quiet", str(bad))
        assert said in done.stdout


def test_checkov_finds_nothing_that_is_not_explained(manifest: Path) -> None:
    report = checkov("kubernetes", manifest)
    assert report["summary"]["passed"] > 50
    assert [(one["check_id"], one["resource"]) for one in report["results"]["failed_checks"]] == []
    for skipped in report["results"]["skipped_checks"]:
        assert len(skipped["check_result"]["suppress_comment"]) > 20, skipped["check_id"]


def test_checkov_finds_nothing_in_the_dockerfile_that_is_not_explained() -> None:
    report = checkov("dockerfile", ROOT / "Dockerfile")
    assert report["summary"]["passed"] > 5
    assert [one["check_id"] for one in report["results"]["failed_checks"]] == []


def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    done = run_tool("hadolint", str(ROOT / "Dockerfile"))
    assert (done.returncode, done.stdout) == (0, "")


def checkov(framework: str, file: Path) -> dict[str, Any]:
    arguments = ["-f", str(file), "--framework", framework, "--skip-download", "-o", "json"]
    done = run_tool("checkov", *arguments)
    assert done.returncode in {0, 1}, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report
