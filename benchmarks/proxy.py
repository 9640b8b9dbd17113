"""The edge proxy beside a bare aiohttp proxy and nginx, before one upstream, in one run.

    python -m benchmarks run proxy

Each proxy has the server's core; the upstream, a bare ASGI callable, and `wrk` share the other.
Figures are requests a second of the proxy's own processor time, which that sharing does not
touch, and ratios of them round by round.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import http
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result

INS = "urn:oid:1.2.250.1.213.1.4.8"
PATIENT = json.dumps(
    {
        "resourceType": "Patient",
        "id": "example",
        "meta": {"profile": ["https://example.org/StructureDefinition/patient"] * 3},
        "text": {"status": "generated", "div": "<div>" + "A person. " * 60 + "</div>"},
        "identifier": [
            {"use": "official", "system": INS, "value": "A-NIR"},
            {"use": "usual", "system": "urn:other", "value": "77120001"},
        ],
        "active": True,
        "name": [{"use": "official", "family": "Durand", "given": ["Pierre", "Yves"]}] * 2,
        "telecom": [{"system": "phone", "value": "01 99 00 67 89", "use": "home"}] * 4,
        "gender": "male",
        "birthDate": "1974-12-25",
        "address": [{"line": ["367 rue Troussier"], "city": "Lyon", "country": "FR"}] * 3,
    }
)
ROUTES = """
[proxy]
port = {pages}
[proxy.listeners.main]
port = {port}
[proxy.upstreams.main]
urls = ["{upstream}"]
[proxy.routes.fhir]
listener = "main"
upstream = "main"
client = "bench-edge"
path = "/fhir"
request = [
  {{ select = "json:$.identifier[?@.system=='{ins}'].value", operation = "tokenise", transformation = "fr-nir" }},
  {{ select = "json:$.birthDate", operation = "tokenise", transformation = "birth-date", context_select = "json:@.identifier[?@.system=='{ins}'].value" }},
]
[proxy.routes.plain]
listener = "main"
upstream = "main"
"""  # noqa: E501 - TOML has its tables in one line
NGINX = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log /dev/null;
daemon off;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream behind {{ server {upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""


@contextmanager
def upstream() -> Iterator[str]:
    """A bare ASGI callable on the load's core."""
    port = http.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "benchmarks.bare:app", "--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools", "--port", str(port)]
    with http.server(command, f"{url}/", core=http.LOAD_CORE):
        yield url


def edge(stack: ExitStack, folder: Path, behind: str) -> tuple[str, int]:
    config = http.initialised(folder / "data")
    http.add_clients(config, {"bench-edge": (["tokenise:fr-nir", "tokenise:birth-date"], [])})
    port, pages = http.free_port(), http.free_port()
    with config.open("a") as file:
        file.write(ROUTES.format(port=port, pages=pages, upstream=behind, ins=INS))
    command = [sys.executable, "-m", "vault", "proxy", "--config", str(config)]
    pid = stack.enter_context(http.server(command, f"http://127.0.0.1:{pages}/readyz"))
    return f"http://127.0.0.1:{port}", pid


def bare(stack: ExitStack, behind: str) -> tuple[str, int]:
    port = http.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "benchmarks.bare_proxy:app", "--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools", "--port", str(port)]
    pid = stack.enter_context(http.server(command, f"{url}/", {"UPSTREAM": behind}))
    return url, pid


def nginx(stack: ExitStack, folder: Path, behind: str) -> tuple[str, int] | None:
    """None where it is not there."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        return None
    port = http.free_port()
    file = folder / "nginx.conf"
    address = behind.removeprefix("http://")
    file.write_text(NGINX.format(folder=folder, port=port, upstream=address))
    url = f"http://127.0.0.1:{port}"
    pid = stack.enter_context(http.server([program, "-c", str(file)], f"{url}/"))
    return url, _child(pid)


def _child(pid: int) -> int:
    """The worker of a master that does nothing itself."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def proxy(pace: Pace) -> Iterator[Result]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        behind = stack.enter_context(upstream())
        ours = edge(stack, folder, behind)
        others = {"bare aiohttp proxy": bare(stack, behind), "nginx": nginx(stack, folder, behind)}
        patients = [PATIENT.replace("A-NIR", nir).encode() for nir in nirs(1_000, seed=5)]
        plain = http.Work("pass-through", "/plain", patients, 16, "")
        fhir = http.Work("FHIR Patient rewritten", "/fhir", patients, 16, "")
        jobs = {"ours": (ours, plain), "rewritten": (ours, fhir)}
        jobs |= {name: (target, plain) for name, target in others.items() if target is not None}
        rates: dict[str, list[float]] = {name: [] for name in jobs}
        for number in range(pace.rounds + pace.warm):
            for name, (target, work) in jobs.items():
                run = http.wrk(target, work, pace.of(2, 1), folder)
                if number >= pace.warm:
                    rates[name].append(run.per_processor_second)
    command, unit = COMMAND.format("proxy"), "requests/processor s"
    for name in others:
        if name in rates:
            wanted = "ratio >= 0.9" if "bare" in name else None
            yield result(
                f"pass-through beside {name}", unit, rates["ours"], command, rates[name], wanted
            )
    yield result(
        f"FHIR Patient of {len(PATIENT)} bytes rewritten, beside pass-through",
        unit,
        rates["rewritten"],
        command,
        rates["ours"],
        "ratio >= 0.7",
    )
