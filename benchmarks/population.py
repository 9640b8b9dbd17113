"""NIRs of people who do not exist: plausible, with the right key, the same for a given seed.

Written without `vault`, so that a load generator needs nothing of the service it measures.
"""

import random
from collections.abc import Iterator

COMMUNES = (
    "75101 75115 69383 13208 31555 06088 44109 67482 34172 33063 59350 35238 2A004 2B033 97411"
).split()
"""INSEE codes of real communes, five characters as they stand in a NIR."""


def nir_key(body: str) -> str:
    """The two key digits of 13 characters: 97 - N mod 97, with 2A read as 19 and 2B as 18."""
    digits = body.replace("2A", "19").replace("2B", "18")
    return f"{97 - int(digits) % 97:02d}"


def nirs(count: int, seed: int = 1) -> Iterator[str]:
    """`count` different NIRs of 15 characters."""
    chance = random.Random(seed)
    seen: set[str] = set()
    while len(seen) < count:
        year, month = chance.randrange(100), chance.randrange(1, 13)
        place, order = chance.choice(COMMUNES), chance.randrange(1, 1000)
        body = f"{chance.choice('12')}{year:02d}{month:02d}{place}{order:03d}"
        if body not in seen:
            seen.add(body)
            yield body + nir_key(body)
