"""HAProxy in the place of a cluster's Service: pods get calls while their readiness probe says so,
and none once they are on their way out.

What it asks, how often and how long it waits is read from the manifest. That a pod is being
deleted it hears a moment later, as nodes of a cluster do. It tries nothing twice: a pod that was
gone before that moment would cost calls.
"""

import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from tests.support.components import need_program
from tests.support.kubernetes import port_of
from tests.support.pods import Pod
from tests.support.ports import free_port

HEARSAY = 1.0
"""Seconds until it hears that a pod is being deleted."""


@dataclass
class Balancer:
    folder: Path
    pods: list[Pod]
    authority: Path
    name: str
    """What the pods' certificate is for."""
    mode: Literal["http", "tcp"] = "http"
    """Of calls, as an ingress does, or of connections, as a Service does: then callers keep theirs
    to a pod, and see its certificate."""
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    _run: "TemporaryDirectory[str]" = field(default_factory=partial(TemporaryDirectory, dir="/tmp"))

    @property
    def control(self) -> Path:
        """A socket's path has to be short, whoever runs the test."""
        return Path(self._run.name) / "control"

    def __enter__(self) -> "Balancer":
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "haproxy.cfg"
        file.write_text(self._configuration())
        with (self.folder / "haproxy.log").open("ab") as log:
            self.process = subprocess.Popen(
                [need_program("haproxy"), "-db", "-f", str(file)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while not (self.control.exists() and all(self.is_up(pod) for pod in self.pods)):
            assert self.process.poll() is None, (self.folder / "haproxy.log").read_text()
            assert time.monotonic() < deadline, "HAProxy finds no pod ready"
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)
        self._run.cleanup()

    def delete(self, pod: Pod) -> None:
        """The pod is told to end, and a moment later no new call goes there."""
        with ThreadPoolExecutor(1) as hearsay:
            heard = hearsay.submit(self._drain, pod)
            code = pod.stop()
        heard.result()
        assert code == 0, f"{pod.name} ended with {code}:\n{pod.tail()}"

    def _drain(self, pod: Pod) -> None:
        time.sleep(HEARSAY)
        assert self._ask(f"set server jeton/{pod.name} state drain") == ""

    def come(self, pod: Pod) -> None:
        """There is a pod of this name again, as far as its readiness probe says."""
        assert self._ask(f"set server jeton/{pod.name} state ready") == ""
        deadline = time.monotonic() + 60
        while not self.is_up(pod):
            assert time.monotonic() < deadline, f"{pod.name} is not up"
            time.sleep(0.1)

    def is_up(self, pod: Pod) -> bool:
        rows = self._ask("show stat").splitlines()
        columns = rows[0].lstrip("# ").split(",") if rows else []
        for row in rows[1:]:
            facts = dict(zip(columns, row.split(","), strict=True))
            if facts["svname"] == pod.name:
                return facts["status"] == "UP" and facts["check_status"] == "L7OK"
        return False

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self.control))
            control.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: control.recv(65_536), b"")).decode().strip()

    def _configuration(self) -> str:
        container = self.pods[0].container
        probe = container["readinessProbe"]
        page = probe["httpGet"]
        port = port_of(container, page["port"])
        servers = "\n".join(f"    server {pod.name} {pod.address}:{port}" for pod in self.pods)
        verified = f"verify required ca-file {self.authority} check-sni {self.name}"
        if self.mode == "http":
            tls = f"ssl {verified} verifyhost {self.name} sni str({self.name})"
        else:
            tls = f"check-ssl {verified}"
        return f"""
global
    stats socket {self.control} level admin
    maxconn 4000
    log stdout format raw local0
defaults
    mode {self.mode}
    log global
    option {self.mode}log
    option dontlog-normal
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout check {probe["timeoutSeconds"]}s
    retries 0
listen jeton
    bind 127.0.0.1:{self.port}
    balance roundrobin
    option httpchk
    http-check send meth GET uri {page["path"]} ver HTTP/1.1 hdr Host {self.name}
    http-check expect status 200
    default-server check inter {probe["periodSeconds"]}s fall {probe["failureThreshold"]} \
rise {probe.get("successThreshold", 1)} {tls}
{servers}
"""
