"""Finds values in whatever a service leaves behind, also in the disguises that careless code
puts them into.

    search = Search(values)
    search.found(log)  # {(value, "base64"), ...}
"""

import base64
import hashlib
import math
import random
import string
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

GRAM = 8
"""Every needle has at least so many bytes; a longer one is looked for where they stand."""


def distinctive_values(count: int = 300) -> list[str]:
    """Values of several shapes, all long enough never to occur by chance; always the same."""
    rng = random.Random(20_271_124)
    letters = string.ascii_lowercase
    makers = [
        # No zero at either end: a number would drop it.
        lambda: (
            f"{rng.randint(1, 9)}{''.join(rng.choices(string.digits, k=13))}{rng.randint(1, 9)}"
        ),
        lambda: f"18{rng.randint(10, 99)}-{rng.randint(10, 12)}-{rng.randint(10, 28)}",
        lambda: f"{rng.randint(10, 28)}/{rng.randint(10, 12)}/18{rng.randint(10, 99)}",
        lambda: "".join(rng.choices(string.ascii_uppercase + string.digits, k=13)),
        lambda: "".join(rng.choices(letters, k=12)),
        lambda: f"{''.join(rng.choices(letters, k=8))}_{''.join(rng.choices(letters, k=8))}",
    ]
    return list(dict.fromkeys(makers[index % len(makers)]() for index in range(count)))


class Search:
    """For these values, in every disguise: its time hardly depends on how many there are."""

    def __init__(self, values: Iterable[str]) -> None:
        self._needles: dict[bytes, list[tuple[bytes, str, str]]] = defaultdict(list)
        for value in values:
            for disguise, needle in disguises(value):
                assert len(needle) >= GRAM, f"too short to be searched for as {disguise}"
                self._needles[needle[:GRAM]].append((needle, value, disguise))

    def found(self, data: str | bytes) -> set[tuple[str, str]]:
        """(value, disguise) for every value that `data` holds."""
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogatepass")
        needles = self._needles
        starts = [at for at in range(len(data) - GRAM + 1) if data[at : at + GRAM] in needles]
        return {
            (value, disguise)
            for at in starts
            for needle, value, disguise in needles[data[at : at + GRAM]]
            if data.startswith(needle, at)
        }


def found(text: str, values: Iterable[str]) -> set[tuple[str, str]]:
    """(value, disguise) for every value that `text` holds."""
    return _search(tuple(values)).found(text)


@lru_cache(maxsize=8)
def _search(values: tuple[str, ...]) -> Search:
    return Search(values)


@lru_cache(maxsize=2_048)
def disguises(value: str) -> tuple[tuple[str, bytes], ...]:
    """What to look for; of a disguise that can be written in several ways, each."""
    return tuple(dict.fromkeys(_disguises(value)))


def _disguises(value: str) -> Iterator[tuple[str, bytes]]:
    for text in (value, value.lower(), value.upper()):
        raw = text.encode()
        yield "raw", raw
        yield "reversed", raw[::-1]
        for code in (raw.hex(), raw.hex().upper()):
            yield "hex", code.encode()
        for digits in ("%%%02X", "%%%02x"):
            yield "url", "".join(digits % byte for byte in raw).encode()
        if (quoted := quote(text, safe="")) != text:
            yield "url", quoted.encode()
        for digits in ("\\u%04x", "\\u%04X", "\\\\u%04x", "\\\\u%04X"):  # once and twice
            yield "json", "".join(digits % ord(character) for character in text).encode()
        for core in _base64_cores(raw):
            yield "base64", core
        yield "utf-16", text.encode("utf-16-le")
        for name in ("md5", "sha1", "sha256"):  # without a key: whoever guesses, knows
            digest = hashlib.new(name, raw, usedforsecurity=False).digest()
            yield "hash", digest[:16]
            yield "hash", digest.hex()[:32].encode()
            yield "hash", base64.b64encode(digest)[:20]
    if value.isdigit():
        yield from _numbers(int(value))


def _numbers(number: int) -> Iterator[tuple[str, bytes]]:
    if number < 2**63:
        yield "number", number.to_bytes(8, "big")
        yield "number", number.to_bytes(8, "little")
        yield "number", struct.pack(">d", number)
        yield "number", struct.pack("<d", number)
    if number >= 16**GRAM:
        yield "number", f"{number:x}".encode()
        yield "number", f"{number:X}".encode()
    yield "number", f"{number:,}".encode()


def _base64_cores(raw: bytes) -> Iterator[bytes]:
    """What base64 of any text that holds `raw` must hold, at each of the three alignments."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        yield encoded[math.ceil(shift * 4 / 3) : (shift + len(raw)) * 4 // 3]
