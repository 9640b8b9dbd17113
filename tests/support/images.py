"""Images, built by buildah from the Dockerfile on a base that debootstrap makes: the same Debian
that the Dockerfile names, without a registry.

    with built(folder) as images:
        images["jeton"].root, images["jeton"].config
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.components import missing, need_program
from tests.support.kubernetes import ROOT

RELEASE = "trixie"
"""Debian 13, as the Dockerfile says."""
BASE = "localhost/debian"
TARGETS = ("jeton", "locust")
FROM_HOST = ("/etc/ssl/certs", "/etc/pip.conf")
"""How this machine reaches its package index, lent to the build."""
STORAGE = """[storage]
driver = "overlay"
runroot = "{0}/run"
graphroot = "{0}/graph"
"""


@dataclass(frozen=True)
class Image:
    root: Path
    """Its files, unpacked."""
    config: dict[str, Any]
    """What it says of itself: user, entry point, ..."""


@contextmanager
def built(folder: Path) -> Iterator[dict[str, Image]]:
    """By target, built and unpacked; gone again afterwards."""
    need_program("buildah")
    if os.geteuid() != 0:
        missing("debootstrap asks for root")
    environment = os.environ | {"CONTAINERS_STORAGE_CONF": str(folder / "storage.conf")}
    (folder / "storage.conf").write_text(STORAGE.format(folder / "store"), "utf-8")
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    policy = ("--signature-policy", str(folder / "policy.json"))

    def buildah(*arguments: str) -> str:
        return run(["buildah", *arguments], environment)

    base = buildah("from", *policy, "scratch")
    buildah("add", "--quiet", base, f"{bootstrapped(folder)}/", "/")
    buildah("commit", *policy, "--quiet", base, BASE)
    lent = [f"--volume={path}:{path}:ro" for path in FROM_HOST if Path(path).exists()]
    build = ["build", *policy, "--layers", "--isolation", "chroot", *lent]
    build += ["--build-arg", f"DEBIAN={BASE}"]
    images = {}
    try:
        for target in TARGETS:
            name = f"localhost/{target}"
            buildah(*build, "--target", target, "--tag", name, str(ROOT))
            root = Path(buildah("mount", buildah("from", *policy, name)))
            described = json.loads(buildah("inspect", "--type", "image", name))
            images[target] = Image(root, described["OCIv1"]["config"])
        yield images
    finally:
        buildah("rm", "--all")
        buildah("rmi", "--all", "--force")


def bootstrapped(folder: Path) -> Path:
    """The smallest Debian there is, with an authority for package indexes."""
    root = folder / "debian"
    packages = "--include=ca-certificates"
    run([need_program("debootstrap"), "--variant=minbase", packages, RELEASE, str(root)])
    return root


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=500, env=environment
    )
    assert done.returncode == 0, f"{command[:2]}: {(done.stdout + done.stderr)[-3_000:]}"
    return done.stdout.strip()
