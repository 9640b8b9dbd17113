"""Formats through the whole engine on one core. Run: python -m benchmarks.engine

Parse, check the key, rank, FF1, unrank, print: `fr-nir` and `birth-date` in batches, in both
directions, and item by item, which shows from what size on columns win (`VECTOR_FROM`). Beside
them the bound that AES alone sets on this machine: absolute figures do not travel, shares do.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

import vault.engine.fpe as fpe
from benchmarks.engine_ff1 import BOUND_ROWS, aes_bound
from benchmarks.population import nirs
from benchmarks.timing import interleaved
from vault.config import Transformation as Configured
from vault.crypto.keyset import new_keyset
from vault.engine.transformation import Transformation

SIZES = (100, 1_000, 4_096, 100_000)
BOUND = "bound: ten AES blocks a value"
SMALL = (4, 8, 12, 16, 24, 32, 48)


def by_items(work: Callable[[], object]) -> object:
    """The same work without columns."""
    before, fpe.VECTOR_FROM = fpe.VECTOR_FROM, 1 << 60
    try:
        return work()
    finally:
        fpe.VECTOR_FROM = before


def by_columns(work: Callable[[], object]) -> object:
    before, fpe.VECTOR_FROM = fpe.VECTOR_FROM, 1
    try:
        return work()
    finally:
        fpe.VECTOR_FROM = before


def show(title: str, jobs: dict[str, Callable[[], object]], sizes: dict[str, int]) -> None:
    medians = interleaved({BOUND: aes_bound(os.urandom(32)), **jobs})
    bound = BOUND_ROWS / medians[BOUND]
    print(f"{title:32}{'values/s':>14}{'us/value':>10}{'of the bound':>14}")
    for name, seconds in medians.items():
        speed = sizes.get(name, BOUND_ROWS) / seconds
        print(f"{name:32}{speed:14,.0f}{1e6 / speed:10.3f}{speed / bound:14.1%}")


def batches(name: str, transformation: Transformation, values: Sequence[str]) -> None:
    """Both directions at all sizes, under one context."""
    jobs: dict[str, Callable[[], object]] = {}
    sizes: dict[str, int] = {}
    for size in SIZES:
        part = list(values[:size])
        tokens = [str(token) for token in transformation.tokenise(part, "c").texts]
        for way, items in (("tokenise", part), ("detokenise", tokens)):
            jobs[f"{way} {size:,}"] = partial(getattr(transformation, way), items, "c")
            sizes[f"{way} {size:,}"] = size
    show(name, jobs, sizes)


def crossing(transformation: Transformation, values: Sequence[str]) -> None:
    """Where the column path begins to win."""
    jobs: dict[str, Callable[[], object]] = {}
    sizes: dict[str, int] = {}
    for size in SMALL:
        work = partial(transformation.tokenise, list(values[:size]), "c")
        for way in (by_items, by_columns):
            name = f"{way.__name__.replace('_', ' ')}, {size}"
            jobs[name], sizes[name] = partial(way, work), size
    show(f"small batches (now from {fpe.VECTOR_FROM})", jobs, sizes)


def main() -> None:
    keyset = new_keyset(datetime.now(UTC))
    nir = Transformation("fr-nir", Configured("fr-nir"), keyset)
    born = Transformation("birth-date", Configured("birth-date"), keyset)
    people = list(nirs(max(SIZES), seed=11))
    days = [(date(1930, 1, 1) + timedelta(n % 34_000)).isoformat() for n in range(max(SIZES))]
    batches("fr-nir", nir, people)
    batches("birth-date", born, days)
    crossing(nir, people)


if __name__ == "__main__":
    main()
