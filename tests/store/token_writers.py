"""Writers of vaulted tokens under load, and the journal of what was acknowledged to them.

    python -m tests.store.token_writers SETTINGS JOURNAL POOL BATCH CALLS

is one of them in a process of its own: SETTINGS is `[store]` as JSON; CALLS 0: until it is
killed. Indexes come from a pool, so that writers race; what is sealed follows from token and
index, so that a token that opens to another value is noticed.
"""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from vault.config import StoreSettings
from vault.errors import Refusal
from vault.store import open_tokens
from vault.store.tokens import FULL, PARTITIONS, Entry, TokenStore, partition_of

ROOT = Path(__file__).parents[2]
SPACE = "writers.0"
TOKEN, INDEX = 5, 16
PAUSE = 0.01
"""Seconds until a refused writer tries again."""


def index_of(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()[:INDEX]


def drawn(index: bytes) -> Entry:
    """A random token for an index."""
    token = bytearray(os.urandom(TOKEN))
    token[-1] = token[-1] & ~(PARTITIONS - 1) | index[-1] & (PARTITIONS - 1)
    return Entry(bytes(token), index, sealed(bytes(token), index))


def sealed(token: bytes, index: bytes) -> bytes:
    return hashlib.sha384(token + index).digest()


class Journal:
    """What was acknowledged: `tokens` by index, and when. In memory, and in a file if wanted,
    in which a killed writer's lines stay."""

    def __init__(self, path: Path | None = None) -> None:
        self.tokens: dict[bytes, bytes] = {}
        self.twice = 0
        """Indexes to which two tokens were acknowledged."""
        self.times: list[float] = []
        self.refused = 0
        self.gap = 0.0
        """The longest time without service, in seconds, of any partition."""
        self._last: dict[int, float] = {}
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, entries: Sequence[Entry], answers: Sequence[bytes | None]) -> None:
        assert not any(answer is FULL for answer in answers)
        pairs = [(e.index, a) for e, a in zip(entries, answers, strict=True) if a is not None]
        now = time.monotonic()
        self.times.append(now)
        for partition in {partition_of(index) for index, _ in pairs}:
            self.gap = max(self.gap, now - self._last.get(partition, now))
            self._last[partition] = now
        self.add(pairs)
        if self._file is not None:
            os.write(self._file, b"".join(index + token for index, token in pairs))

    def add(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        for index, token in pairs:
            self.twice += self.tokens.setdefault(index, token) != token

    def read(self, path: Path) -> None:
        """Take over what stands in a writer's file."""
        text, size = path.read_bytes(), INDEX + TOKEN
        whole = range(0, len(text) - len(text) % size, size)
        self.add((text[n : n + INDEX], text[n + INDEX : n + size]) for n in whole)


async def write(store: TokenStore, journal: Journal, pool: int, batch: int, calls: int = 0) -> None:
    """Create, again and again: until `calls` are answered, or for ever."""
    done = 0
    while not calls or done < calls:
        numbers = random.sample(range(pool), min(batch, pool))
        entries = [drawn(index_of(number)) for number in numbers]
        try:
            answers = await store.create(SPACE, entries, 10**6)
        except Refusal as refusal:
            if refusal.code != "store_unavailable":
                raise
            journal.refused += 1
            await asyncio.sleep(PAUSE)
        else:
            journal.note(entries, answers)
            done += 1


async def check(store: TokenStore, journal: Journal) -> None:
    """Nothing acknowledged is lost, no token opens to another index, no index has two tokens,
    and both directions of all there is agree."""
    assert not journal.twice, f"{journal.twice} indexes were given two tokens"
    indexes = list(journal.tokens)
    found = await store.find_index(SPACE, indexes)
    lost = sum(token is None for token in found)
    assert not lost, f"{lost} of {len(indexes)} acknowledged tokens are lost"
    other = sum(token != journal.tokens[index] for index, token in zip(indexes, found, strict=True))
    assert not other, f"{other} of {len(indexes)} indexes have another token"
    entries = await store.find(SPACE, list(journal.tokens.values()))
    right = [
        entry is not None and entry.index == index and entry.sealed == sealed(token, index)
        for (index, token), entry in zip(journal.tokens.items(), entries, strict=True)
    ]
    assert all(right), f"{right.count(False)} of {len(right)} tokens open to something else"


def start(
    settings: StoreSettings, journal: Path, pool: int, batch: int, calls: int = 0
) -> "subprocess.Popen[bytes]":
    arguments = [msgspec.json.encode(settings).decode(), str(journal), pool, batch, calls]
    command = [sys.executable, "-m", "tests.store.token_writers", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT)


async def main() -> None:
    text, path, pool, batch, calls = sys.argv[1:]
    settings = msgspec.json.decode(text, type=StoreSettings)
    store = await open_tokens(settings, Path())
    await write(store, Journal(Path(path)), int(pool), int(batch), int(calls))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
