"""Vaulted tokens that are unknown, foreign and erased cannot be told apart by time.

    python -m tests.timing.vaulted [--samples 100000] [--planted]

Each is a well-formed token that does not open: one that was never drawn, one of another
transformation in the same store, and one whose value was erased. Times what the service asks of
the engine and of the rows of an SQLite file, without the threads and the record between them,
which would hide differences. Prints Welch's t of every two kinds, and exits with 1 where any
|t| is 4.5 or more.

Tokens that open under another context are timed too, and printed apart: they are in the store,
sealed, which takes longer to read. With `--planted` an erased token is looked at longer: that
has to be found.
"""

import argparse
import sqlite3
import sys
from collections.abc import Coroutine, Sequence
from random import Random
from typing import Any, TypeVar

from benchmarks.population import nirs
from tests.support.tokens import vaulted
from tests.timing.welch import Setting, report, sample, worst
from vault.engine.vaulted import Vaulted
from vault.store import token_rows as rows
from vault.store.tokens import Entry

PER_KIND = 8
OTHERS = 1_000
"""Other people's tokens that are in the store too."""
AT_ONCE = 500
"""Samples of each kind from one store: where in it a token lies is drawn anew for the next."""
UNKNOWN, FOREIGN, ERASED, ELSEWHERE = "unknown", "foreign", "erased", "elsewhere"
CONTEXT = "a context"

T = TypeVar("T")


class Rows:
    """What the engine asks of a store, answered in this thread."""

    def __init__(self, *, planted: bool) -> None:
        self._file = sqlite3.connect(":memory:")
        self._file.executescript(rows.SCHEMA)
        self._planted = planted

    async def create(
        self, space: str, entries: Sequence[Entry], most: int, version: int | None = None
    ) -> list[bytes | None]:
        return rows.create(self._file, space, most, version, entries)

    async def erase(self, space: str, tokens: Sequence[bytes]) -> list[bool]:
        return rows.erase(self._file, space, tokens)

    async def find(self, space: str, tokens: Sequence[bytes]) -> list[Entry | None]:
        if self._planted:
            erased = "SELECT count(*) FROM erased WHERE token = ?"
            for _ in range(self._file.execute(erased, tokens[:1]).fetchone()[0]):
                rows.count(self._file, [space])
        return rows.find(self._file, space, tokens)


def at_once(asked: Coroutine[Any, Any, T]) -> T:
    """What is answered without waiting for anything."""
    try:
        asked.send(None)
    except StopIteration as ended:
        answer: T = ended.value
        return answer
    raise AssertionError("it waits")


def tokens_of(one: Vaulted, store: Any, values: Sequence[str], context: str | None) -> list[str]:
    outcome = at_once(one.tokenise(store, values, context))
    assert not outcome.errors
    return [str(text) for text in outcome.texts]


def fresh(chance: Random, *, planted: bool) -> Setting[bytes, str]:
    """A store with tokens of every kind, in random order among others."""
    store: Any = Rows(planted=planted)
    ours, theirs = vaulted(), vaulted(name="u")
    people = list(nirs(OTHERS + 4 * PER_KIND, seed=chance.randrange(2**32)))
    chance.shuffle(people)
    some = {
        kind: people[n * PER_KIND : (n + 1) * PER_KIND]
        for n, kind in enumerate((FOREIGN, ERASED, ELSEWHERE))
    }
    for one in (ours, theirs):
        tokens_of(one, store, people[3 * PER_KIND :], CONTEXT)
    nowhere: Any = Rows(planted=False)
    texts = {
        UNKNOWN: tokens_of(ours, nowhere, people[:PER_KIND], CONTEXT),
        FOREIGN: tokens_of(theirs, store, some[FOREIGN], CONTEXT),
        ERASED: tokens_of(ours, store, some[ERASED], CONTEXT),
        ELSEWHERE: tokens_of(ours, store, some[ELSEWHERE], "another context"),
    }
    for token in texts[ERASED]:
        place = ours.place(token)
        assert place is not None
        at_once(store.erase(ours.space(place[0]), [place[1]]))

    def ask(token: str) -> None:
        outcome = at_once(ours.detokenise(store, [token], CONTEXT))
        assert outcome.errors

    kinds = {kind: [text.encode() for text in each] for kind, each in texts.items()}
    return Setting(bytes.decode, ask, kinds)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--planted", action="store_true")
    given = parser.parse_args(arguments)
    taken = sample(lambda chance: fresh(chance, planted=given.planted), given.samples, AT_ONCE)
    elsewhere = taken.pop(ELSEWHERE)
    print(f"one that opens under another context: t {worst(elsewhere, taken[UNKNOWN]):.2f}")
    return 0 if report("in process", taken) else 1


if __name__ == "__main__":
    sys.exit(main())
