"""A DataFrame of NIRs through the service, over HTTP, as a caller of the SDK would do it.

    python -m benchmarks run dataframe

A worker and a client share this machine. Values a second, from the column that is given to the
column that comes back.
"""

import time
from collections.abc import Callable, Iterator, Mapping

import pandas as pd

import jeton
import jeton.pandas
import jeton.testing
from benchmarks.http import BOUNDLESS
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result

CLIENTS = {"bench": ["tokenise:fr-nir", "detokenise:fr-nir:benchmark"]}
PEOPLE = 1_000
"""How many different ones the column of categories has, and how many are revealed to look."""
ROWS = 250_000
"""Of the column, for each second of a pace."""


def dataframe(pace: Pace) -> Iterator[Result]:
    rows = ROWS * pace.seconds
    limits = {key: int(most) for key, _, most in (one.partition("=") for one in BOUNDLESS)}
    plain = pd.Series(list(nirs(rows)), name="nir")
    repeated = plain.iloc[[at % PEOPLE for at in range(rows)]].reset_index(drop=True)
    frame = pd.DataFrame({"nir": plain, "category": repeated.astype("category")})
    with jeton.testing.serve(CLIENTS, limits) as service:
        client = service.client("bench", purpose="benchmark", timeout=120)
        jobs = ways(client, frame)
        rates: dict[str, list[float]] = {way: [] for way in jobs}
        for _ in range(pace.rounds):
            for way, job in jobs.items():
                start = time.perf_counter()
                job()
                rates[way].append(rows / (time.perf_counter() - start))
    for way, reached in rates.items():
        name = f"DataFrame of {rows:,} rows, {way}"
        yield result(name, "values/s", reached, COMMAND.format("dataframe"))


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
