"""Requests that two readers could take for different ones, sent to the proxy directly and from
behind nginx and HAProxy: what arrives at the upstream is what was asked for, or nothing."""

import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.smuggling.corpus import BAD, GOOD, INNER, Case, corpus
from tests.support.components import need_program
from tests.support.ports import free_port
from tests.support.proxied import Edge
from tests.support.upstream import Reply, Upstream, upstream

pytestmark = pytest.mark.system

ROUTES = '[proxy.routes.plain]\nlistener = "main"\nupstream = "main"\npath = "/plain/**"\n'
CASES = corpus()
QUIET = 0.4
"""Seconds after which nothing more is expected."""
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")
_NUMBER = re.compile(r"/plain/([0-9]+)(-[a-z]+)?")

Front = Callable[[Path, int], "contextmanager[int]"]


@contextmanager
def directly(_: Path, port: int) -> Iterator[int]:
    yield port


@contextmanager
def behind_nginx(folder: Path, port: int) -> Iterator[int]:
    program, listening = need_program("nginx"), free_port()
    folder.mkdir()
    temporary = " ".join(
        f"{kind}_temp_path {folder};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}}\n"
        f"http {{ access_log off; {temporary} underscores_in_headers on;\n"
        f"upstream edge {{ server 127.0.0.1:{port}; keepalive 4; }}\n"
        f"server {{ listen 127.0.0.1:{listening}; location / {{ proxy_pass http://edge;\n"
        'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;\n'
        "proxy_set_header Host $host; } } }\n"
    )
    with _running([program, "-c", str(folder / "nginx.conf")], listening):
        yield listening


@contextmanager
def behind_haproxy(folder: Path, port: int) -> Iterator[int]:
    program, listening = need_program("haproxy"), free_port()
    folder.mkdir()
    (folder / "haproxy.cfg").write_text(
        "defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n"
        " option http-keep-alive\n http-reuse always\n"
        f"frontend front\n bind 127.0.0.1:{listening}\n default_backend edge\n"
        f"backend edge\n server edge 127.0.0.1:{port}\n"
    )
    with _running([program, "-db", "-f", str(folder / "haproxy.cfg")], listening):
        yield listening


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Upstream]]:
    with upstream() as behind:
        behind.answers = lambda seen: Reply(200, {}, b"done")
        edge = Edge.create(tmp_path_factory.mktemp("edge"), behind.port, ROUTES)
        with edge.running():
            yield edge, behind


def converse(port: int, sent: bytes) -> bytes:
    """What comes back until it is quiet."""
    with socket.create_connection(("127.0.0.1", port), timeout=QUIET) as connection:
        got = []
        try:
            connection.sendall(sent)
            while more := connection.recv(65_536):
                got.append(more)
        except OSError:
            pass
        return b"".join(got)


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in _STATUS.findall(answer) if status != b"100"]


def test_the_corpus_is_large_enough() -> None:
    assert len({case.sent for case in CASES}) >= 200


def test_the_oracle_sees_what_is_smuggled(running: tuple[Edge, Upstream]) -> None:
    edge, behind = running
    behind.seen.clear()
    edge.raw(INNER.replace(b"@", b"control"), 1)
    assert [one.target for one in behind.seen] == ["/plain/control-smuggled"]


@pytest.mark.parametrize("front", [directly, behind_nginx, behind_haproxy])
def test_no_request_is_read_two_ways(
    front: Front, running: tuple[Edge, Upstream], tmp_path: Path
) -> None:
    edge, behind = running
    behind.seen.clear()
    with front(tmp_path / "front", edge.port) as port, ThreadPoolExecutor(16) as pool:
        sent = [case.numbered(number) for number, case in enumerate(CASES)]
        answers = list(pool.map(lambda one: converse(port, one), sent))
    arrived = Counter(found for one in behind.seen if (found := _NUMBER.match(one.target)))
    by_case = Counter(int(found[1]) for found in arrived.elements())
    strange = [one.target for one in behind.seen if not _NUMBER.match(one.target)]
    assert not strange
    wrong = [
        f"{number} {case.family}: {case.sent!r} -> {statuses(answer)}, {by_case[number]} arrived"
        for number, (case, answer) in enumerate(zip(CASES, answers, strict=True))
        if not _fits(number, case, answer, behind, by_case, is_direct=front is directly)
    ]
    assert not wrong, "\n".join(wrong)


def _fits(
    number: int,
    case: Case,
    answer: bytes,
    behind: Upstream,
    arrived: Counter[int],
    *,
    is_direct: bool,
) -> bool:
    told = statuses(answer)
    if arrived[number] > len(told):
        return False  # somebody else's answer waits on a connection that is shared
    if not is_direct:
        return True  # what stands before us may read it in its own way, if we do as well
    exactly = sum(one.target.partition("?")[0] == f"/plain/{number}" for one in behind.seen)
    if any(one.target == f"/plain/{number}-smuggled" for one in behind.seen):
        return False
    if case.verdict == GOOD:
        return told[:1] == [200] and exactly == 1
    if case.verdict == BAD:
        return exactly == 0 and (not told or told[0] >= 400)
    return exactly <= 1
