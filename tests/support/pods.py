"""Pods as processes, started from rendered manifests as a kubelet would start them: the same
command, mounts, user and probes, a read-only root, no capability, `preStop` before SIGTERM, and
SIGKILL when the grace is over. bubblewrap makes the sandboxes; names and addresses are the
loopback's.

    cluster = Cluster(tmp_path, overlay("prod"), secrets={"jeton-keys": {"keyset.json": ...}})
    pod = cluster.pod("jeton", 0, extra=[...])
    pod.start(); pod.await_ready(); pod.stop()

What is not here: seccomp, limits of memory and processor, network policies.
"""

import http.client
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import randbelow

from tests.support.components import need_program
from tests.support.kubernetes import ROOT, Object, one, port_of
from tests.support.pod_volumes import mounts
from tests.support.sandbox import Mount, layers

DOMAIN = "jeton.svc"
HOST_ROOT = Path("/")
ENTRY = (sys.executable, "-m", "vault")
"""The image's entry point, where there is no image."""
Tokens = Callable[[str, str | None, int], str]
"""An API server's: of a service account, for an audience (None: itself), for so many seconds."""


@dataclass
class Cluster:
    """What pods are given: configuration, secrets, volumes, names."""

    folder: Path
    objects: list[Object]
    secrets: Mapping[str, Mapping[str, bytes]] = field(repr=False)
    root: Path = HOST_ROOT
    """What containers run on: an unpacked image, or this machine's own root."""
    addresses: dict[str, str] = field(default_factory=dict)
    block: str = field(default_factory=lambda: f"127.{1 + randbelow(254)}.{randbelow(255)}")
    """Of the loopback: each pod has an address of its own there, and any port."""
    tokens: Tokens | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """Addresses of what is no pod, by name."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for secret, files in self.secrets.items():
            self.give("secret", secret, files)
        self.apply()

    def give(self, kind: str, name: str, files: Mapping[str, bytes]) -> None:
        """What none of the manifests makes: secrets, and configuration of others."""
        for file, content in files.items():
            put(self.given(kind, name) / file, content, 0o440)

    def apply(self) -> None:
        """What `objects` have come to be, for pods that start from now on."""
        for item in self.objects:
            if item["kind"] == "ConfigMap":
                for name, text in item["data"].items():
                    put(self.given("configMap", item["metadata"]["name"]) / name, text.encode())
        self._name_pods()

    def _name_pods(self) -> None:
        """Each pod an address, and each service those of its pods."""
        lines = ["127.0.0.1 localhost", *(f"{at} {name}" for name, at in self.names.items())]
        self.addresses.clear()
        for item in self.objects:
            if item["kind"] == "StatefulSet":
                space = f"{item['metadata']['namespace']}.svc"
                headless = f"{item['spec']['serviceName']}.{space}"
                services = [f"{name}.{space}" for name in self._services(item)]
                for number in range(item["spec"].get("replicas", 3)):
                    address = f"{self.block}.{10 + len(self.addresses)}"
                    name = f"{item['metadata']['name']}-{number}"
                    self.addresses[name] = address
                    lines += [f"{address} {name}.{headless} {' '.join(services)}"]
        (self.folder / "hosts").write_text("\n".join(lines) + "\n")

    def _services(self, made: Object) -> Iterator[str]:
        labels = made["spec"]["template"]["metadata"]["labels"].items()
        space = made["metadata"]["namespace"]
        for item in self.objects:
            here = item["kind"] == "Service" and item["metadata"]["namespace"] == space
            if here and item["spec"]["selector"].items() <= labels:
                yield item["metadata"]["name"]

    def given(self, kind: str, name: str) -> Path:
        made = self.folder / kind / name
        made.mkdir(parents=True, exist_ok=True)
        return made

    def secret(self, name: str) -> Path:
        """The folder of a secret's files, as pods see it: what is changed there they see."""
        return self.given("secret", name)

    def config(self, name: str) -> Path:
        return self.given("configMap", one(self.objects, "ConfigMap", name)["metadata"]["name"])

    def volume(self, claim: str, pod: str) -> Path:
        return self.given("volume", f"{claim}-{pod}")

    def pod(self, name: str, number: int, **more: object) -> "Pod":
        item = one(self.objects, "StatefulSet", name)
        return Pod(self, f"{name}-{number}", item, **more)  # type: ignore[arg-type]

    def job(self, name: str, **more: object) -> "Pod":
        """What a CronJob starts."""
        item = one(self.objects, "CronJob", name)
        manifest = {"metadata": item["metadata"], **item["spec"]["jobTemplate"]}
        return Pod(self, name, manifest, **more)  # type: ignore[arg-type]


RESTARTS = 3
"""How often a pod that ends before it is ready is started again."""


@dataclass
class Pod:
    cluster: Cluster
    name: str
    manifest: Object
    entry: Sequence[str] = ()
    """The image's entry point, where the manifest gives arguments only."""
    extra: Sequence[str] = ()
    """Arguments after the manifest's: what a pod's own address would settle."""
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    """Where the image starts its entry point."""
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def spec(self) -> Object:
        spec: Object = self.manifest["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Object:
        container: Object = self.spec["containers"][0]
        return container

    @property
    def address(self) -> str:
        return self.cluster.addresses[self.name]

    @property
    def log(self) -> Path:
        return self.cluster.folder / f"{self.name}.log"

    # Life -----------------------------------------------------------------------------------------

    def start(self) -> "Pod":
        command = [*self.container.get("command", self.entry), *self.container.get("args", ())]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._sandboxed([*command, *self.extra]), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={}, start_new_session=True
            )  # fmt: skip
        return self

    def await_ready(self, seconds: float = 60.0) -> float:
        """Probe as often as the manifest says until it is ready; how long that took."""
        began = time.monotonic()
        probe, restarts = self.container["readinessProbe"], 0
        while not self.probe("readinessProbe"):
            assert self.process is not None
            if self.process.poll() is not None:  # a kubelet starts it again
                restarts += 1
                assert restarts <= RESTARTS, f"{self.name} ended:\n{self.tail()}"
                self.start()
            assert time.monotonic() < began + seconds, f"{self.name}: not ready\n{self.tail()}"
            time.sleep(min(probe["periodSeconds"], 0.5))
        return time.monotonic() - began

    def stop(self) -> int:
        """As a kubelet ends a pod; the exit code, which is negative where the grace ran out."""
        assert self.process is not None
        deadline = time.monotonic() + self.spec["terminationGracePeriodSeconds"]
        hook = self.container.get("lifecycle", {}).get("preStop", {})
        if "sleep" in hook:
            time.sleep(hook["sleep"]["seconds"])
        elif "exec" in hook:
            self.run(hook["exec"]["command"], deadline - time.monotonic())
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL
        finally:
            self.process = None

    def signal(self, number: int) -> None:
        """To the container's first process: bubblewrap stays its parent, and passes nothing on."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(int(children.read_text().split()[0]), number)

    def kill(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)
            self.process = None

    def tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3_000:]

    # Probes ---------------------------------------------------------------------------------------

    def probe(self, kind: str) -> bool:
        """Once, as the manifest says."""
        probe = self.container[kind]
        seconds = probe.get("timeoutSeconds", 1)
        if "exec" in probe:
            return self.run(probe["exec"]["command"], seconds) == 0
        page = probe["httpGet"]
        try:
            return 200 <= self._get(page, seconds) < 400
        except OSError:
            return False

    def _get(self, page: Object, seconds: float) -> int:
        port = port_of(self.container, page["port"])
        unchecked = ssl.create_default_context()  # a kubelet does not look at the certificate
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        connection = (
            http.client.HTTPSConnection(self.address, port, timeout=seconds, context=unchecked)
            if page.get("scheme") == "HTTPS"
            else http.client.HTTPConnection(self.address, port, timeout=seconds)
        )
        try:
            connection.request("GET", page["path"])
            return connection.getresponse().status
        finally:
            connection.close()

    def run(self, command: Sequence[str], seconds: float) -> int:
        """In a sandbox like the pod's own, as `exec` does; its exit code."""
        with self.log.open("ab") as log:
            try:
                return subprocess.run(
                    self._sandboxed(command), check=False, timeout=seconds, env={},
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                ).returncode  # fmt: skip
            except subprocess.TimeoutExpired:
                return -1

    # The sandbox ----------------------------------------------------------------------------------

    def _sandboxed(self, command: Sequence[str]) -> list[str]:
        user = self.spec["securityContext"]
        assert self.container["securityContext"]["readOnlyRootFilesystem"]
        assert self.container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        return [
            need_program("bwrap"),
            *layers(self.cluster.root, [*mounts(self), *self._machine()]),
            *("--remount-ro", "/", "--unshare-user", "--unshare-uts", "--unshare-ipc"),
            *("--unshare-pid", "--as-pid-1"),
            *("--uid", str(user["runAsUser"]), "--gid", str(user["runAsGroup"])),
            *("--hostname", self.name, "--cap-drop", "ALL", "--die-with-parent", "--new-session"),
            *("--clearenv", *self._environment(), "--chdir", self.folder, "--", *command),
        ]

    def _environment(self) -> Iterator[str]:
        names = {"PATH": "/opt/jeton/bin:/usr/bin:/bin"}
        for variable in self.container.get("env", ()):
            source = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            assert source in {None, "metadata.name"}, "no other field is known here"
            names[variable["name"]] = self.name if source else variable["value"]
        for name, text in {**names, **self.environment}.items():
            yield from ("--setenv", name, text)

    def _machine(self) -> Iterator[Mount]:
        """What a container's runtime brings, and where the host's root is used this Python."""
        yield Mount("/etc/hosts", self.cluster.folder / "hosts")
        if self.cluster.root == HOST_ROOT:
            yield Mount(str(ROOT), ROOT)
            if not sys.base_prefix.startswith("/usr"):
                yield Mount(sys.base_prefix, Path(sys.base_prefix))


def put(path: Path, content: bytes, mode: int = 0o644) -> None:
    """In place of what was there, whole, as a kubelet renews a mounted file."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.write_bytes(content)
    fresh.chmod(mode)
    fresh.replace(path)


@contextmanager
def running(pods: Sequence[Pod]) -> Iterator[Sequence[Pod]]:
    """Started, and killed whatever happens."""
    try:
        for pod in pods:
            pod.start()
        yield pods
    finally:
        for pod in pods:
            pod.kill()
