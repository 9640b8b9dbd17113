"""The small service as a client on the network sees it."""

import http.client
import json
import socket
import time
from contextlib import closing

from tests.support.door import CREDENTIAL

HEADERS = {"Authorization": f"Bearer {CREDENTIAL}", "Content-Type": "application/json"}
BOUNDS: dict[str, object] = {
    "max_headers": 2_000,
    "max_body": 4_000_000,
    "header_timeout": 0.6,
    "body_timeout": 0.6,
    "keep_alive_timeout": 0.6,
    "shutdown_timeout": 4.0,
}


def call(
    connection: http.client.HTTPConnection, value: str = "123", operation: str = "tokenise"
) -> http.client.HTTPResponse:
    member = "value" if operation == "tokenise" else "token"
    body = json.dumps({member: value})
    connection.request("POST", f"/v1/{operation}/digits", body, HEADERS)
    return connection.getresponse()


def raw(port: int, *pieces: bytes, pause: float = 0.0) -> tuple[bytes, float]:
    """All that comes back until the server closes, and how long that took."""
    began = time.monotonic()
    with closing(socket.create_connection(("127.0.0.1", port), 10)) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received, time.monotonic() - began


def problem(answer: bytes) -> tuple[int, str]:
    """Status and code; the headers that every answer has are asserted on the way."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"content-type: application/problem+json" in lines
    assert b"content-length: %d" % len(body) in lines
    assert any(line.startswith(b"jeton-request-id: ") for line in lines)
    parsed = json.loads(body)
    assert parsed["status"] == int(head.split()[1])
    return parsed["status"], parsed["code"]


def post(body: bytes, *more: bytes) -> bytes:
    lines = [
        b"POST /v1/tokenise/digits HTTP/1.1",
        b"Host: x",
        b"Authorization: Bearer " + CREDENTIAL.encode(),
        b"Content-Type: application/json",
        *more,
    ]
    return b"\r\n".join([*lines, b"", body])


def length(size: int) -> bytes:
    return b"Content-Length: %d" % size
