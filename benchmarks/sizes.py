"""Values a second by the size of a batch: the engine beside the AES bound, and JSON over HTTP."""

import json
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
from benchmarks.cores import on_core
from benchmarks.curves import Curve
from benchmarks.engine_ff1 import BOUND_ROWS, DIGITS, aes_bound
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result
from benchmarks.timing import interleaved
from vault.config import Transformation as Configured
from vault.crypto.ff1 import FF1
from vault.crypto.keyset import new_keyset
from vault.engine.transformation import Transformation

ENGINE = (1, 10, 100, 1_000, 4_096, 10_000, 100_000)
JSON = (1, 10, 100, 1_000, 10_000)
ARROW = (100, 1_000, 10_000, 100_000)
_COMMAND = COMMAND.format("sizes")


def sizes(pace: Pace) -> Iterator[Result | Curve]:
    yield from _engine(pace)
    yield from _http(pace)


def _engine(pace: Pace) -> Iterator[Result | Curve]:
    numbers = np.random.default_rng(2).integers(0, 10**DIGITS, ENGINE[-1], np.uint64)
    people = list(nirs(ENGINE[-1], seed=12))
    cipher, tweak = FF1(os.urandom(32), 10), os.urandom(8)
    form = Transformation("fr-nir", Configured("fr-nir"), new_keyset(datetime.now(UTC)))
    lines: dict[str, list[tuple[float, float]]] = {}
    bounds: list[float] = []
    with on_core(http.SERVER_CORE):
        for size in ENGINE:
            jobs: dict[str, Callable[[], object]] = {
                "ten AES blocks a value, OpenSSL": aes_bound(os.urandom(32)),
                "FF1, 15 digits": partial(cipher.encrypt_ints, numbers[:size], DIGITS, tweak),
                "fr-nir": partial(form.tokenise, people[:size], "c"),
            }
            taken = interleaved(jobs, repeats=max(3, pace.rounds))
            for name, seconds in taken.items():
                rate = (BOUND_ROWS if "AES" in name else size) / seconds
                lines.setdefault(name, []).append((size, rate))
            bounds.append(lines["ten AES blocks a value, OpenSSL"][-1][1])
            fr_nir = lines["fr-nir"][-1][1]
            yield result(
                f"engine, fr-nir, batches of {size:,}", "values/s", [fr_nir], _COMMAND, bounds[-1:]
            )
    yield Curve(
        "engine-by-size",
        "What the engine does with a batch, one core",
        "values in a batch",
        "values a second",
        lines,
        "Medians. The bound is what OpenSSL's AES alone would allow for FF1's ten rounds.",
        log_x=True,
        log_y=True,
    )


def _http(pace: Pace) -> Iterator[Result | Curve]:
    people = list(nirs(ARROW[-1], seed=13))
    lines: dict[str, list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = http.initialised(folder / "data")
        credentials = http.add_clients(config, http.CLIENTS)
        ours = stack.enter_context(http.vault(config))
        stack.enter_context(awake(http.LOAD_CORE))
        for kind, size, work in list(_works(people, credentials["bench-in"]))[:: pace.of(1, 2)]:
            for _ in range(pace.warm):
                http.wrk(ours, work, 1, folder)
            runs = [
                http.wrk(ours, work, pace.of(2, 1), folder).rate * size
                for _ in range(max(1, pace.rounds // 2))
            ]
            found = result(f"{work.name} over HTTP", "values/s", runs, _COMMAND)
            lines.setdefault(kind, []).append((float(size), found.value))
            yield found
    yield Curve(
        "http-by-size",
        "Throughput by batch size over HTTP, server on one core",
        "values in a batch",
        "values a second",
        lines,
        "tokenise fr-nir, limits and record on. JSON over 16 connections, Arrow over 2, sending as"
        " fast as they are answered; wrk on the other core.",
        log_x=True,
        log_y=True,
    )


def _works(people: list[str], credential: str) -> Iterator[tuple[str, int, http.Work]]:
    path = "/v1/tokenise/fr-nir"
    for size in JSON:
        body = json.dumps({"values": people[:size]}).encode()
        name = f"JSON batches of {size:,}"
        yield "JSON", size, http.Work(name, path, [body], 16, credential, "", size)
    for size in ARROW:
        body = http.arrow_stream(people[:size])
        name = f"Arrow batches of {size:,}"
        yield "Arrow", size, http.Work(name, path, [body], 2, credential, "", size, http.ARROW)
