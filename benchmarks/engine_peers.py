"""FF1 of other libraries beside ours, one after the other in one run on one core.

    python -m benchmarks.engine_peers [--quick]

15 digits, AES-256, a tweak of 8 bytes, each library in the form that it likes best. All have
given the same known answer before they are timed; what is missing or gives another is named.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial

from benchmarks.cores import on_core
from benchmarks.engine_ff1 import BOUND_ROWS, aes_bound
from benchmarks.http import SERVER_CORE
from benchmarks.pace import COMMAND, QUICK, WHOLE, Pace
from benchmarks.peers.engines import KEY, OURS, Engine, by_batches, engines
from benchmarks.results import Result, result

TURN = 0.05
"""Seconds of a turn, for each second of a pace."""
WARM = 0.25
"""The same before the first turn: a virtual machine compiles what it saw often."""
BOUND = "AES"

Rates = dict[str, list[float]]


def engine_peers(pace: Pace) -> Iterator[Result]:
    """Vector FF1 beside OpenSSL's AES and beside each other engine; `baseline` is the other's
    values a second."""
    with ExitStack() as stack:
        stack.enter_context(on_core(SERVER_CORE))
        found, _ = engines(stack)
        jobs = {engine.name: engine.seconds for engine in found}
        jobs[BOUND] = by_batches(aes_bound(KEY))
        yield from figures(found, in_turn(jobs, pace))


def in_turn(jobs: Mapping[str, Callable[[int], float]], pace: Pace) -> Rates:
    """Values a second, a sample a round."""
    counts = {name: enough(seconds, pace) for name, seconds in jobs.items()}
    rates: Rates = {name: [] for name in jobs}
    for _ in range(pace.rounds):
        for name, seconds in jobs.items():
            rates[name].append(counts[name] / seconds(counts[name]))
    return rates


def enough(seconds: Callable[[int], float], pace: Pace) -> int:
    """How many values a turn takes, once warm."""
    turn, count, spent = TURN * pace.seconds, BOUND_ROWS, 0.0
    while True:
        taken = seconds(count)
        spent += taken
        if spent >= WARM * pace.seconds:
            return max(1, int(count * turn / taken))
        if taken < turn:
            count *= 2


def figures(found: list[Engine], rates: Rates) -> Iterator[Result]:
    command = COMMAND.format("engine_peers")
    ours, text, scalar = (
        f"{OURS}, {way}" for way in ("vector", "vector, from text to text", "scalar")
    )
    give = partial(result, unit="values/s", command=command)
    mine, bound = rates[ours], rates[BOUND]
    name = "FF1 of 15 digits, vector"
    yield give(name, samples=mine, baseline=bound, target="value >= 25e6")
    peers = [engine for engine in found if not engine.name.startswith(OURS)]
    compiled = [engine.name for engine in peers if engine.compiled]
    fastest = max(compiled, key=lambda peer: sorted(rates[peer])[len(rates[peer]) // 2], default="")
    for peer in peers:
        beside = f"{name}, beside {peer.name} {peer.version}"
        target = "ratio >= 45" if peer.name == fastest else None
        yield give(beside, samples=mine, baseline=rates[peer.name], target=target)
    if fastest:
        for way in (text, scalar):
            kind = way.removeprefix(f"{OURS}, ")
            beside = f"FF1 of 15 digits, {kind}, beside {fastest}"
            yield give(beside, samples=rates[way], baseline=rates[fastest])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    for one in engine_peers(QUICK if given.quick else WHOLE):
        print(f"{one.name:72}{one.value:14,.0f}{one.baseline:14,.0f}{one.ratio:9.2f}", flush=True)
    with ExitStack() as stack:
        for name, why in engines(stack)[1].items():
            print(f"{name}: not compared, {why}")


if __name__ == "__main__":
    main()
