"""A Content-Length of more than 4,300 digits, nearly all of them zeros, was answered by 500."""

from collections.abc import Iterator

import pytest

from tests.support.raw_http import Answer, answers, exchange, request
from tests.support.small_service import Running, running

pytestmark = pytest.mark.system

BODY = b'{"value":"123"}'


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running({"keep_alive_timeout": 0.6, "body_timeout": 0.6, "max_body": 1_000}) as one:
        yield one


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (b"15", Answer(200, None)),
        (b"1001", Answer(413, "too_large")),
        (b"18446744073709551615", Answer(413, "too_large")),
        (b"18446744073709551616", Answer(400, "malformed_request")),
    ],
)
def test_zeros_before_a_length_mean_nothing(
    service: Running, number: bytes, answer: Answer
) -> None:
    for zeros in (0, 1, 5_000):
        line = b"Content-Length: " + b"0" * zeros + number
        assert answers(exchange(service.port, request(BODY, line, length=None))) == [answer]
