"""Formats without FF1 on one core: read and write.

    python -m benchmarks run engine_formats

Columns read a batch of values and write as many tokens; the scalar side does one. Rows a pass
are those of the engine (`vault.engine.fpe.CHUNK`).
"""

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.cores import on_core
from benchmarks.http import SERVER_CORE
from benchmarks.pace import COMMAND, Pace
from benchmarks.results import Result, result
from benchmarks.timing import interleaved
from vault.formats import build
from vault.formats.base import Format

ROWS = 4_096
CASES = {
    "fr-nir, 15 characters": ("fr-nir", "284058832102532"),
    "fr-nir, 13 characters": ("fr-nir", "2840588321025"),
    "birth-date, YYYYMMDD": ("birth-date", "19840503"),
    "birth-date, YYYY-MM-DD": ("birth-date", "1984-05-03"),
    "digits, 15": ("digits", "123456789012345"),
    "alphanumeric, 10": ("alphanumeric", "AB12CD34EF"),
}


def by_columns(form: Format, sample: str) -> Callable[[], object]:
    """Reads ROWS values of the sample's form, spread over the domain, and writes tokens."""
    columns, place = form.columns, form.read_value(sample)
    assert columns is not None
    last = form.domain(place.kind).size if form.name != "birth-date" else 146_097
    ranks = (place._replace(rank=rank) for rank in range(0, last, last // ROWS))
    values = [form.write_value(rank) for _, rank in zip(range(ROWS), ranks, strict=False)]
    cells = np.frombuffer("".join(values).encode(), np.uint8).reshape(ROWS, len(sample))

    def work() -> object:
        _, read = columns.read_values(cells)
        return columns.write_tokens(read, cells)

    return work


def one_by_one(form: Format, sample: str) -> Callable[[], object]:
    return lambda: form.write_token(form.read_value(sample))


def engine_formats(pace: Pace) -> Iterator[Result]:
    """Values a second by columns; `baseline` is what one after the other reaches."""
    jobs = {
        f"{name}, by columns": by_columns(build(of), sample) for name, (of, sample) in CASES.items()
    }
    jobs |= {name: one_by_one(build(of), sample) for name, (of, sample) in CASES.items()}
    rates: dict[str, list[float]] = {name: [] for name in jobs}
    with on_core(SERVER_CORE):
        for _ in range(pace.rounds):
            for name, seconds in interleaved(jobs, repeats=3).items():
                rates[name].append((ROWS if name.endswith("columns") else 1) / seconds)
    for name in CASES:
        columns, ones = rates[f"{name}, by columns"], rates[name]
        yield result(
            f"{name}: read and write by columns, beside one after the other",
            "values/s",
            columns,
            COMMAND.format("engine_formats"),
            ones,
        )
