"""A caller's certificate in a header of the proxy that ended its TLS."""

import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import unquote

from vault.access.rejected import Rejected

LONGEST: Final = 16_384
_PEM: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,12000})-----END CERTIFICATE-----\s*"
)
_PAIR: Final = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^;,"]*)(;|,|$)')

Form = Literal["envoy", "pem"]


def certificates(text: str, form: Form) -> Sequence[bytes]:
    """In DER, the caller's first, then those of its chain.

    Raises Rejected ``certificate_header`` for anything but one caller's certificate: an Envoy
    that appends to what it was sent passes on what callers invent.
    """
    if len(text) > LONGEST:
        raise Rejected("certificate_header")
    if form == "pem":
        return _read(text, most=1)
    fields = _fields(text)
    if "cert" not in fields:
        raise Rejected("certificate_header")
    leaf = _read(fields["cert"], most=1)
    chain = _read(fields["chain"], most=8) if "chain" in fields else []
    return [*leaf, *(one for one in chain if one != leaf[0])]


def _fields(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None or pair[3] == ",":
            raise Rejected("certificate_header")
        name, value = pair[1].lower(), pair[2]
        if name in ("cert", "chain") and name in fields:
            raise Rejected("certificate_header")
        fields[name] = value[1:-1] if value.startswith('"') else value
        at = pair.end()
    return fields


def _read(text: str, most: int) -> list[bytes]:
    """PEM, URL-encoded; a plus is a plus."""
    pem = unquote(text, errors="replace")
    found: list[bytes] = []
    at = 0
    while at < len(pem):
        one = _PEM.match(pem, at)
        if one is None or len(found) == most:
            raise Rejected("certificate_header")
        try:
            found.append(a2b_base64("".join(one[1].split()), strict_mode=True))
        except NotBase64:
            raise Rejected("certificate_header") from None
        at = one.end()
    if not found:
        raise Rejected("certificate_header")
    return found
