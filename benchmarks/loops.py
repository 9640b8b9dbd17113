"""Work without a server, again and again until it is ended, for a profile to be taken of it.

    python -m benchmarks.loops fr-nir|ff1|body-json|body-csv|body-fixed-width|body-xml

Prints a line once it is warm.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import numpy as np

from benchmarks import bodies
from benchmarks.engine_ff1 import BOUND_ROWS, DIGITS
from benchmarks.population import nirs
from vault.config import Transformation as Configured
from vault.crypto.ff1 import FF1
from vault.crypto.keyset import new_keyset
from vault.engine.transformation import Transformation

Work = Callable[[], object]


def fr_nir() -> Work:
    """A batch through the whole engine."""
    transformation = Transformation("fr-nir", Configured("fr-nir"), new_keyset(datetime.now(UTC)))
    return partial(transformation.tokenise, list(nirs(BOUND_ROWS, seed=11)), "c")


def ff1() -> Work:
    """A batch of numbers."""
    values = np.random.default_rng(1).integers(0, 10**DIGITS, BOUND_ROWS, np.uint64)
    return partial(FF1(os.urandom(32), 10).encrypt_ints, values, DIGITS, os.urandom(8))


def body(kind: str) -> Work:
    """A body of some MB, without the engine."""
    made, parser = bodies.cases()[kind]
    return lambda: asyncio.run(bodies.seconds(made, parser()))


def work(name: str) -> Work:
    """Of this name."""
    if name == "fr-nir":
        return fr_nir()
    return ff1() if name == "ff1" else body(name.removeprefix("body-"))


def main() -> None:
    again = work(sys.argv[1])
    again()
    print("warm", flush=True)
    while True:
        again()


if __name__ == "__main__":
    main()
