"""What every media type of a call turns into, and back: the codec protocol.

A codec judges the shape of a body only. Whether a text is a value or a token, the engine says
for each item.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from vault.config import Operation
from vault.engine.context import Contexts
from vault.errors import Refusal
from vault.service import Answer

RESULTS = {
    "tokenise": ("token", "tokens"),
    "detokenise": ("value", "values"),
    "mask": ("masked", "masked"),
    "match": ("match", "matches"),
}
"""What the answer's member is called, in a single and in a batch call; an Arrow column is
called as the first."""

ITEM_CODES: Final[Mapping[Operation, Sequence[str]]] = {
    "tokenise": ("invalid_value", "context_required", "domain_exhausted"),
    "detokenise": ("not_a_token", "context_required"),
    "mask": ("not_a_token", "context_required"),
    "match": ("not_a_token", "invalid_value", "context_required"),
}
"""What an item can fail with."""

MAX_CONTEXT: Final = 256
"""Bytes of UTF-8."""


@dataclass(slots=True, repr=False)  # values stand in it
class Content:
    """What was asked for, as a `Call` of the service has it."""

    items: Sequence[str]
    single: bool
    contexts: Contexts = None
    candidates: Sequence[str] | None = None


class Codec(Protocol):
    """One media type of a request body, and of the answer to it."""

    media_type: bytes
    max_body: int
    """Bytes."""
    aside: bool
    """Bodies are large, and worked on in the thread for batches: calls beside them go on."""

    def decode(self, operation: Operation, body: bytes) -> Content:
        """Raises Refusal ``malformed_request``, or ``too_large`` for too many items."""
        ...

    def encode(self, operation: Operation, content: Content, answer: Answer) -> bytes:
        """The body of a 200. Not called for a single item that failed."""
        ...


def malformed(detail: str) -> Refusal:
    return Refusal("malformed_request", detail)


def check_context(context: str) -> None:
    """Raises Refusal ``malformed_request``."""
    size = len(context) if context.isascii() else len(context.encode())
    if not 0 < size <= MAX_CONTEXT:
        raise malformed(f"a context has 1 to {MAX_CONTEXT} bytes")
    if not unicodedata.is_normalized("NFC", context):
        raise malformed("a context is text in Unicode's normal form C")
