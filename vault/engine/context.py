"""From a context to FF1's tweak."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TWEAK_BYTES = 8
"""Short enough that FF1's block Q stays one AES block while a half takes up to 7 bytes."""

Contexts = str | Sequence[str] | None
"""One context for a whole batch, one an item, or none at all."""


def tweak(context: str | None) -> bytes:
    """The first 8 bytes of SHA-256 over the context's length (u32, big endian) and its UTF-8.

    The length keeps "no context" and "an empty one" apart from every other text by framing.
    """
    if context is None:
        return NO_CONTEXT
    return _hashed(context.encode())


def _hashed(text: bytes) -> bytes:
    return hashlib.sha256(len(text).to_bytes(4, "big") + text).digest()[:TWEAK_BYTES]


NO_CONTEXT = _hashed(b"")


def context_at(contexts: Contexts, index: int) -> str | None:
    """The context of one item."""
    return contexts if contexts is None or isinstance(contexts, str) else contexts[index]


def tweaks(contexts: Contexts, count: int) -> bytes | NDArray[np.uint8]:
    """One tweak for the batch, or a (count, 8) matrix with one an item."""
    if contexts is None:
        return NO_CONTEXT
    if isinstance(contexts, str):
        return tweak(contexts)
    each = {context: tweak(context) for context in set(contexts)}
    joined = b"".join([each[context] for context in contexts])
    return np.frombuffer(joined, np.uint8).reshape(count, TWEAK_BYTES)
