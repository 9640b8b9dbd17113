"""What a shared Redis does for each call, measured, and what that means for many replicas: the
Universal Scalability Law, with every assumption named in docs/scaling.md."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import http
from benchmarks.curves import Curve
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.redis_server import Server, serving
from benchmarks.results import Result, result

REPLICAS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
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
    command = COMMAND.format("scale")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        store = stack.enter_context(serving(*DURABLE))
        config = http.initialised(folder / "data")
        shared = f'url = "redis://127.0.0.1:{store.port}"\nreplicas = 0'
        config.write_text(config.read_text().replace('url = "sqlite:jeton.db"', shared))
        credentials = http.add_clients(config, http.CLIENTS)
        target = stack.enter_context(http.vault(config))
        idle = _idle(store, pace.of(5, 1))
        costs = {
            name: _cost(store, target, work, pace, folder)
            for name, work in _works(target[0], credentials).items()
        }
    yield result("commands that one idle worker sends Redis", "a second", [idle], command)
    for name, cost in costs.items():
        yield result(f"Redis commands, {name}", "a call", [cost.commands], command)
        yield result(f"Redis bytes in and out, {name}", "a call", [cost.bytes], command)
        yield result(
            f"processor time of Redis beside the service's, {name}",
            "us/call",
            [cost.redis],
            command,
            [cost.service],
        )
    yield _model(costs["single tokenise"], costs["single reveal"])


def _works(url: str, credentials: dict[str, str]) -> dict[str, http.Work]:
    people = list(nirs(5_000, seed=7))
    tokens = http.tokens_of(url, credentials["bench-in"], people)
    path, write, read = "/v1/detokenise/fr-nir", credentials["bench-in"], credentials["bench-out"]
    values = [json.dumps({"value": nir}).encode() for nir in people]
    single = [json.dumps({"token": token}).encode() for token in tokens]
    many = [json.dumps({"tokens": tokens[at : at + 100]}).encode() for at in range(0, 5_000, 100)]
    return {
        "single tokenise": http.Work("single", "/v1/tokenise/fr-nir", values, 16, write),
        "single reveal": http.Work("reveal", path, single, 64, read, "benchmark"),
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
    """The Universal Scalability Law without coherence: `serial` is the part of a call that all
    replicas share one processor for, `alone` what one of them answers."""
    return alone * replicas / (1 + serial * (replicas - 1))


def _model(tokenise: Cost, reveal: Cost) -> Curve:
    lines = {}
    for name, share in MIXES.items():
        service = (1 - share) * tokenise.service + share * reveal.service
        redis = (1 - share) * tokenise.redis + share * reveal.redis
        serial = redis / (redis + service)
        alone = 1e6 / (redis + service)
        lines[name] = [(float(n), throughput(n, serial, alone)) for n in REPLICAS]
    return Curve(
        "scale-model",
        "Calls a second by replicas that share one Redis: a model",
        "replicas of one core",
        "calls a second",
        lines,
        "By the Universal Scalability Law on the costs measured above; one Redis primary, no cost"
        " for agreement between replicas. What gives out first is that primary's processor.",
        log_x=True,
        log_y=True,
    )
