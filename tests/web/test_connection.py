"""One connection: its headers, its bodies, and the order of its answers."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.small_http import BOUNDS, HEADERS, call, length, post, problem, raw
from tests.support.small_service import Running, running

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running(BOUNDS) as started:
        yield started


# Headers ------------------------------------------------------------------------------------


def test_headers_up_to_the_bound(service: Running) -> None:
    body = b'{"value":"123"}'
    fits = post(body, length(len(body)), b"Connection: close", b"X: " + b"x" * 1_750)
    assert raw(service.port, fits)[0].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "more",
    [
        [b"X: " + b"x" * 2_000],
        [b"x%d: 1" % i for i in range(400)],
        [b"X" * 2_000 + b": 1"],
        [b"X: " + b"x" * 300_000],
    ],
)
def test_headers_too_large(service: Running, more: list[bytes]) -> None:
    answer, seconds = raw(service.port, post(b"", length(0), *more))
    assert problem(answer) == (431, "too_large")
    assert seconds < 3


def test_a_path_too_large(service: Running) -> None:
    request = b"GET /" + b"x" * 3_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert problem(raw(service.port, request)[0]) == (431, "too_large")


def test_headers_without_end(service: Running) -> None:
    pieces = [b"GET / HTTP/1.1\r\n", *[b"x: " + b"y" * 400 + b"\r\n"] * 6]
    answer, _ = raw(service.port, *pieces, pause=0.01)
    assert problem(answer) == (431, "too_large")


def test_slow_headers(service: Running) -> None:
    """However steadily they trickle."""
    answer, seconds = raw(service.port, *[b"G", b"E", b"T", b" /", b"x"] + [b"x"] * 7, pause=0.1)
    assert problem(answer) == (408, "timeout")
    assert seconds < 5


def test_a_silent_connection_is_closed(service: Running) -> None:
    answer, seconds = raw(service.port)
    assert answer == b""
    assert 0.5 < seconds < 4


def test_an_idle_connection_is_closed(service: Running) -> None:
    body = b'{"value":"123"}'
    answer, seconds = raw(service.port, post(body, length(len(body))))
    assert answer.startswith(b"HTTP/1.1 200")
    assert 0.5 < seconds < 4


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post(b"zz\r\n", b"Transfer-Encoding: chunked"),
    ],
)
def test_what_is_no_request(service: Running, request_bytes: bytes) -> None:
    answer, seconds = raw(service.port, request_bytes)
    assert problem(answer) == (400, "malformed_request")
    assert seconds < 3


def test_what_comes_after_a_request_does_not_spoil_its_answer(service: Running) -> None:
    body = b'{"value":"0100"}'
    answer, _ = raw(service.port, post(body, length(len(body))) + b"garbage\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


def test_what_comes_after_an_answered_request_is_refused_by_itself(service: Running) -> None:
    body = b'{"value":"100"}'
    answer, _ = raw(service.port, post(body, length(len(body))) + b"garbage\r\n\r\n")
    first, refusal = answer.split(b'"}', 1)
    assert first.startswith(b"HTTP/1.1 200")
    assert problem(refusal) == (400, "malformed_request")


def test_an_upgrade_is_answered_as_it_stands(service: Running) -> None:
    body = b'{"value":"123"}'
    chunked = b"5\r\n" + body[:5] + b"\r\na\r\n" + body[5:] + b"\r\n0\r\n\r\n"
    for upgrade in (b"websocket", b"h2c"):
        asks = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + upgrade)
        head, rest = post(b"", length(len(body)), *asks), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        streamed = post(b"", b"Transfer-Encoding: chunked", *asks)
        for pieces in ([head + body], [head, body], [head, body + rest], [streamed, chunked]):
            answer, _ = raw(service.port, *pieces, pause=0.05)
            assert answer.startswith(b"HTTP/1.1 200")
            assert answer.count(b"HTTP/1.1") == 1
    get = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert raw(service.port, get)[0].startswith(b"HTTP/1.1 200")


def test_pipelined_requests_are_answered_in_order(service: Running) -> None:
    bodies = [b'{"value":"%d"}' % n for n in (1, 2, 3)]
    answer, _ = raw(service.port, b"".join(post(body, length(len(body))) for body in bodies))
    assert answer.count(b"HTTP/1.1 200") == 3
    assert [piece[:4] for piece in answer.split(b'"token":')[1:]] == [b'"98"', b'"97"', b'"96"']


# Bodies -------------------------------------------------------------------------------------


def test_slow_bodies(service: Running) -> None:
    for sent in (b"", b'{"val'):
        answer, seconds = raw(service.port, post(sent, length(15)))
        assert problem(answer) == (408, "timeout")
        assert b"connection: close" in answer.lower()
        assert seconds < 4


def test_a_large_body_is_refused_and_the_refusal_arrives(service: Running) -> None:
    """Also to a client that reads only once it has sent all of it."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    huge = json.dumps({"value": "1" * 8_000_000})
    connection.request("POST", "/v1/tokenise/digits", huge, HEADERS)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")
    assert call(connection).status == 200  # and the connection is still good


def test_a_streamed_body_is_refused(service: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    pieces = (b"x" * 100_000 for _ in range(80))
    connection.request("POST", "/v1/tokenise/digits", pieces, HEADERS, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")


def test_a_refused_body_that_never_ends_is_given_up(service: Running) -> None:
    answer, seconds = raw(service.port, post(b"", length(5_000_000)), b"x" * 1_000)
    assert problem(answer) == (413, "too_large")
    assert seconds < 4


def test_expectations_are_met_only_for_what_will_be_read(service: Running) -> None:
    body, expect = b'{"value":"123"}', b"Expect: 100-continue"
    answer, _ = raw(service.port, post(b"", length(len(body)), expect), body, pause=0.05)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    answer, _ = raw(service.port, post(b"", length(5_000_000), expect))
    assert problem(answer) == (413, "too_large")


def test_clients_that_vanish_leave_nothing(service: Running) -> None:
    for piece in (b"", b"POST /v1", post(b'{"val', length(15)), post(b"", length(15))):
        connection = socket.create_connection(("127.0.0.1", service.port), 10)
        connection.sendall(piece)
        connection.close()
    assert call(http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)).status == 200


def test_many_requests_of_one_chunk_have_their_turn_in_order(service: Running) -> None:
    """More than are answered as they are read, slow ones and one by GET among them."""
    values = [f"{n + 1:03d}" if n % 7 == 3 else f"1{n}" for n in range(50)]
    sent = [post(b'{"value":"%b"}' % value.encode(), length(len(value) + 12)) for value in values]
    sent.insert(20, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    answer, _ = raw(service.port, b"".join(sent))
    assert answer.count(b"HTTP/1.1 200") == 51
    tokens = [piece.split(b'"')[1] for piece in answer.split(b'"token":')[1:]]
    turned = str.maketrans("0123456789", "9876543210")
    assert tokens == [b"9" + value.translate(turned).encode() for value in values]
    assert answer.split(b"HTTP/1.1 200")[21].endswith(b'{"status":"alive"}')


def test_a_body_in_pieces_is_waited_for(service: Running) -> None:
    body = b'{"value":"123"}'
    head = post(b"", length(len(body)))
    for pieces in ([head, body], [head + body[:3], body[3:]], [head[:40], head[40:] + body]):
        answer, _ = raw(service.port, *pieces, pause=0.05)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b'{"token":"9876"}')


def test_whoever_waits_to_be_asked_for_the_body_is(service: Running) -> None:
    body = b'{"value":"123"}'
    head = post(b"", length(len(body)), b"Expect: 100-continue")
    answer, _ = raw(service.port, head, body, pause=0.05)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    answer, _ = raw(service.port, head + body)  # who sends it at once needs no word
    assert answer.startswith(b"HTTP/1.1 200")


def test_nobody_who_does_not_listen_is_answered_for_ever(service: Running) -> None:
    """Who sends and does not read is read no more: his answers would have to be kept."""
    body = json.dumps({"values": ["1" * 9] * 5_000}).encode()
    requests = post(body, length(len(body))) * 1_000
    with closing(socket.create_connection(("127.0.0.1", service.port), 10)) as connection:
        connection.settimeout(1)
        with pytest.raises((TimeoutError, ConnectionError)):
            connection.sendall(requests)
    resident = Path(f"/proc/{service.process.pid}/status").read_text().split("VmHWM:")[1]
    assert int(resident.split()[0]) < 150_000
