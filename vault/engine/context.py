"""From a context to FF1's tweak."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from vault.engine.column import Coded

TWEAK_BYTES = 8
"""Short enough that FF1's block Q stays one AES block while a half takes up to 7 bytes."""

Contexts = str | Sequence[str | None] | None
"""One context for a whole batch, one an item (None: this one has none), or none at all."""


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
    if isinstance(contexts, Coded):
        joined = b"".join([tweak(context) for context in contexts.distinct])
        return np.frombuffer(joined, np.uint8).reshape(-1, TWEAK_BYTES)[contexts.codes]
    each = {context: tweak(context) for context in set(contexts)}
    joined = b"".join([each[context] for context in contexts])
    return np.frombuffer(joined, np.uint8).reshape(count, TWEAK_BYTES)


def lacking(contexts: Sequence[str | None]) -> Sequence[int]:
    """The places of a batch that have no context, where others have one."""
    if isinstance(contexts, Coded):
        absent = np.array([context is None for context in contexts.distinct], np.bool_)
        places: list[int] = np.flatnonzero(absent[contexts.codes]).tolist()
        return places
    return [place for place, context in enumerate(contexts) if context is None]


def pairs(
    texts: Sequence[str | None], contexts: Contexts
) -> Iterable[tuple[str | None, str | None]]:
    """Each text with its context; coded texts under one context once each."""
    if contexts is not None and not isinstance(contexts, str):
        return zip(texts, contexts, strict=True)
    return zip(texts.distinct if isinstance(texts, Coded) else texts, repeat(contexts))
