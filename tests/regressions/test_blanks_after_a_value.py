"""Blanks after a header's value were taken for a part of it: a Content-Length with twenty of them
was answered by 500, one of a body too large passed for small, and `Host: x ` was refused."""

from collections.abc import Iterator

import pytest

from tests.support.raw_http import START, Answer, answers, exchange, request
from tests.support.small_service import Running, running

pytestmark = pytest.mark.system

BODY = b'{"value":"123"}'
OK, LARGE = Answer(200, None), Answer(413, "too_large")


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running({"keep_alive_timeout": 0.6, "body_timeout": 0.6, "max_body": 1_000}) as one:
        yield one


@pytest.mark.parametrize("blanks", [b" ", b"\t", b" " * 19, b" \t" * 10, b" " * 2_000])
@pytest.mark.parametrize(("number", "answer"), [(b"15", OK), (b"99999999999", LARGE)])
def test_of_a_length(service: Running, number: bytes, answer: Answer, blanks: bytes) -> None:
    line = b"Content-Length: " + number + blanks
    assert answers(exchange(service.port, request(BODY, line, length=None))) == [answer]


@pytest.mark.parametrize("blanks", [b" ", b"\t \t"])
def test_of_a_host_and_a_coding(service: Running, blanks: bytes) -> None:
    sent = request(BODY, host=b"x" + blanks)
    assert answers(exchange(service.port, sent)) == [OK]
    coding = b"Transfer-Encoding: chunked "
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    assert answers(exchange(service.port, request(body, coding, length=None))) == [OK]


def test_an_interim_answer_is_for_http_1_1(service: Running) -> None:
    start = START.replace(b"1.1", b"1.0")
    old = exchange(service.port, request(BODY, b"Expect: 100-continue", start=start))
    assert answers(old) == [OK]
