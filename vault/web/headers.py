"""The headers of a call: which may come once, what they may hold, and the request's id."""

import re
from collections import Counter
from collections.abc import Mapping
from random import getrandbits
from typing import Final

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


def purpose(fields: Mapping[bytes, bytes]) -> str | None:
    sent = fields.get(PURPOSE_HEADER)
    if sent is None:
        return None
    text = sent.decode("latin-1")
    if not PURPOSE.fullmatch(text):
        raise Refusal(
            "malformed_request",
            "Jeton-Purpose has 1 to 64 lower-case letters, digits and hyphens",
        )
    return text


def end_user(fields: Mapping[bytes, bytes]) -> str | None:
    sent = fields.get(END_USER)
    if sent is None:
        return None
    if not END_USER_TEXT.fullmatch(sent):
        raise Refusal(
            "malformed_request", "Jeton-On-Behalf-Of has 1 to 128 visible ASCII characters"
        )
    return sent.decode("ascii")


def request_id(fields: Mapping[bytes, bytes]) -> str | None:
    """The caller's own id in lower case; None if there is none, or none that is a UUID."""
    sent = fields.get(REQUEST_ID)
    return sent.decode("ascii").lower() if sent is not None and _UUID.fullmatch(sent) else None


def new_request_id() -> str:
    """A random UUID (RFC 9562, version 4), at a third of `uuid4`'s price. It need not be hard
    to guess: it names a request, and opens nothing."""
    digits = f"{getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
