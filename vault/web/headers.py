"""The headers of a call: which may come once, what they may hold, and the request's id."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import Final
from uuid import uuid4

from vault.config import PURPOSE
from vault.errors import Refusal

Header = tuple[bytes, bytes]

AUTHORIZATION: Final = b"authorization"
CONTENT_TYPE: Final = b"content-type"
PURPOSE_HEADER: Final = b"jeton-purpose"
END_USER: Final = b"jeton-on-behalf-of"
REQUEST_ID: Final = b"jeton-request-id"

ONCE: Final = (CONTENT_TYPE, PURPOSE_HEADER, END_USER, REQUEST_ID)
"""A second one could be read by somebody between us and the caller where we read the first."""

END_USER_TEXT = re.compile(rb"[\x21-\x7e]{1,128}")
END_USER_TOKEN = re.compile(rb"(?=.{1,8192}\Z)[\w-]+\.[\w-]+\.[\w-]+")
"""It may be a proof; whoever asked for none refuses one that is longer than an id."""
_UUID = re.compile(rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_MEDIA_TYPE = re.compile(
    rb"([a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+)(?:[ \t]*;[ \t]*charset=(?:\"utf-8\"|utf-8))?[ \t]*"
)


def authorization(fields: Mapping[bytes, bytes], headers: list[Header]) -> str | None:
    """The credential's header; None when there is none, or more than one."""
    sent = fields.get(AUTHORIZATION)
    if sent is None or (len(fields) != len(headers) and AUTHORIZATION in repeated(headers)):
        return None
    return sent.decode("latin-1")


def repeated(headers: list[Header]) -> set[bytes]:
    """The names that come more than once."""
    return {name for name, count in Counter(name for name, _ in headers).items() if count > 1}


def check_once(headers: list[Header]) -> None:
    """Raises Refusal ``malformed_request`` for a second header where only one may be."""
    if repeated(headers).intersection(ONCE):
        raise Refusal("malformed_request", "a header is there twice")


def media_type(sent: bytes) -> bytes:
    """Of a Content-Type: in lower case, without its charset; empty if it has parameters that no
    media type here has."""
    found = _MEDIA_TYPE.fullmatch(sent.lower())
    return found[1] if found else b""


def purpose(fields: Mapping[bytes, bytes]) -> str:
    """Of fields that have one. Raises Refusal ``malformed_request``."""
    text = fields[PURPOSE_HEADER].decode("latin-1")
    if not PURPOSE.fullmatch(text):
        raise Refusal(
            "malformed_request",
            "Jeton-Purpose has 1 to 64 lower-case letters, digits and hyphens",
        )
    return text


def end_user(fields: Mapping[bytes, bytes]) -> str:
    """Of fields that have one. Raises Refusal ``malformed_request``."""
    sent = fields[END_USER]
    if not END_USER_TEXT.fullmatch(sent) and not END_USER_TOKEN.fullmatch(sent):
        raise Refusal(
            "malformed_request", "Jeton-On-Behalf-Of has 1 to 128 visible ASCII characters"
        )
    return sent.decode("ascii")


def request_id(fields: Mapping[bytes, bytes]) -> str | None:
    """The caller's own id in lower case; None if there is none, or none that is a UUID."""
    sent = fields.get(REQUEST_ID)
    return sent.decode("ascii").lower() if sent is not None and _UUID.fullmatch(sent) else None


def new_request_id() -> str:
    """A UUID of version 4's form, at a tenth of its price: 74 random bits that are this
    process's, and a count in disguise. It names a request and opens nothing."""
    return f"{_PROCESS}{next(_count) * _STEP & _MOST:012x}"


_first = uuid4()
_PROCESS: Final = str(_first)[:24]
_count: Final = count(_first.node)
_STEP: Final = 0x5DEE_CE66_D2B5  # odd: the counts of 48 bits are passed through once each
_MOST: Final = 0xFFFF_FFFF_FFFF
