"""A real proxy before a real upstream: what is inside holds tokens, and the rest is as it was."""

import gzip
import http.client
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import brotli
import pytest

from tests.support.proxied import Edge
from tests.support.upstream import Reply, Upstream, raw_upstream, upstream
from vault.proxy.encodings import _zstd

pytestmark = pytest.mark.system

NIR, DATE = "284057512345672", "1984-05-12"
OTHERS = ("155129912345637", "284057512345672")
JSON = {"Content-Type": "application/json"}

PARTS = (
    f'--here\r\nContent-Disposition: form-data; name="nir"\r\n\r\n{NIR}\r\n--here\r\n'
    'Content-Disposition: form-data; name="list"; filename="l.csv"\r\n'
    f"Content-Type: text/csv\r\n\r\nnir,a\n{NIR},2\n\r\n--here--\r\n"
)
ROUTES = """
[proxy.routes.inbound]
listener = "main"
upstream = "main"
client = "edge"
path = "/in/**"
request = [
  { select = "json:$.nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "json:$.born", operation = "tokenise", transformation = "birth-date", context_select = "json:@.nir" },
  { select = "json:$.people[*].nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "json:$.note", operation = "drop" },
  { select = "csv:nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "form:nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "multipart:nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "text:fr-nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "header:X-Nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "query:nir", operation = "tokenise", transformation = "fr-nir" },
]

[proxy.routes.person]
listener = "main"
upstream = "main"
client = "edge"
path = "/person/{nir}/born"
request = [
  { select = "path:nir", operation = "tokenise", transformation = "fr-nir" },
  { select = "json:$.born", operation = "tokenise", transformation = "birth-date", context_select = "path:nir" },
]

[proxy.routes.outbound]
listener = "main"
upstream = "main"
client = "edge"
purpose = "care"
path = "/out/**"
end_user = "header:X-Agent"
response = [
  { select = "json:$.nir", operation = "detokenise", transformation = "fr-nir" },
  { select = "json:$.born", operation = "detokenise", transformation = "birth-date", context_select = "json:@.nir" },
  { select = "json:$.people[*].nir", operation = "detokenise", transformation = "fr-nir" },
  { select = "json:$.masked", operation = "mask", transformation = "fr-nir" },
  { select = "header:X-Nir", operation = "detokenise", transformation = "fr-nir" },
]

[proxy.routes.plain]
listener = "main"
upstream = "main"
path = "/plain/**"
"""  # noqa: E501 - TOML has its tables in one line


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Upstream]]:
    with upstream() as behind:
        edge = Edge.create(tmp_path_factory.mktemp("edge"), behind.port, ROUTES)
        with edge.running():
            yield edge, behind


@pytest.fixture
def edge(running: tuple[Edge, Upstream]) -> Edge:
    return running[0]


@pytest.fixture
def behind(running: tuple[Edge, Upstream]) -> Upstream:
    running[1].answers = lambda seen: Reply(200, {"Content-Type": "text/plain"}, b"done")
    running[1].seen.clear()
    return running[1]


def token_of(edge: Edge, behind: Upstream, value: str = NIR) -> str:
    edge.ask("POST", "/in/one", json.dumps({"nir": value}).encode(), JSON)
    return str(json.loads(behind.last.body)["nir"])


def test_only_what_was_selected_changes(edge: Edge, behind: Upstream) -> None:
    sent = f'{{ "nir" : "{NIR}",\n\t"born":"{DATE}", "x": 1.50e3, "é": null, "note": "n"}}'.encode()
    assert edge.ask("POST", "/in/a", sent, JSON).body == b"done"
    got = behind.last.body
    told = json.loads(got)
    assert told["nir"] != NIR
    assert told["born"][:4] >= "2200"
    assert told["note"] is None
    back = got.replace(told["nir"].encode(), NIR.encode())
    back = back.replace(told["born"].encode(), DATE.encode()).replace(
        b'"note": null', b'"note": "n"'
    )
    assert back == sent
    assert behind.last.header("content-length") == [str(len(got))]
    assert behind.last.header("x-forwarded-for") == ["127.0.0.1"]


def test_the_way_back_gives_the_original_bytes(edge: Edge, behind: Upstream) -> None:
    sent = f'{{ "nir" : "{NIR}",\n "born":"{DATE}"}}'.encode()
    edge.ask("POST", "/in/a", sent, JSON)
    kept = behind.last.body
    behind.answers = lambda seen: Reply(
        200, {**JSON, "ETag": '"1"', "Cache-Control": "public"}, kept
    )
    answer = edge.ask("GET", "/out/a", headers={"X-Agent": "agent-17", "If-None-Match": '"1"'})
    assert answer.body == sent
    assert answer.header("etag") == []
    assert answer.header("cache-control") == ["no-store"]
    assert behind.last.header("if-none-match") == []


def test_fields_of_the_head(edge: Edge, behind: Upstream) -> None:
    token = token_of(edge, behind)
    edge.ask("GET", f"/in/search?a=1&nir={NIR}&b=%20", headers={"X-Nir": NIR})
    assert behind.last.target == f"/in/search?a=1&nir={token}&b=%20"
    assert behind.last.header("x-nir") == [token]
    body = json.dumps({"born": DATE}).encode()
    edge.ask("POST", f"/person/{NIR}/born", body, JSON)
    assert behind.last.target == f"/person/{token}/born"
    bound = json.loads(behind.last.body)["born"]
    edge.ask("POST", "/in/a", json.dumps({"nir": NIR, "born": DATE}).encode(), JSON)
    assert json.loads(behind.last.body)["born"] == bound


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/csv", f"a,nir\r\n1,{NIR}\r\n"),
        ("application/x-www-form-urlencoded", f"a=1&nir={NIR}&b=+"),
        ("text/plain; charset=utf-8", f"call {NIR[:1]} {NIR[1:3]} {NIR[3:5]} about {NIR}."),
        (
            "multipart/form-data; boundary=here",
            PARTS,
        ),
    ],
)
def test_kinds_of_bodies(kind: str, body: str, edge: Edge, behind: Upstream) -> None:
    token = token_of(edge, behind)
    edge.ask("POST", "/in/a", body.encode(), {"Content-Type": kind})
    assert behind.last.body == body.replace(NIR, token).encode()


def test_a_token_is_not_tokenised_again(edge: Edge, behind: Upstream) -> None:
    token = token_of(edge, behind)
    assert token_of(edge, behind, token) == token


@pytest.mark.parametrize(
    ("name", "fold", "unfold"),
    [
        ("gzip", gzip.compress, gzip.decompress),
        ("deflate", zlib.compress, zlib.decompress),
        ("br", brotli.compress, brotli.decompress),
        ("zstd", _zstd().compress, _zstd().decompress),
    ],
)
def test_encoded_bodies(
    name: str,
    fold: Callable[[bytes], bytes],
    unfold: Callable[[bytes], bytes],
    edge: Edge,
    behind: Upstream,
) -> None:
    token = token_of(edge, behind)
    body = json.dumps({"nir": NIR}).encode()
    answer = edge.ask("POST", "/in/a", fold(body), {**JSON, "Content-Encoding": name})
    assert answer.status == 200
    assert behind.last.header("content-encoding") == [name]
    assert unfold(behind.last.body) == body.replace(NIR.encode(), token.encode())
    behind.answers = lambda seen: Reply(
        200, {**JSON, "Content-Encoding": name}, fold(json.dumps({"nir": token}).encode())
    )
    answer = edge.ask("GET", "/out/a", headers={"Accept-Encoding": f"{name}, weird"})
    assert unfold(answer.body) == body
    assert behind.last.header("accept-encoding") == [name]


def test_a_bomb_stops_at_its_limit(edge: Edge, behind: Upstream) -> None:
    bomb = gzip.compress(b'{"nir":"' + b" " * 50_000_000 + b'"}')
    answer = edge.ask("POST", "/in/a", bomb, {**JSON, "Content-Encoding": "gzip"})
    assert answer.status in {400, 413}
    assert not behind.seen


def large(count: int, values: tuple[str, ...] = OTHERS) -> bytes:
    people = [{"nir": values[at % len(values)], "text": f"{at * at:x}"} for at in range(count)]
    return json.dumps({"people": people}).encode()


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_large_bodies_pass_in_pieces_both_ways(encoding: str, edge: Edge, behind: Upstream) -> None:
    tokens = {value: token_of(edge, behind, value) for value in OTHERS}
    body = large(20_000)
    sent = gzip.compress(body) if encoding else body
    headers = {**JSON, "Content-Encoding": encoding} if encoding else JSON
    assert edge.ask("POST", "/in/a", sent, headers).status == 200
    got = gzip.decompress(behind.last.body) if encoding else behind.last.body
    assert got == re.sub(rb"[0-9]{15}", lambda m: tokens[m[0].decode()].encode(), body)
    kept = behind.last.body
    for chunked in (False, True):
        behind.answers = lambda seen, c=chunked: Reply(200, headers, kept, c)
        back = edge.ask("GET", "/out/a").body
        assert (gzip.decompress(back) if encoding else back) == body


def test_what_fails_is_blocked_and_never_told(edge: Edge, behind: Upstream) -> None:
    wrong = NIR[:-1] + "3"
    answer = edge.ask("POST", "/in/a", json.dumps({"nir": wrong}).encode(), JSON)
    assert answer.status == 422
    told = json.loads(answer.body)
    assert told["code"] == "blocked"
    assert "invalid_value" in told["detail"]
    assert wrong.encode() not in answer.body
    assert not behind.seen
    assert wrong not in edge.log


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"nir": ', JSON, 400),
        (b'{"nir": "\xff"}', JSON, 400),
        (b"anything", {"Content-Type": "application/octet-stream"}, 415),
        (b"anything", {}, 415),
        (b"{}", {**JSON, "Content-Encoding": "compress"}, 415),
        (b"{}", {**JSON, "Content-Encoding": "gzip, br"}, 415),
        (b"{}", {**JSON, "Content-Encoding": "gzip"}, 400),
        (b"nir=%zz", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        (b"x", {"Content-Type": "multipart/form-data"}, 400),
    ],
)
def test_what_cannot_be_parsed_does_not_pass(
    body: bytes, headers: dict[str, str], status: int, edge: Edge, behind: Upstream
) -> None:
    assert edge.ask("POST", "/in/a", body, headers).status == status
    assert not behind.seen


def test_an_answer_that_cannot_be_rewritten_does_not_pass(edge: Edge, behind: Upstream) -> None:
    for reply in (
        Reply(200, JSON, b'{"nir": '),
        Reply(200, JSON, json.dumps({"nir": NIR}).encode()),
        Reply(500, {"Content-Type": "text/html"}, f"no {NIR}".encode()),
        Reply(206, {**JSON, "Content-Range": "bytes 0-1/2"}, b"{}"),
        Reply(200, {**JSON, "Content-Encoding": "gzip"}, b"{}"),
    ):
        behind.answers = lambda seen, reply=reply: reply
        answer = edge.ask("GET", "/out/a")
        assert answer.status == 502
        assert json.loads(answer.body)["code"] in {"blocked", "upstream_invalid"}
        assert NIR.encode() not in answer.body


def test_a_failure_in_the_middle_breaks_the_connection(edge: Edge, behind: Upstream) -> None:
    tokens = tuple(token_of(edge, behind, value) for value in OTHERS)
    body = large(20_000, tokens)[:-2] + b', {"nir": "no token"}]}'
    behind.answers = lambda seen: Reply(200, JSON, body)
    with pytest.raises(http.client.IncompleteRead):
        edge.ask("GET", "/out/a")
    broken = large(20_000)[:-2] + b', {"nir": "no value"}]}'
    behind.seen.clear()
    assert edge.ask("POST", "/in/a", broken, JSON).status == 422
    assert not behind.seen  # what it was sent had no end


def test_bodiless_answers(edge: Edge, behind: Upstream) -> None:
    behind.answers = lambda seen: Reply(204)
    assert edge.ask("DELETE", "/out/a").status == 204
    behind.answers = lambda seen: Reply(200, JSON, b'{"nir": "1"}')
    answer = edge.ask("HEAD", "/out/a")
    assert (answer.status, answer.body) == (200, b"")


def test_masks_and_headers_of_answers(edge: Edge, behind: Upstream) -> None:
    token = token_of(edge, behind)
    behind.answers = lambda seen: Reply(
        200, {**JSON, "X-Nir": token}, json.dumps({"masked": token}).encode()
    )
    answer = edge.ask("GET", "/out/a")
    assert json.loads(answer.body)["masked"].startswith("284*")
    assert answer.header("x-nir") == [NIR]


def test_no_route_no_way(edge: Edge, behind: Upstream) -> None:
    assert edge.ask("GET", "/elsewhere").status == 404
    for target in ("/in//a", "/in/../plain/a", "/in/%61", "/in/a%2Fb", "/in/a\\b", "/in/%zz"):
        assert edge.ask("GET", target).status == 400
    assert not behind.seen


def test_a_plain_route_passes_bytes_as_they_are(edge: Edge, behind: Upstream) -> None:
    behind.answers = lambda seen: Reply(201, {"X-A": "b", "Connection": "X-A"}, seen.body)
    body = bytes(range(256)) * 3000
    answer = edge.ask("PUT", "/plain/x?y", body, {"X-Hop": "1", "Connection": "x-hop", "Te": "x"})
    assert (answer.status, answer.body) == (201, body)
    assert answer.header("x-a") == []
    assert behind.last.header("x-hop") == behind.last.header("te") == []
    assert len(answer.header("date")) == 1

    def pieces() -> Iterator[bytes]:
        yield b"one"
        yield b"two"

    edge.ask("POST", "/plain/x", pieces())
    assert behind.last.body == b"onetwo"


def test_reveals_are_charged_and_recorded_as_the_routes_client(
    edge: Edge, behind: Upstream
) -> None:
    token = token_of(edge, behind)
    behind.answers = lambda seen: Reply(200, JSON, json.dumps({"nir": token}).encode())
    edge.ask("GET", "/out/a", headers={"X-Agent": "agent-17"})
    record = "".join(
        path.read_text("utf-8") for path in (edge.service.folder / "audit").rglob("*.jsonl")
    )
    entries = [line for line in record.splitlines() if '"agent-17"' in line]
    assert entries
    assert '"principal":"edge"' in entries[-1]
    assert '"purpose":"care"' in entries[-1]
    assert NIR not in record


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ],
)
def test_answers_that_are_none(answer: bytes, tmp_path: Path) -> None:
    with raw_upstream(lambda: answer) as port:
        edge = Edge.create(tmp_path, port, ROUTES)
        with edge.running():
            assert edge.ask("GET", "/plain/a").status in {502, 503}
            assert edge.ask("GET", "/out/a").status in {502, 503}


def test_an_upstream_that_is_away_is_told(tmp_path: Path) -> None:
    with upstream() as behind:
        port = behind.port
    edge = Edge.create(tmp_path, port, ROUTES)
    with edge.running():
        answer = edge.ask("GET", "/plain/a")
        assert answer.status == 503
        assert json.loads(answer.body)["code"] == "upstream_unavailable"


GUARDED = """
[proxy.routes.{mode}]
listener = "main"
upstream = "main"
path = "/{mode}/**"
guard_requests = "{mode}"
guard_responses = "{mode}"
"""


def test_the_leak_guard(tmp_path: Path) -> None:
    routes = "".join(GUARDED.format(mode=mode) for mode in ("report", "mask", "block"))
    text = "somebody wrote 2 84 05 75 123 456 72 here"
    kind = {"Content-Type": "application/octet-stream"}
    with upstream() as behind:
        edge = Edge.create(tmp_path, behind.port, routes)
        with edge.running():
            long = (text + "." * 200_000 + NIR).encode()
            assert edge.ask("POST", "/report/a", long, kind).body == long
            masked = edge.ask("POST", "/mask/a", long, kind).body
            assert NIR.encode() not in masked + behind.last.body
            assert len(masked) == len(long)
            behind.seen.clear()
            assert edge.ask("POST", "/block/a", text.encode(), kind).status == 422
            assert edge.ask("GET", f"/block/{NIR}").status == 422
            assert edge.ask("GET", "/mask/a", headers={"X-Ref": NIR}).status == 200
            assert behind.last.header("x-ref") == ["*" * 15]
            assert len(behind.seen) == 1
            behind.answers = lambda seen: Reply(200, kind, gzip.compress(text.encode()))
            assert edge.ask("GET", "/block/a").status == 200  # it says nothing of a coding
            zipped = {**kind, "Content-Encoding": "gzip"}
            behind.answers = lambda seen: Reply(200, zipped, gzip.compress(text.encode()))
            assert edge.ask("GET", "/block/a").status == 502
            metrics = edge.ask("GET", "/metrics", port=edge.pages).body.decode()
            assert 'jeton_real_values_total{route="block"}' in metrics
            assert 'jeton_proxied_total{code="blocked",route="block"}' in metrics
            assert NIR not in edge.log + metrics
