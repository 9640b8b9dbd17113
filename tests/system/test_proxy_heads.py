"""What a head says: who a request is for, which route it takes, how a body is to be read, and what
of an answer may be kept."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy.test_end_user import jwt
from tests.support.proxied import Edge
from tests.support.upstream import Reply, Upstream, upstream

pytestmark = pytest.mark.system

NIR = "284057512345672"
TEXT = {"Content-Type": "text/plain"}
JSON = {"Content-Type": "application/json"}
ROUTES = """
[proxy.routes.people]
listener = "main"
upstream = "main"
client = "edge"
purpose = "care"
path = "/people"
end_user = "cookie:session:sub"
request = [{ select = "header:X-Nir", operation = "tokenise", transformation = "fr-nir" }]
response = [{ select = "header:X-Nir", operation = "detokenise", transformation = "fr-nir" }]
[proxy.routes.bodies]
listener = "main"
upstream = "main"
client = "edge"
path = "/bodies"
request = [{ select = "json:$.nir", operation = "tokenise", transformation = "fr-nir" }]
[proxy.routes.portal]
listener = "main"
upstream = "main"
hosts = ["portal.example", "[::1]"]
path = "/host"
"""
GUARDED = """
[proxy.routes.{mode}]
listener = "main"
upstream = "main"
path = "/{mode}"
guard_requests = "{mode}"
guard_responses = "{mode}"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Upstream]]:
    routes = ROUTES + "".join(GUARDED.format(mode=mode) for mode in ("report", "mask", "block"))
    with upstream() as behind:
        edge = Edge.create(tmp_path_factory.mktemp("edge"), behind.port, routes)
        with edge.running():
            yield edge, behind


@pytest.fixture
def edge(running: tuple[Edge, Upstream]) -> Edge:
    return running[0]


@pytest.fixture
def behind(running: tuple[Edge, Upstream]) -> Upstream:
    running[1].answers = lambda seen: Reply(200, TEXT, b"done")
    running[1].seen.clear()
    return running[1]


def test_an_end_user_from_a_cookies_claim(edge: Edge, behind: Upstream) -> None:
    behind.answers = lambda seen: Reply(200, {"X-Nir": seen.header("x-nir")[0]})
    cookie = f"a=1; session={jwt({'sub': 'agent-23'})}; b=2"
    answer = edge.ask("GET", "/people", headers={"Cookie": cookie, "X-Nir": NIR})
    assert answer.header("x-nir") == [NIR]
    assert behind.last.header("x-nir") != [NIR]
    assert behind.last.header("cookie") == [cookie]
    record = "".join(
        path.read_text("utf-8") for path in (edge.service.folder / "audit").rglob("*.jsonl")
    )
    assert '"agent-23"' in record


def test_a_cookie_that_is_there_twice_is_refused(edge: Edge, behind: Upstream) -> None:
    two = [f"session={jwt({'sub': name})}" for name in ("agent-1", "agent-2")]
    answer = edge.ask("GET", "/people", headers={"Cookie": "; ".join(two), "X-Nir": NIR})
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "malformed_request")
    assert not behind.seen


def test_what_is_revealed_in_a_head_is_not_kept_and_the_body_is_as_it_was(
    edge: Edge, behind: Upstream
) -> None:
    cookie = {"Cookie": f"session={jwt({'sub': 'agent-23'})}"}
    edge.ask("GET", "/people", headers={**cookie, "X-Nir": NIR})
    said = {
        **TEXT,
        "X-Nir": behind.last.header("x-nir")[0],
        "ETag": '"1"',
        "Content-Digest": "sha-256=:AAAA:",
        "Cache-Control": "public, max-age=9",
    }
    behind.answers = lambda seen: Reply(206, {**said, "Content-Range": "bytes 0-3/9"}, b"part")
    answer = edge.ask("GET", "/people", headers={**cookie, "Range": "bytes=0-3"})
    assert (answer.status, answer.body) == (206, b"part")
    assert behind.last.header("range") == ["bytes=0-3"]
    assert answer.header("x-nir") == [NIR]
    assert answer.header("etag") == ['"1"']
    assert answer.header("content-digest") == ["sha-256=:AAAA:"]
    assert answer.header("content-length") == ["4"]
    assert answer.header("cache-control") == ["no-store"]


@pytest.mark.parametrize("host", ["portal.example", "PORTAL.example.:8301", "[::1]:80"])
def test_a_name_in_all_its_forms_takes_one_route(host: str, edge: Edge, behind: Upstream) -> None:
    assert edge.ask("GET", "/host", headers={"Host": host}).status == 200
    assert behind.last.header("host") == [host]


@pytest.mark.parametrize("host", ["other.example", "[::2]", "portal.example.org"])
def test_another_name_takes_another_route(host: str, edge: Edge) -> None:
    assert edge.ask("GET", "/host", headers={"Host": host}).status == 404


CHARSETS = ("utf-32", "utf-32-le", "cp037", "cp500", "utf-7", "no-charset")


@pytest.mark.parametrize("charset", CHARSETS)
def test_the_guard_lets_nothing_pass_that_it_cannot_read(
    charset: str, edge: Edge, behind: Upstream
) -> None:
    kind = {"Content-Type": f"text/plain; charset={charset}"}
    body = NIR.encode("utf-8" if charset == "no-charset" else charset)
    for mode in ("mask", "block"):
        assert edge.ask("POST", f"/{mode}", body, kind).status == 400
        assert not behind.seen
        behind.answers = lambda seen: Reply(200, kind, body)
        assert edge.ask("GET", f"/{mode}").status == 502
        behind.seen.clear()
    before = edge.log.count("unread-body")
    assert edge.ask("POST", "/report", body, kind).body == body
    assert behind.last.body == body
    assert edge.log.count("unread-body") == before + 2


@pytest.mark.parametrize("charset", ["utf-8", '"UTF-8"', "latin-1", "utf-16le"])
def test_the_guard_reads_what_holds_ascii_and_utf_16(
    charset: str, edge: Edge, behind: Upstream
) -> None:
    kind = {"Content-Type": f"text/plain; charset={charset}"}
    assert edge.ask("POST", "/block", b"nothing", kind).status == 200
    twice = {"Content-Type": f"text/plain; charset={charset}; charset=utf-32"}
    assert edge.ask("POST", "/block", b"nothing", twice).status == 400
    if charset == "utf-16le":
        assert edge.ask("POST", "/block", f"a {NIR} b".encode(charset), kind).status == 422


def test_a_coding_that_nobody_unfolds(edge: Edge, behind: Upstream) -> None:
    folded = {**TEXT, "Content-Encoding": "compress"}
    for mode in ("mask", "block"):
        assert edge.ask("POST", f"/{mode}", b"?", folded).status == 415
    assert not behind.seen
    before = edge.log.count("unread-body")
    assert edge.ask("POST", "/report", b"?", folded).body == b"done"
    assert behind.last.body == b"?"
    assert edge.log.count("unread-body") == before + 1


def test_a_part_of_a_body_is_not_rewritten(edge: Edge, behind: Upstream) -> None:
    part = {"Content-Range": "bytes 0-1/9"}
    for path in ("/bodies", "/block", "/mask"):
        answer = edge.ask("PUT", path, b"{}", {**JSON, **part})
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "malformed_request")
    assert not behind.seen
    cookie = {"Cookie": f"session={jwt({'sub': 'agent-23'})}"}
    assert edge.ask("PUT", "/people", b"{}", {**JSON, **part, **cookie}).status == 200
    assert behind.last.header("content-range") == ["bytes 0-1/9"]


def test_a_reload_closes_old_connections_when_their_last_answer_is_given(tmp_path: Path) -> None:
    """Long before `shutdown_timeout`."""
    arrived, going_on, closed = threading.Event(), threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(15)
                connection.recv(65_536)
                arrived.set()
                assert going_on.wait(15)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                if connection.recv(1) == b"":
                    closed.set()

        behind = threading.Thread(target=serve, daemon=True)
        behind.start()
        edge = Edge.create(tmp_path, listening.getsockname()[1], ROUTES)
        with edge.running():
            answers: list[bytes] = []
            headers = {"Host": "portal.example"}
            asking = threading.Thread(
                target=lambda: answers.append(edge.ask("GET", "/host", headers=headers).body)
            )
            asking.start()
            assert arrived.wait(10)
            before = time.monotonic()
            edge.service.edit(
                lambda text: text.replace("answer_timeout = 30", "answer_timeout = 29")
            )
            assert edge.reloaded() == '"reloaded"'
            going_on.set()
            asking.join(10)
            assert answers == [b"ok"]
            assert closed.wait(10)
            assert time.monotonic() - before < 15
        behind.join(10)
