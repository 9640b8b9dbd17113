"""What every media type of a call turns into, and back: the codec protocol.

A codec judges the shape of a body only. Whether a text is a value or a token, the engine says
for each item.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vault.config import Operation
from vault.service import Answer

RESULTS = {
    "tokenise": ("token", "tokens"),
    "detokenise": ("value", "values"),
    "mask": ("masked", "masked"),
    "match": ("match", "matches"),
}
"""What the answer's member is called, in a single and in a batch call."""


@dataclass(slots=True)
class Content:
    """What was asked for. `contexts` is one for all items (`str`), one an item, or None."""

    items: Sequence[str]
    single: bool
    contexts: str | Sequence[str] | None = None
    candidates: Sequence[str] | None = None


class Codec(Protocol):
    """One media type of a request body, and of the answer to it."""

    media_type: bytes
    max_body: int
    """Bytes."""

    def decode(self, operation: Operation, body: bytes) -> Content:
        """Raises Refusal ``malformed_request``, or ``too_large`` for too many items."""
        ...

    def encode(self, operation: Operation, content: Content, answer: Answer) -> bytes:
        """The body of a 200. Not called for a single item that failed."""
        ...
