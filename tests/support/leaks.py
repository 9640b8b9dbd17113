"""Finds values in text, also in the disguises that careless code puts them into."""

import base64
import math
import random
import string
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import quote


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


def found(text: str, values: Sequence[str]) -> set[tuple[str, str]]:
    """(value, disguise) for every value that `text` holds."""
    lower = text.lower()
    return {
        (value, disguise)
        for value in values
        for disguise, needle in disguises(value)
        if needle in (lower if disguise == "hex" else text)
    }


@lru_cache(maxsize=2_048)
def disguises(value: str) -> tuple[tuple[str, str], ...]:
    raw = value.encode()
    return (
        ("raw", value),
        ("reversed", value[::-1]),
        ("hex", raw.hex()),
        ("url", "".join(f"%{byte:02X}" for byte in raw)),
        ("url", quote(value, safe="") if quote(value, safe="") != value else value),
        ("json", "".join(f"\\u{ord(character):04x}" for character in value)),
        *(("base64", core) for core in _base64_cores(raw)),
    )


def _base64_cores(raw: bytes) -> Iterator[str]:
    """What base64 of any text that holds `raw` must hold, at each of the three alignments."""
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        yield encoded[math.ceil(shift * 4 / 3) : (shift + len(raw)) * 4 // 3]
