"""The benchmarks that `python -m benchmarks run` knows by name."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import http
from benchmarks.awake import awake
from benchmarks.beside import drawn
from benchmarks.bodies import bodies
from benchmarks.curves import Curve
from benchmarks.dataframe import dataframe
from benchmarks.engine_ff1 import BOUND_ROWS, DIGITS, aes_bound
from benchmarks.engine_formats import engine_formats
from benchmarks.engine_peers import engine_peers
from benchmarks.fairness import fairness
from benchmarks.footprint import footprint
from benchmarks.hot_path import hot_path
from benchmarks.ledger_settle import ledger_settle
from benchmarks.offered import offered
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.proxy import proxy
from benchmarks.redis_bound import redis_bound
from benchmarks.results import Result, result
from benchmarks.scale import scale
from benchmarks.scan import scanner
from benchmarks.sdk import sdk
from benchmarks.service_peers import service_peers
from benchmarks.sizes import sizes
from benchmarks.soak import soak
from benchmarks.store_away import store_away
from benchmarks.store_commit import store_commit
from benchmarks.timing import interleaved
from benchmarks.vault_layouts import vault_layouts
from benchmarks.vaulted import random_tokens
from benchmarks.workers import workers
from vault.config import Transformation as Configured
from vault.crypto.ff1 import FF1
from vault.crypto.keyset import new_keyset
from vault.engine.transformation import Transformation


def engine(pace: Pace) -> Iterator[Result]:
    """FF1 and `fr-nir` in batches of 4,096, beside ten AES blocks a value by OpenSSL."""
    values = np.random.default_rng(1).integers(0, 10**DIGITS, BOUND_ROWS, np.uint64)
    transformation = Transformation("fr-nir", Configured("fr-nir"), new_keyset(datetime.now(UTC)))
    people = list(nirs(BOUND_ROWS, seed=11))
    jobs: dict[str, Callable[[], object]] = {
        "bound": aes_bound(os.urandom(32)),
        "ff1": partial(FF1(os.urandom(32), 10).encrypt_ints, values, DIGITS, os.urandom(8)),
        "fr-nir": partial(transformation.tokenise, people, "c"),
    }
    rates: dict[str, list[float]] = {name: [] for name in jobs}
    free = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(http.SERVER_CORE)})
    try:
        for _ in range(pace.rounds):
            for name, taken in interleaved(jobs, repeats=5).items():
                rates[name].append(BOUND_ROWS / taken)
    finally:
        os.sched_setaffinity(0, free)
    command, bound = COMMAND.format("engine"), rates["bound"]
    yield result("FF1, batches of 4,096", "values/s", rates["ff1"], command, bound, "ratio >= 0.3")
    yield result(
        "fr-nir, batches of 4,096", "values/s", rates["fr-nir"], command, bound, "value >= 8e6"
    )


TARGETS = {
    "single tokenise": "ratio >= 0.60",
    "single detokenise": "ratio >= 0.40",
    "batch of 1000": "value >= 3e6",
    "Arrow of 100,000": "value >= 6e6",
}


def service(pace: Pace) -> Iterator[Result]:
    """Calls over HTTP, beside a bare ASGI callable on the same server; needs `wrk`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = http.initialised(folder / "data")
        credentials = http.add_clients(config, http.CLIENTS)
        bare = stack.enter_context(http.on_uvicorn(http.BARE))
        ours = stack.enter_context(http.vault(config))
        stack.enter_context(awake(http.LOAD_CORE))
        for work in http.works(ours[0], credentials):
            for target in (bare, ours) * pace.warm:
                http.wrk(target, work, 1, folder)  # it knows whole seconds only
            base, runs = [], []
            for _ in range(pace.rounds):
                base.append(http.wrk(bare, work, pace.seconds, folder))
                runs.append(http.wrk(ours, work, pace.seconds, folder))
            yield from _figures(work, runs, base)


def _figures(work: http.Work, runs: list[http.Run], base: list[http.Run]) -> Iterator[Result]:
    """Values a second, and processor time a request."""
    command, many = COMMAND.format("service"), work.per_request
    rates, bare = [run.rate * many for run in runs], [run.rate * many for run in base]
    yield result(work.name, "values/s", rates, command, bare, TARGETS[work.name])
    spent = [1e6 / run.per_processor_second for run in runs]
    least = [1e6 / run.per_processor_second for run in base]
    yield result(f"{work.name}, processor time", "us/request", spent, command, least)


BENCHMARKS: dict[str, Callable[[Pace], Iterator[Result | Curve]]] = {
    "engine": engine,
    "engine_formats": engine_formats,
    "engine_peers": lambda pace: drawn(engine_peers(pace), "engines", "FF1 beside others"),
    "sizes": sizes,
    "footprint": footprint,
    "service": service,
    "offered": offered,
    "fairness": fairness,
    "workers": workers,
    "service_peers": lambda pace: drawn(service_peers(pace), "services", "Services"),
    "redis_bound": redis_bound,
    "scale": scale,
    "bodies": bodies,
    "proxy": proxy,
    "scan": scanner,
    "sdk": sdk,
    "dataframe": dataframe,
    "ledger_settle": ledger_settle,
    "store_commit": store_commit,
    "store_away": store_away,
    "vaulted": random_tokens,
    "vault_layouts": vault_layouts,
    "soak": soak,
    "hot_path": hot_path,
}
