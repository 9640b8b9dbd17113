"""The edge proxy of the production overlay, as a pod, in front of a real upstream."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.population import nirs
from tests.support import kubernetes_redis as redis
from tests.support.pods import put, running
from tests.support.rollout import deployed

pytestmark = [pytest.mark.system, pytest.mark.slow]


class Upstream(ThreadingHTTPServer):
    """Keeps the bodies that it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_passes_the_proxy_s_pod_reaches_the_upstream_as_a_token(
    upstream: Upstream, tmp_path: Path
) -> None:
    with deployed(tmp_path) as deployment:
        address = deployment.cluster.addresses["jeton-proxy-0"]
        pair = deployment.authority.issue("the proxy", hosts=[address])
        for name, content in redis.files(pair).items():
            put(deployment.cluster.secret("jeton-proxy-tls") / name, content, 0o440)
        there = f"http://127.0.0.1:{upstream.server_port}"
        text = deployment.config.read_text("utf-8").replace("http://claims.claims.svc:8080", there)
        # On the loopback all pods would share the ports of 0.0.0.0.
        deployment.config.write_text(text.replace("0.0.0.0", address), "utf-8")
        deployment.apply()
        with redis.redis_pods(deployment.cluster):
            pod = deployment.pod("jeton-proxy", 0)
            with running([pod]):
                pod.await_ready()
                assert "issuer-away" not in pod.tail()
                assert pod.probe("startupProbe")
                assert pod.probe("livenessProbe")
                [value] = nirs(1)
                tls = deployment.authority.trusting()
                with closing(http.client.HTTPSConnection(address, 8300, context=tls)) as client:
                    headers = {"Content-Type": "application/json"}
                    client.request("POST", "/claims", json.dumps({"nir": value, "id": 7}), headers)
                    assert client.getresponse().status == 200
    [body] = upstream.bodies
    sent = json.loads(body)
    assert sent["id"] == 7
    assert len(sent["nir"]) == len(value)
    assert value.encode() not in body
