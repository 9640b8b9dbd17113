"""The manifests as the real tools see them: rendered by kubectl's kustomize, read as YAML.

    objects = rendered(Path("k8s/overlays/prod"))
    vault = one(objects, "StatefulSet", "jeton")

The tools live in `.venv-k8s`, which `bash .ci/k8s-tools` makes; without it what needs them is
skipped by name.
"""

import subprocess
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.components import missing

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
OVERLAYS = ("dev", "prod")
BESIDE = ("witness", "caller")
"""Namespaces of other people's."""
TOOLS = ROOT / ".venv-k8s" / "bin"

Object = dict[str, Any]


def need_tool(name: str) -> str:
    """The path of a tool for manifests; else the test is skipped, or fails where all have to be."""
    found = TOOLS / name
    return str(found) if found.exists() else missing(f"{name} is missing: bash .ci/k8s-tools")


def run_tool(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [need_tool(name), *arguments], check=False, capture_output=True, text=True, timeout=300
    )


@cache
def text_of(folder: Path) -> str:
    """What kustomize makes of a folder, as YAML."""
    done = run_tool("kubectl", "kustomize", str(folder))
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"kustomize warns: {done.stderr}"
    return done.stdout


def rendered(folder: Path) -> list[Object]:
    return list(yaml.safe_load_all(text_of(folder)))


def place(name: str) -> Path:
    """Where an overlay stands, or what is beside them."""
    return K8S / name if name in BESIDE else K8S / "overlays" / name


def overlay(name: str) -> list[Object]:
    return rendered(place(name))


def one(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The object of this kind and name; a generated name's hash may follow."""
    found = [
        item
        for item in objects
        if item["kind"] == kind and _is_called(item["metadata"]["name"], name)
    ]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def _is_called(full: str, name: str) -> bool:
    start, _, suffix = full.rpartition("-")
    return full == name or (start == name and len(suffix) == 10)


def pod_of(item: Object) -> Object | None:
    """The pod template's `spec` of an object that makes pods."""
    if item["kind"] == "CronJob":
        item = item["spec"]["jobTemplate"]
    spec: Object | None = item.get("spec", {}).get("template", {}).get("spec")
    return spec


def with_pods(objects: Iterable[Object]) -> list[tuple[str, Object]]:
    """Names and pod `spec`s."""
    found = [(f"{item['kind']} {item['metadata']['name']}", pod_of(item)) for item in objects]
    return [(name, spec) for name, spec in found if spec is not None]


def port_of(container: Object, port: str | int) -> int:
    """The number of a container's port that may be called by its name."""
    named: Sequence[Object] = container.get("ports", ())
    return next((p["containerPort"] for p in named if p.get("name") == port), None) or int(port)
