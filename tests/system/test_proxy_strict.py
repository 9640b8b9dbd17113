"""Answers that two readers could cut at two places, twins of headers, and reloads that fail."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.proxied import Edge
from tests.support.upstream import raw_upstream, upstream

pytestmark = pytest.mark.system

NIR = "284057512345672"
ROUTES = """
[proxy.routes.in]
listener = "main"
upstream = "main"
client = "edge"
path = "/in/**"
end_user = "header:X-Agent"
request = [
  { select = "header:X-Nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "json:$.nir", operation = "tokenise", transformation = "fr-nir" },
]
[proxy.routes.plain]
listener = "main"
upstream = "main"
path = "/plain/**"
"""
LENGTH = b"Content-Length: 5\r\n\r\nhello"
CHUNK = b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "bare-lf": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "one-bare-lf": OK + b"X-A: b\n" + LENGTH,
    "folded": OK + b"X-A: b\r\n  c\r\n" + LENGTH,
    "space-before-colon": OK + b"Content-Length : 5\r\n\r\nhello",
    "space-after-size": OK + b"Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    "two-codings": OK + b"Transfer-Encoding: gzip, chunked" + CHUNK,
    "coded-to-the-end": OK + b"Transfer-Encoding: gzip\r\n\r\nhello",
    "chunked-and-not": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity" + CHUNK,
    "chunked-of-1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked" + CHUNK,
    "switches": b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "another-version": b"HTTP/2.0 200 OK\r\n" + LENGTH,
    "no-status": b"HTTP/1.1 999 OK\r\n" + LENGTH,
}


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, list[bytes]]]:
    answer = [b""]
    with raw_upstream(lambda: answer[0]) as port:
        edge = Edge.create(tmp_path_factory.mktemp("edge"), port, ROUTES)
        with edge.running():
            yield edge, answer


@pytest.mark.parametrize("name", ANSWERS)
def test_what_can_be_read_two_ways_is_none(name: str, answering: tuple[Edge, list[bytes]]) -> None:
    edge, answer = answering
    answer[0] = ANSWERS[name]
    got = edge.ask("GET", "/plain/a")
    assert (got.status, json.loads(got.body)["code"]) == (502, "upstream_invalid")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
def test_what_can_be_read_one_way_passes(head: bytes, answering: tuple[Edge, list[bytes]]) -> None:
    edge, answer = answering
    for rest in (OK + LENGTH, OK + b"Transfer-Encoding: chunked" + CHUNK, OK + b"\r\nhello"):
        answer[0] = head + rest
        assert edge.ask("GET", "/plain/a").body == b"hello"


def test_twins_and_reloads(tmp_path: Path) -> None:
    with upstream() as behind:
        edge = Edge.create(tmp_path, behind.port, ROUTES)
        with edge.running():
            for twin in ("X_Nir", "X_Agent", "Content_Type", "X_Forwarded-For"):
                assert edge.ask("GET", "/in/a", headers={twin: NIR}).status == 400, twin
            assert not behind.seen
            assert edge.ask("GET", "/in/a", headers={"X_Other": "1"}).status == 200
            edge.ask("GET", "/in/a", headers={"X-Nir": NIR})
            assert behind.last.header("x-nir") != [NIR]
            text = edge.service.config.read_text()
            missing = tmp_path / "missing.pem"
            broken = (
                f'\n[proxy.upstreams.other]\nurls = ["https://127.0.0.1:1"]\ntls_ca = "{missing}"\n'
            )
            other = '[proxy.routes.more]\nlistener="main"\nupstream="main"\npath="/more/**"\n'
            edge.service.config.write_text(text + broken + other)
            assert edge.reloaded() == "reload-failed"
            assert edge.ask("GET", "/more/a").status == 404
            edge.ask("GET", "/in/a", headers={"X-Nir": NIR})
            assert behind.last.header("x-nir") != [NIR]
            edge.service.config.write_text(text + other)
            assert edge.reloaded() == '"reloaded"'
            assert edge.ask("GET", "/more/a").status == 200


def test_a_header_that_the_route_reads_is_not_of_the_connection_alone(tmp_path: Path) -> None:
    route = '[proxy.routes.main]\nlistener="main"\nupstream="main"\nend_user="header:X-User"\n'
    with upstream() as behind:
        edge = Edge.create(tmp_path, behind.port, route)
        with edge.running():
            edge.ask("GET", "/", headers={"X-User": "agent-17", "Connection": "x-user"})
            assert behind.last.header("x-user") == ["agent-17"]
