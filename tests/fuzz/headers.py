"""The headers of a call: each is read as the contract says, or refused."""

import re
from contextlib import suppress
from uuid import UUID

from tests.fuzz.quiet import assert_tells_nothing
from vault.errors import Refusal
from vault.web import headers as head

NAMES = (head.CONTENT_TYPE, head.PURPOSE_HEADER, head.END_USER, head.REQUEST_ID, b"other")


def run(data: bytes) -> None:
    """Lines; the first byte of each names the header, the others are its value."""
    lines = [line for line in data.split(b"\n") if line]
    headers = [(NAMES[line[0] % len(NAMES)], line[1:]) for line in lines]
    fields = dict(headers)
    names = [name for name, _ in headers]
    twice = {name for name in names if names.count(name) > 1}
    assert head.repeated(headers) == twice
    try:
        head.check_once(headers)
    except Refusal as refusal:
        assert refusal.code == "malformed_request"
        assert twice - {b"other"}
    else:
        assert not twice - {b"other"}
    _media_type(fields.get(head.CONTENT_TYPE, b""))
    _texts(fields)
    _request_id(fields)


def _media_type(sent: bytes) -> None:
    found = head.media_type(sent)
    assert found == found.lower()
    assert sent.lower().startswith(found)
    assert not found or found.count(b"/") == 1
    assert found or sent.lower() not in {b"application/json", b"application/json; charset=utf-8"}


def _texts(fields: dict[bytes, bytes]) -> None:
    for name, read, rule in (
        (head.PURPOSE_HEADER, head.purpose, rb"[a-z0-9-]{1,64}"),
        (head.END_USER, head.end_user, rb"[!-~]{1,128}|(?=.{,8192}\Z)[\w-]+(?:\.[\w-]+){2}"),
    ):
        sent = fields.get(name)
        if sent is None:
            continue
        fits = re.fullmatch(rule, sent) is not None
        try:
            assert read(fields).encode("ascii") == sent
            assert fits
        except Refusal as refusal:
            assert refusal.code == "malformed_request"
            assert_tells_nothing(refusal, sent.decode("latin-1"))
            assert not fits


def _request_id(fields: dict[bytes, bytes]) -> None:
    found, uuid = head.request_id(fields), None
    with suppress(ValueError):
        uuid = str(UUID(fields.get(head.REQUEST_ID, b"").decode("latin-1")))
    assert found is None or found == uuid


def seeds() -> list[bytes]:
    uuid = b"6f0e8a52-0000-4000-8000-00000000000A"
    return [
        b"\0application/json\n\1reimbursement\n\2someone@example\n\3" + uuid,
        b"\0application/json; charset=UTF-8",
        b'\0application/json ;charset="utf-8" ',
        b"\0application/json; charset=latin-1",
        b"\0Application/VND.apache.arrow.stream",
        b"\1a\n\1b",
        b"\1" + b"a" * 65 + b"\n\2" + b"~" * 129,
        b"\2" + b".".join([b"a" * 60] * 3) + b"\n\2",
        b"\2" + b".".join([b"a" * 3_000] * 3),
        b"\4a\n\4b\n\3{" + uuid + b"}",
        b"\1\xc3\xa9\n\2 ",
    ]
