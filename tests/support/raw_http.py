"""HTTP as bytes, for requests that no client library would send.

answer, = answers(exchange(port, request(b'{"value":"123"}', b"Host: another")))
assert answer.status == 400
"""

import json
import socket
from contextlib import closing
from typing import NamedTuple

from tests.support.door import CREDENTIAL

START = b"POST /v1/tokenise/digits HTTP/1.1"


class Answer(NamedTuple):
    status: int
    code: str | None
    """Of a problem."""


def request(
    body: bytes,
    *more: bytes,
    start: bytes = START,
    host: bytes | None = b"x",
    length: int | None = -1,
) -> bytes:
    """A call of the small service, with `more` lines; `length` -1: the right one."""
    lines = [start]
    if host is not None:
        lines.append(b"Host: " + host)
    lines += [b"Authorization: Bearer " + CREDENTIAL.encode(), b"Content-Type: application/json"]
    if length is not None:
        lines.append(b"Content-Length: %d" % (len(body) if length == -1 else length))
    return b"\r\n".join([*lines, *more, b"", body])


def exchange(port: int, *pieces: bytes, patience: float = 10) -> bytes:
    """All that comes until the server closes; each piece after what the one before it brought."""
    received = b""
    with closing(socket.create_connection(("127.0.0.1", port), patience)) as connection:
        for number, piece in enumerate(pieces):
            connection.sendall(piece)
            if number < len(pieces) - 1:
                received += connection.recv(65_536)
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def answers(received: bytes) -> list[Answer]:
    """Every answer in what was received; raises where it is no HTTP."""
    found = []
    while received:
        head, mark, rest = received.partition(b"\r\n\r\n")
        assert mark
        assert head.startswith(b"HTTP/1.1 ")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        size = int(fields.get(b"content-length", b"0"))
        body, received = rest[:size], rest[size:]
        assert len(body) == size
        is_problem = fields.get(b"content-type") == b"application/problem+json"
        code = json.loads(body)["code"] if is_problem else None
        found.append(Answer(int(head.split()[1]), code))
    return found
