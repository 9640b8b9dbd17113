"""What a shared Redis does for each call, measured, and what that means for many replicas: the
Universal Scalability Law, with every assumption named in docs/scaling.md."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import http, workers
from benchmarks.curves import Curve
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.redis_server import Server, serving
from benchmarks.results import Result, result

TOKENISE, REVEAL = "single tokenise", "single reveal"
FITTED = "reveals alone, with what a second worker added"
_COMMAND = COMMAND.format("scale")
REPLICAS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
TOLD = (10, 100, 1_000)
MIXES = {"tokenise alone": 0.0, "5 % reveals": 0.05, "reveals alone": 1.0}
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction")


@dataclass(frozen=True)
class Cost:
    """Of one call: commands and bytes that Redis saw, and microseconds of each processor."""

    commands: float
    bytes: float
    redis: float
    service: float


def scale(pace: Pace) -> Iterator[Result | Curve]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(serving(*DURABLE))
        config = http.initialised(folder / "data")
        shared = f'url = "redis://127.0.0.1:{store.port}"\nreplicas = 0'
        config.write_text(config.read_text().replace('url = "sqlite:jeton.db"', shared))
        credentials = http.add_clients(config, http.CLIENTS)
        with http.vault(config) as target:
            works = _works(target[0], credentials)
            idle = _idle(store, pace.of(5, 1))
            costs = {name: _cost(store, target, work, pace, folder) for name, work in works.items()}
        growth = _growth(config, works[REVEAL], pace, folder)
    yield result("commands that one idle worker sends Redis", "a second", [idle], _COMMAND)
    for name, cost in costs.items():
        yield from _told(name, cost)
    yield growth
    model = _model(costs[TOKENISE], costs[REVEAL], _contention(growth))
    yield from _foretold(model)
    yield model


def _told(name: str, cost: Cost) -> Iterator[Result]:
    yield result(f"Redis commands, {name}", "a call", [cost.commands], _COMMAND)
    yield result(f"Redis bytes in and out, {name}", "a call", [cost.bytes], _COMMAND)
    told = f"processor time of Redis beside the service's, {name}"
    yield result(told, "us/call", [cost.redis], _COMMAND, [cost.service])
    if name != TOKENISE:  # which asks it too seldom
        yield result(f"{name}: what one Redis does", "calls/s", [1e6 / cost.redis], _COMMAND)


def _foretold(model: Curve) -> Iterator[Result]:
    """How many times one replica's calls, and at most; and the law's first parameter."""
    for name, points in model.lines.items():
        of = {int(count): rate / points[0][1] for count, rate in points}
        for count in TOLD:
            yield result(f"model, {name}: {count:,} replicas", "times one", [of[count]], _COMMAND)
        most = max(of)
        serial = (most / of[most] - 1) / (most - 1)
        yield result(f"model, {name}: sigma", "of a call", [serial], _COMMAND)


def _growth(config: Path, work: http.Work, pace: Pace, folder: Path) -> Result:
    """Of the processor time of a reveal, when two workers share the store and each has as many
    callers as the one beside them."""
    spent: dict[int, list[float]] = {1: [], 2: []}
    with workers.serving(config, 1) as one, workers.serving(config, 2) as two:
        for number in range(pace.of(5, 1) + pace.warm):
            for count, server in ((1, one), (2, two)):
                callers = replace(work, connections=work.connections * count)
                load = workers.loaded(server, callers, pace.of(2, 1), folder)
                if number >= pace.warm:
                    spent[count].append(load.spent)
    told = "processor time of a reveal, two workers on one Redis beside one"
    return result(told, "us/call", spent[2], _COMMAND, spent[1])


def _contention(growth: Result) -> float:
    """What the law's first parameter is by two workers beside one; 0 where they are as good as
    equal, which is within the spread of the measurement."""
    more = (growth.ratio or 1.0) - 1.0
    return more if more > growth.spread else 0.0


def _works(url: str, credentials: dict[str, str]) -> dict[str, http.Work]:
    people = list(nirs(5_000, seed=7))
    tokens = http.tokens_of(url, credentials["bench-in"], people)
    path, write, read = "/v1/detokenise/fr-nir", credentials["bench-in"], credentials["bench-out"]
    values = [json.dumps({"value": nir}).encode() for nir in people]
    single = [json.dumps({"token": token}).encode() for token in tokens]
    many = [json.dumps({"tokens": tokens[at : at + 100]}).encode() for at in range(0, 5_000, 100)]
    return {
        TOKENISE: http.Work("single", "/v1/tokenise/fr-nir", values, 16, write),
        REVEAL: http.Work("reveal", path, single, 64, read, "benchmark"),
        "reveal of 100": http.Work("reveals", path, many, 16, read, "benchmark", 100),
    }


def _cost(store: Server, target: http.Target, work: http.Work, pace: Pace, folder: Path) -> Cost:
    for _ in range(pace.warm):
        http.wrk(target, work, 1, folder)
    before, spent = _facts(store), http.processor_seconds(target[1])
    run = http.wrk(target, work, pace.seconds, folder)
    after, spent = _facts(store), http.processor_seconds(target[1]) - spent
    calls = run.per_processor_second * spent
    grown = {name: after[name] - before[name] for name in after}
    return Cost(
        grown["total_commands_processed"] / calls,
        (grown["total_net_input_bytes"] + grown["total_net_output_bytes"]) / calls,
        (grown["used_cpu_sys"] + grown["used_cpu_user"]) / calls * 1e6,
        spent / calls * 1e6,
    )


def _idle(store: Server, seconds: float) -> float:
    before, began = _facts(store), time.perf_counter()
    time.sleep(seconds)
    grown = _facts(store)["total_commands_processed"] - before["total_commands_processed"]
    return max(0.0, (grown - 2) / (time.perf_counter() - began))


def _facts(store: Server) -> dict[str, float]:
    facts: dict[str, float] = {}
    for section in ("stats", "cpu"):
        for line in store.ask("INFO", section).decode().splitlines():
            name, _, text = line.partition(":")
            if name.startswith(("total_", "used_cpu_")) and text.replace(".", "", 1).isdigit():
                facts[name] = float(text)
    return facts


def throughput(replicas: int, serial: float, alone: float) -> float:
    """The Universal Scalability Law without coherence: `serial` is the part of a call for which all
    replicas wait for each other, `alone` what one of them answers."""
    return alone * replicas / (1 + serial * (replicas - 1))


def _model(tokenise: Cost, reveal: Cost, contention: float) -> Curve:
    lines = {}
    for name, share in MIXES.items():
        service = (1 - share) * tokenise.service + share * reveal.service
        redis = (1 - share) * tokenise.redis + share * reveal.redis
        serial, alone = redis / (redis + service), 1e6 / (redis + service)
        lines[name] = [(float(n), throughput(n, serial, alone)) for n in REPLICAS]
        if share == 1.0 and contention:
            fitted = serial + contention
            lines[FITTED] = [(float(n), throughput(n, fitted, alone)) for n in REPLICAS]
    return Curve(
        "scale-model",
        "Calls a second by replicas that share one Redis: a model",
        "replicas of one core",
        "calls a second",
        lines,
        "By the Universal Scalability Law on the costs measured here; one Redis primary, no cost"
        " for agreement between replicas. What gives out first is that primary's processor;"
        " docs/scaling.md names the assumptions.",
        log_x=True,
        log_y=True,
    )
