"""Vaulted tokens that are unknown, foreign and erased cannot be told apart by time.

    python -m tests.timing.vaulted [--samples 100000] [--planted] [--redis]

Each is a well-formed token that does not open: one that was never drawn, one of another
transformation in the same store, and one whose value was erased. Times what the service asks of
the engine and of the rows of an SQLite file, without the threads and the record between them,
which would hide differences; with `--redis` of the engine, the link and a real Redis server. Prints
Welch's t of every two kinds, and exits with 1 where any |t| is 4.5 or more.

Tokens that open under another context are timed too, and printed apart: they are in the store,
sealed, which takes longer to read. With `--planted` an erased token is looked at longer: that
has to be found.
"""

import argparse
import asyncio
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from benchmarks.population import nirs
from tests.support.redis import Redis
from tests.support.redis_deployments import running
from tests.support.tokens import vaulted
from tests.timing.welch import Setting, report, sample, worst
from vault.engine.vaulted import Vaulted
from vault.store import open_tokens
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
        self.run = at_once
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

    def close(self) -> None:
        self._file.close()


class OnRedis:
    """The same of a Redis server, waited for on a loop of its own; emptied each time."""

    def __init__(self, server: Redis, runner: asyncio.Runner, *, planted: bool) -> None:
        server.ask("FLUSHALL")
        self.run = runner.run
        self._tokens = self.run(open_tokens(server.settings(), Path()))
        self.create = self._tokens.create
        self._planted = planted
        self._gone = set[bytes]()

    async def erase(self, space: str, tokens: Sequence[bytes]) -> list[bool]:
        self._gone.update(tokens)
        return await self._tokens.erase(space, tokens)

    async def find(self, space: str, tokens: Sequence[bytes]) -> list[Entry | None]:
        if self._planted and tokens[0] in self._gone:
            await self._tokens.count(space)
        return await self._tokens.find(space, tokens)

    def close(self) -> None:
        self.run(self._tokens.close())


def at_once(asked: Coroutine[Any, Any, T]) -> T:
    """What waits for nothing: it may give others a turn, of whom there are none."""
    while True:
        try:
            waits = asked.send(None)
        except StopIteration as ended:
            answer: T = ended.value
            return answer
        assert waits is None, "it waits"


def tokens_of(one: Vaulted, store: Any, values: Sequence[str], context: str | None) -> list[str]:
    outcome = store.run(one.tokenise(store, values, context))
    assert not outcome.errors
    return [str(text) for text in outcome.texts]


def fresh(chance: Random, store: Any) -> Setting[bytes, str]:
    """A store with tokens of every kind, in random order among others."""
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
        store.run(store.erase(ours.space(place[0]), [place[1]]))

    def ask(token: str) -> None:
        outcome = store.run(ours.detokenise(store, [token], CONTEXT))
        assert outcome.errors

    kinds = {kind: [text.encode() for text in each] for kind, each in texts.items()}
    return Setting(bytes.decode, ask, kinds)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--redis", action="store_true")
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        made: Callable[[], Any] = partial(Rows, planted=given.planted)
        if given.redis:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            server = stack.enter_context(running(Redis(folder)))
            runner = stack.enter_context(asyncio.Runner())
            made = partial(OnRedis, server, runner, planted=given.planted)
        open_now: list[Any] = []

        def setting(chance: Random) -> Setting[bytes, str]:
            while open_now:
                open_now.pop().close()
            open_now.append(made())
            return fresh(chance, open_now[0])

        taken = sample(setting, given.samples, AT_ONCE)
        open_now.pop().close()
    elsewhere = taken.pop(ELSEWHERE)
    print(f"one that opens under another context: t {worst(elsewhere, taken[UNKNOWN]):.2f}")
    return 0 if report("on Redis" if given.redis else "in process", taken) else 1


if __name__ == "__main__":
    sys.exit(main())
