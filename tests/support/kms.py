"""AWS KMS as tests can have it: moto's server in a process of its own, and a server that gives
nothing but the errors which moto cannot be made to give.

    with kms_server(tmp_path) as kms:
        key = kms.new_key()                      # its ARN
        kms.client.disable_key(KeyId=key)
"""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.components import need_module
from tests.support.ports import free_port

START_SECONDS = 60.0
REGION = "eu-west-3"


@dataclass(frozen=True)
class Kms:
    port: int

    @property
    def environment(self) -> Mapping[str, str]:
        return environment_of(self.port)

    @cached_property
    def _session(self) -> Any:
        from boto3.session import Session  # noqa: PLC0415 - may be missing

        return Session("testing", "testing", region_name=REGION)

    @property
    def client(self) -> Any:
        return self._session.client("kms", endpoint_url=f"http://127.0.0.1:{self.port}")

    def new_key(self) -> str:
        arn: str = self.client.create_key()["KeyMetadata"]["Arn"]
        return arn


def environment_of(port: int) -> Mapping[str, str]:
    """What boto3 is told by, in the service's process too."""
    return {
        "AWS_ENDPOINT_URL_KMS": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def kms_server(folder: Path) -> Iterator[Kms]:
    for module in ("moto", "flask", "flask_cors", "boto3"):
        need_module(module)
    port = free_port()
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _await(process, port)
        yield Kms(port)
    finally:
        process.kill()
        process.wait(10)


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "moto's server has ended"
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/moto-api/data.json")
            connection.getresponse().read()
            return
        time.sleep(0.05)
    raise AssertionError("moto's server does not answer")


class Failing:
    """Answers every call with one error; `calls` counts them."""

    def __init__(self, code: str, status: int) -> None:
        self.calls = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.calls += 1
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = f'{{"__type":"{code}","message":"words of a server"}}'.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> "Failing":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
