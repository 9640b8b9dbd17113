"""Whom a reveal is about, under a pseudonym that only the keyset's holder can make."""

import hmac
from typing import Literal

PSEUDONYM_BYTES = 16

Known = Literal["value", "context"]
"""By what the person is known: a value of their own (a NIR), or a record's context. The two
are spaces apart: a context that reads like a NIR is not that person."""


def pseudonym(key: bytes, text: str, known_by: Known = "value") -> bytes:
    """HMAC-SHA-256 (RFC 2104) under the person key, cut to 16 bytes (its section 5).

    `text` is canonical: one spelling a person, or the person is counted twice.
    """
    return hmac.digest(key, f"{known_by}\0{text}".encode(), "sha256")[:PSEUDONYM_BYTES]
