"""Beside the service of `jeton dev`: the edge proxy, and an upstream that tells what it saw."""

import ctypes
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

from vault.errors import SetUpError

_PR_SET_PDEATHSIG = 1
ROUTES = """
[proxy]
host = "{host}"
port = {pages}
[proxy.listeners.edge]
host = "{host}"
port = {port}
[proxy.upstreams.echo]
urls = ["http://127.0.0.1:{upstream}"]

[proxy.routes.echo]
listener = "edge"
upstream = "echo"
client = "intake"
others = "pass"
request = [
  {{ select = "json:$..nir", operation = "tokenise", transformation = "fr-nir" }},
  {{ select = "json:$..born", operation = "tokenise", transformation = "birth-date", context_select = "json:@.nir" }},
  {{ select = "form:nir", operation = "tokenise", transformation = "fr-nir" }},
  {{ select = "query:nir", operation = "tokenise", transformation = "fr-nir" }},
]
"""  # noqa: E501 - TOML has its tables in one line


class _Echo(BaseHTTPRequestHandler):
    """Answers what it was sent."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        saw = {"method": self.command, "target": self.path, "body": body.decode("utf-8", "replace")}
        said = json.dumps({"the upstream saw": saw}, ensure_ascii=False).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None: ...


def offered() -> bool:
    """Whether the proxy's packages are installed."""
    return find_spec("aiohttp") is not None


@contextmanager
def edge(config: Path, environ: Mapping[str, str], host: str, port: int) -> Iterator[None]:
    """A proxy at `port` with an upstream behind it, by routes that are added to `config`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    with config.open("a") as file:
        file.write(ROUTES.format(host=host, pages=port + 1, port=port, upstream=server.server_port))
    command = [sys.executable, "-m", "vault", "proxy", "--config", str(config)]
    process = subprocess.Popen(command, env=dict(environ), preexec_fn=_end_with_parent)  # noqa: PLW1509
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        _await(process, host, port)
        yield
    finally:
        process.terminate()
        process.wait()
        server.shutdown()
        server.server_close()


def _end_with_parent() -> None:
    """In the child: SIGTERM as soon as whoever started it is gone, however that ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _await(process: "subprocess.Popen[bytes]", host: str, port: int) -> None:
    """Until it is served. Raises SetUpError where it will not be."""
    while True:
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            if process.poll() is not None:
                raise SetUpError("the edge proxy did not start: see above") from None
            time.sleep(0.02)
        else:
            return
