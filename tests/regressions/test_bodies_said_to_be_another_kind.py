"""Values passed in bodies that were not read as those behind read them: a second Content-Encoding
hid the first from rules and guard, digits in UTF-16 were none, a range brought a number in parts.
And what was small and unfolded to much was taken whole, and all others waited meanwhile."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.processes import processor_time
from tests.support.proxied import Edge
from tests.support.upstream import Reply, Upstream, upstream

pytestmark = pytest.mark.system

NIR = "284057512345672"
TEXT = {"Content-Type": "text/plain"}
ROUTES = """
[proxy.routes.inbound]
listener = "main"
upstream = "main"
client = "edge"
path = "/in/**"
request = [
  { select = "text:fr-nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "json:$.people[*].nir", operation = "drop" },
]

[proxy.routes.outbound]
listener = "main"
upstream = "main"
client = "edge"
purpose = "care"
path = "/out/**"
response = [{ select = "json:$.nir", operation = "detokenise", transformation = "fr-nir" }]

[proxy.routes.watched]
listener = "main"
upstream = "main"
path = "/watched/**"
guard_requests = "block"
guard_responses = "block"
"""


@pytest.fixture(scope="module")
def behind() -> Iterator[Upstream]:
    with upstream() as started:
        yield started


@pytest.fixture(scope="module")
def edge(behind: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    created = Edge.create(tmp_path_factory.mktemp("edge"), behind.port, ROUTES)
    with created.running():
        yield created


@pytest.mark.parametrize("path", [b"/in/a", b"/watched/a"])
def test_a_second_coding(edge: Edge, behind: Upstream, path: bytes) -> None:
    behind.seen.clear()
    body = gzip.compress(NIR.encode())
    answer = edge.raw(
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
        b"Content-Encoding: identity\r\nContent-Length: %d\r\n\r\n%b" % (path, len(body), body)
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert not behind.seen


@pytest.mark.parametrize("charset", ["utf-16", "UTF-16LE", "utf-32", "cp037", "utf-7", "none"])
def test_digits_that_are_not_those_of_ascii(edge: Edge, behind: Upstream, charset: str) -> None:
    behind.seen.clear()
    body = NIR.encode("utf-16-le")
    said = {"Content-Type": f"text/plain; charset={charset}"}
    assert edge.ask("POST", "/in/a", body, said).status == 400
    assert not behind.seen
    said = {"Content-Type": 'text/plain; charset="ISO-8859-1"'}
    assert edge.ask("POST", "/in/a", b"nothing", said).status == 200


def test_a_part_of_a_watched_answer(edge: Edge, behind: Upstream) -> None:
    behind.answers = lambda seen: Reply(206, {**TEXT, "Content-Range": "bytes 0-7/15"}, b"28405751")
    answer = edge.ask("GET", "/watched/a", None, {"Range": "bytes=0-7"})
    assert answer.status == 502
    assert not behind.last.header("range")


def test_an_answer_to_head_has_no_length(edge: Edge, behind: Upstream) -> None:
    behind.answers = lambda seen: Reply(
        200, {"Content-Type": "application/json", "ETag": '"a"'}, b'{"nir": "1"}'
    )
    answer = edge.ask("HEAD", "/out/a")
    assert (answer.status, answer.header("content-length"), answer.header("etag")) == (200, [], [])


def test_others_do_not_wait_for_what_unfolds(edge: Edge, behind: Upstream) -> None:
    """Of the processor's time that it takes: what others take meanwhile says nothing of it."""
    assert edge.process is not None
    pid = edge.process.pid
    behind.answers = lambda seen: Reply(200)
    people = [b'{"at":%d,"nir":""}' % number for number in range(60_000)]
    body = gzip.compress(b'{"people":[' + b",".join(people) + b"]}")
    assert len(body) < 256 * 1024
    said = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (
        edge.ask("POST", "/in/a", body, said).status == 200
    )  # the first makes ready what it needs
    longest = 0.0
    with ThreadPoolExecutor(1) as pool:
        began = processor_time(pid)
        large = pool.submit(edge.ask, "POST", "/in/a", body, said)
        while not large.done():
            before = processor_time(pid)
            edge.ask("GET", "/livez", port=edge.pages)
            longest = max(longest, processor_time(pid) - before)
        taken = processor_time(pid) - began
        assert large.result().status == 200
    assert gzip.decompress(behind.last.body).count(b'"nir":') == 60_000
    assert longest < taken / 3  # a sixth
