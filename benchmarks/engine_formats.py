"""Formats without FF1 on one core: read and write. Run: python -m benchmarks.engine_formats

Columns read a batch of values and write as many tokens; the scalar side does one. Rows a pass
are those of the engine (`vault.engine.fpe.CHUNK`).
"""

from collections.abc import Callable

import numpy as np

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


def main() -> None:
    columns = {name: by_columns(build(of), sample) for name, (of, sample) in CASES.items()}
    scalar = {name: one_by_one(build(of), sample) for name, (of, sample) in CASES.items()}
    print(f"{'read and write':28}{f'rows/s at {ROWS:,}':>18}{'one, us':>10}")
    batches, ones = interleaved(columns), interleaved(scalar)
    for name in CASES:
        print(f"{name:28}{ROWS / batches[name]:18,.0f}{ones[name] * 1e6:10.2f}")


if __name__ == "__main__":
    main()
