"""A DataFrame of NIRs through the service, over HTTP, as a caller of the SDK would do it.

    python -m benchmarks.dataframe [--rows 1000000] [--rounds 5]

A worker and a client share this machine. Prints medians of rounds that are interleaved in one
run: values a second, from the column that is given to the column that comes back.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import pandas as pd

import jeton
import jeton.pandas
import jeton.testing
from benchmarks.http import BOUNDLESS
from benchmarks.population import nirs

CLIENTS = {"bench": ["tokenise:fr-nir", "detokenise:fr-nir:benchmark"]}
PEOPLE = 1_000
"""How many different ones the column of categories has, and how many are revealed to look."""


def main() -> None:
    options = argparse.ArgumentParser(description="a DataFrame of NIRs through the service")
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    asked = options.parse_args()
    limits = {key: int(most) for key, _, most in (one.partition("=") for one in BOUNDLESS)}
    plain = pd.Series(list(nirs(asked.rows)), name="nir")
    repeated = plain.iloc[[at % PEOPLE for at in range(asked.rows)]].reset_index(drop=True)
    frame = pd.DataFrame({"nir": plain, "category": repeated.astype("category")})
    with jeton.testing.serve(CLIENTS, limits) as service:
        client = service.client("bench", purpose="benchmark", timeout=120)
        for way, seconds in measured(ways(client, frame), asked.rounds).items():
            print(f"{way:<32}{asked.rows / seconds / 1e6:8.2f} M values/s {seconds:8.3f} s")


def ways(client: jeton.Client, frame: pd.DataFrame) -> Mapping[str, Callable[[], object]]:
    """What is compared. One answer of each is looked at."""
    some = frame["nir"].head(PEOPLE)
    tokens = jeton.pandas.tokenise(client, "fr-nir", some).all()
    assert not (tokens == some).any()
    assert jeton.pandas.detokenise(client, "fr-nir", tokens).all().reveal().equals(some)
    return {
        "tokenise": lambda: jeton.pandas.tokenise(client, "fr-nir", frame["nir"]).all(),
        "tokenise categories": lambda: jeton.pandas.tokenise(
            client, "fr-nir", frame["category"]
        ).all(),
    }


def measured(jobs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


if __name__ == "__main__":
    main()
