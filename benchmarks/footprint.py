"""What a worker costs before it does anything: the time until it is ready, and its memory."""

import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks import http
from benchmarks.cores import TIED
from benchmarks.pace import COMMAND, Pace
from benchmarks.results import Result, result

CALLS = 2_000


def footprint(pace: Pace) -> Iterator[Result]:
    ready: list[float] = []
    idle: list[float] = []
    own: list[float] = []
    busy: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        config = http.initialised(Path(folder) / "data")
        credentials = http.add_clients(config, http.CLIENTS)
        for _ in range(pace.rounds + pace.warm):
            port = http.free_port()
            url = f"http://127.0.0.1:{port}"
            command = [*TIED, sys.executable, "-m", "vault", "serve", "--config", str(config)]
            began = time.perf_counter()
            process = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
            try:
                _await(url, process)
                ready.append(time.perf_counter() - began)
                idle.append(_resident(process.pid))
                own.append(_own(process.pid))
                http.tokens_of(url, credentials["bench-in"], ["284057512345672"] * CALLS)
                busy.append(_resident(process.pid))
            finally:
                http.end(process)
    told = COMMAND.format("footprint")
    yield result("start to ready", "s", ready[pace.warm :], told, target="value <= 0.7")
    yield result("resident memory once ready", "MB", idle[pace.warm :], told, target="value <= 80")
    yield result("memory that no other process shares, once ready", "MB", own[pace.warm :], told)
    yield result(f"resident memory after a batch of {CALLS:,}", "MB", busy[pace.warm :], told)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=1).close()
        except OSError:
            time.sleep(0.005)
        else:
            return
    raise SystemExit(f"the service ended with {process.returncode}")


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("this kernel does not tell a process's memory")


def _own(pid: int) -> float:
    """Without pages of libraries, which the kernel keeps once for all that map them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Private_"))
