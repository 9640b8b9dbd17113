"""Heads that a proxy before us might read otherwise were answered: no Host or two, another coding
before chunked, trailers taken for headers, versions of HTTP that there are not."""

from collections.abc import Iterator

import pytest

from tests.support.raw_http import answers, exchange, request
from tests.support.small_service import Running, running

pytestmark = pytest.mark.system

BODY = b'{"value":"123"}'
CHUNKED = b"f\r\n" + BODY + b"\r\n0\r\n\r\n"
POST = b"POST /v1/tokenise/digits"


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running({"header_timeout": 0.6, "body_timeout": 0.6, "keep_alive_timeout": 0.6}) as one:
        yield one


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(request(BODY, host=None), 400, id="no Host"),
        pytest.param(request(BODY, b"Host: y"), 400, id="two Hosts"),
        pytest.param(request(BODY, b"Host: x"), 400, id="the same Host twice"),
        pytest.param(request(BODY, host=b"a b"), 400, id="a Host that is none"),
        pytest.param(request(BODY, host=b"you@x"), 400, id="a Host with a user"),
        pytest.param(request(BODY, host=b""), 200, id="an empty Host"),
        pytest.param(request(BODY, host=b"[::1]:8200"), 200, id="a Host of IPv6"),
        pytest.param(request(BODY, host=None, start=POST + b" HTTP/1.0"), 200, id="1.0"),
        pytest.param(request(BODY, b"Host: y", start=POST + b" HTTP/1.0"), 400, id="1.0, two"),
        pytest.param(request(BODY, start=POST + b" HTTP/2.0"), 400, id="2.0"),
        pytest.param(request(BODY, start=POST + b" HTTP/0.9"), 400, id="0.9"),
        pytest.param(b"GET /livez\r\n\r\n", 400, id="no version"),
        pytest.param(request(BODY, start=POST + b"#x HTTP/1.1"), 400, id="a fragment"),
    ],
)
def test_what_names_whom_it_is_for(service: Running, sent: bytes, status: int) -> None:
    assert answers(exchange(service.port, sent))[0].status == status


@pytest.mark.parametrize(
    ("codings", "status"),
    [
        ([b"chunked"], 200),
        ([b"Chunked"], 200),
        ([b"gzip, chunked"], 400),
        ([b"gzip", b"chunked"], 400),
        ([b"chunked", b"chunked"], 400),
        ([b"identity"], 400),
        ([b""], 400),
    ],
)
def test_a_body_is_chunked_and_nothing_else(
    service: Running, codings: list[bytes], status: int
) -> None:
    lines = [b"Transfer-Encoding: " + coding for coding in codings]
    for more in ([], [b"Connection: Upgrade", b"Upgrade: h2c"]):
        sent = request(CHUNKED, *lines, *more, length=None)
        assert answers(exchange(service.port, sent))[0].status == status


def test_nor_is_it_in_http_1_0(service: Running) -> None:
    sent = request(CHUNKED, b"Transfer-Encoding: chunked", length=None, start=POST + b" HTTP/1.0")
    assert answers(exchange(service.port, sent))[0].status == 400


def test_a_second_request_is_looked_at_like_the_first(service: Running) -> None:
    both = request(BODY) + request(BODY, host=None)
    for sent in ([both], [request(BODY), request(BODY, host=b"a b")]):
        answer = exchange(service.port, *sent)
        assert [each.status for each in answers(answer)] == [200, 400]


def test_trailers_are_no_headers(service: Running) -> None:
    trailers = CHUNKED[:-2] + b"Authorization: Bearer x\r\nContent-Type: text/plain\r\n\r\n"
    chunked = b"Transfer-Encoding: chunked"
    assert answers(exchange(service.port, request(trailers, chunked, length=None)))[0].status == 200
