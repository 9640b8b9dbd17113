"""Servers under the load of `wrk`: the service, and a bare ASGI callable to interleave it with.

The server has one core, `wrk` the other. `python -m benchmarks run service` measures with it, and
so do most of the others.
"""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.cores import TIED, cores
from benchmarks.population import nirs
from vault.cli import main as main_verb

Target = tuple[str, int]
"""Address and process id of a server."""
Clients = Mapping[str, tuple[Sequence[str], Sequence[str]]]
"""Their grants and limits, as `jeton clients add` takes them."""
CLIENTS: Clients = {
    "bench-in": (["tokenise:fr-nir"], []),
    "bench-out": (["detokenise:fr-nir:benchmark"], []),
}
BOUNDLESS = [
    f"{budget}.{window}=100000000000"
    for budget in ("tokenise", "reveal", "match", "people")
    for window in ("hour", "day")
    if (budget, window) != ("people", "hour")
]
BARE = "benchmarks.bare:app"
ARROW = "application/vnd.apache.arrow.stream"
SERVER_CORE, LOAD_CORE = cores()
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = os.getenv("MEDIA_TYPE")
wrk.headers["Authorization"] = "Bearer " .. os.getenv("CREDENTIAL")
local purpose = os.getenv("PURPOSE")
if purpose ~= "" then wrk.headers["Jeton-Purpose"] = purpose end
local bodies = {}
local file = io.open(os.getenv("BODIES"), "rb")
for size in function() return file:read("*n") end do
  file:read(1)
  bodies[#bodies + 1] = file:read(size)
end
local at = 0
request = function()
  at = at % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
done = function(summary)
  local wrong = summary.errors
  local broken = wrong.connect + wrong.read + wrong.write
  io.write(string.format("non-2xx: %d, broken: %d\\n", wrong.status, broken))
end
"""


@dataclass(frozen=True)
class Work:
    """One kind of load: `per_request` values in each request."""

    name: str
    path: str
    bodies: list[bytes]
    connections: int
    credential: str
    purpose: str = ""
    per_request: int = 1
    media_type: str = "application/json"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def processor_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(
    command: list[str],
    ready: str,
    environment: Mapping[str, str] | None = None,
    core: str = SERVER_CORE,
) -> Iterator[int]:
    """The process id of a server on its core, with more environment; ended at the end."""
    process = subprocess.Popen(
        [*TIED, "taskset", "-c", core, *command],
        env=os.environ | (environment or {}),
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(ready, process)
        yield process.pid
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """As an operator would, or by force where it does not end by itself."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


@contextmanager
def on_uvicorn(
    application: str, ready: str = "/", environment: Mapping[str, str] | None = None
) -> Iterator[Target]:
    """An ASGI application, on the loop and the parser that all are compared on."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "uvicorn", application, "--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools", "--port", str(port)]
    with server(command, url + ready, environment) as pid:
        yield url, pid


@contextmanager
def vault(config: Path) -> Iterator[Target]:
    """The service."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "vault", "serve", "--config", str(config)]
    with server([*command, "--port", str(port)], f"{url}/readyz") as pid:
        yield url, pid


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the server did not become ready")


@dataclass(frozen=True)
class Run:
    """What one run of `wrk` measured: requests a second of wall time, and of the server's
    processor time, which neighbours on the machine disturb less."""

    rate: float
    per_processor_second: float


def wrk(target: Target, work: Work, seconds: float, folder: Path) -> Run:
    """Load the server at (address, process id); ends the run if an answer is not 2xx, if a
    connection breaks, or if items of the first body fail, which an answer of 200 may name."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed (Debian: apt-get install wrk)")
    url, pid = target
    script, bodies = folder / "load.lua", folder / f"{work.name.replace(' ', '-')}.txt"
    answered(url, work, work.bodies[0])
    script.write_text(SCRIPT)
    bodies.write_bytes(b"".join(b"%d\n%b" % (len(body), body) for body in work.bodies))
    environment = os.environ | {
        "BODIES": str(bodies),
        "MEDIA_TYPE": work.media_type,
        "CREDENTIAL": work.credential,
        "PURPOSE": work.purpose,
    }
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{work.connections}"]
    command += [f"-d{seconds:g}s", "-s", str(script), url + work.path]
    before = processor_seconds(pid)
    out = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout
    spent = processor_seconds(pid) - before
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    count = re.search(r"(\d+) requests in", out)
    if rate is None or count is None or "non-2xx: 0, broken: 0\n" not in out:
        raise SystemExit(f"{work.name}: the load failed:\n{out}")
    return Run(float(rate.group(1)), int(count.group(1)) / spent)


def answered(url: str, work: Work, body: bytes) -> None:
    """Ends the run if the body is not answered with 200, or any of its items failed."""
    headers = {"Content-Type": work.media_type, "Authorization": f"Bearer {work.credential}"}
    if work.purpose:
        headers["Jeton-Purpose"] = work.purpose
    request = urllib.request.Request(url + work.path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = answer.read()
    except urllib.error.HTTPError as refused:
        raise SystemExit(f"{work.name}: answered {refused.code}") from None
    if work.media_type == ARROW and answer.headers["Content-Type"] == ARROW:
        table = pa.ipc.open_stream(found).read_all()
        failed = len(table) - table["error"].null_count
    else:
        failed = len(json.loads(found).get("errors", ()))
    if failed:
        raise SystemExit(f"{work.name}: {failed} items of a request failed")


def jeton(*words: str) -> Any:
    """What a verb prints as JSON; run here, since a process would take a second to begin."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            main_verb([*words, "--json"], prog_name="jeton")
    except SystemExit as ended:
        if ended.code:
            raise
    return json.loads(printed.getvalue())


def initialised(folder: Path) -> Path:
    """The configuration of a fresh vault."""
    return Path(jeton("init", str(folder))["config"])


def add_clients(config: Path, clients: Clients) -> dict[str, str]:
    """Their credentials. They may spend what a benchmark spends where nothing else is said."""
    credentials: dict[str, str] = {}
    for name, (grants, limits) in clients.items():
        options = ["--config", str(config)]
        for grant in grants:
            options += ["--grant", grant]
        for limit in (*BOUNDLESS, *limits):  # the last one counts
            options += ["--limit", limit]
        credentials[name] = jeton("clients", "add", name, *options)["credential"]
    return credentials


def tokens_of(url: str, credential: str, values: list[str]) -> list[str]:
    request = urllib.request.Request(
        f"{url}/v1/tokenise/fr-nir",
        json.dumps({"values": values}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {credential}"},
    )
    with urllib.request.urlopen(request) as answer:
        tokens: list[str] = json.load(answer)["tokens"]
        return tokens


def works(url: str, credentials: dict[str, str]) -> list[Work]:
    people = list(nirs(10_000, seed=7))
    tokens = tokens_of(url, credentials["bench-in"], people)
    single = [json.dumps({"value": nir}).encode() for nir in people]
    batch = [
        json.dumps({"values": people[at : at + 1000]}).encode() for at in range(0, 10_000, 1000)
    ]
    reveal = [json.dumps({"token": token}).encode() for token in tokens]
    arrow = [arrow_stream(list(nirs(100_000, seed=seed))) for seed in range(2)]
    tokenise, detokenise = "/v1/tokenise/fr-nir", "/v1/detokenise/fr-nir"
    write, read = credentials["bench-in"], credentials["bench-out"]
    return [
        Work("single tokenise", tokenise, single, 16, write),
        Work("single detokenise", detokenise, reveal, 64, read, "benchmark"),
        Work("batch of 1000", tokenise, batch, 16, write, per_request=1000),
        Work("Arrow of 100,000", tokenise, arrow, 2, write, "", 100_000, ARROW),
    ]


def arrow_stream(values: list[str]) -> bytes:
    """One record batch of a column `value`."""
    table = pa.table({"value": values})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
