"""The service beside those that a team would write itself, interleaved in one run.

    python -m benchmarks.service_peers [--quick]

All have the same uvicorn loop and parser, the same core, the same calls for the same people, who
have tokens already; what keeps a peer's data has the other core. Needs `wrk`.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import http
from benchmarks.awake import awake
from benchmarks.http import Work
from benchmarks.pace import COMMAND, QUICK, WHOLE, Pace
from benchmarks.peers.services import RECORDED, Peer, absent, started
from benchmarks.population import nirs
from benchmarks.results import Result, result

PEOPLE = [nir for nir in nirs(12_000, seed=7) if nir.isdecimal()][:10_000]
"""Those of Corsica have letters, which the peers leave out."""
BATCH = 1_000
OURS, BARE = "Jeton", "a bare ASGI callable"
TOKENISE, REVEAL = "single tokenise", "single detokenise"
TARGETS = {
    TOKENISE: "ratio >= 5",
    REVEAL: "ratio >= 5",
    "batch of 1,000": "ratio >= 50",
}
Rates = dict[str, list[float]]


@dataclass(frozen=True)
class Side:
    """A server and what it is asked."""

    target: http.Target
    works: dict[str, Work]


def service_peers(pace: Pace) -> Iterator[Result]:
    """Single calls and batches; `baseline` is the peer's values a second."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peers = started(stack)
        sides = {OURS: ours(stack, folder), BARE: bare(stack)}
        sides |= {peer.name: theirs(peer) for peer in peers}
        stack.enter_context(awake(http.LOAD_CORE))
        for kind in TARGETS:
            # One differs in reveals only, and the bare callable reads no batch.
            apart = {REVEAL: set(), TOKENISE: {RECORDED}}.get(kind, {RECORDED, BARE})
            turn = {name: side for name, side in sides.items() if name not in apart}
            yield from figures(kind, in_turn(turn, kind, pace, folder))


def ours(stack: ExitStack, folder: Path) -> Side:
    config = http.initialised(folder / "data")
    credentials = http.add_clients(config, http.CLIENTS)
    target = stack.enter_context(http.vault(config))
    write, read = credentials["bench-in"], credentials["bench-out"]
    asked = works(http.tokens_of(target[0], write, PEOPLE), write)
    paths = {"/tokenise": "/v1/tokenise/fr-nir", "/detokenise": "/v1/detokenise/fr-nir"}
    for kind, work in asked.items():
        asked[kind] = replace(work, path=paths[work.path.removesuffix("/batch")])
    reveal = replace(asked[REVEAL], credential=read, purpose="benchmark")
    return Side(target, asked | {REVEAL: reveal})


def bare(stack: ExitStack) -> Side:
    """What the HTTP server itself allows."""
    return Side(stack.enter_context(http.on_uvicorn(http.BARE)), works(PEOPLE, ""))


def theirs(peer: Peer) -> Side:
    tokens = peer.ask("/tokenise/batch", {"values": PEOPLE})["tokens"]
    assert peer.ask("/detokenise/batch", {"tokens": tokens})["values"] == PEOPLE
    return Side(peer.target, works(tokens, peer.credential))


def works(tokens: list[str], credential: str) -> dict[str, Work]:
    single = [json.dumps({"value": nir}).encode() for nir in PEOPLE]
    reveal = [json.dumps({"token": token}).encode() for token in tokens]
    batch = [
        json.dumps({"values": PEOPLE[at : at + BATCH]}).encode()
        for at in range(0, len(PEOPLE), BATCH)
    ]
    all_of_them = [
        Work(TOKENISE, "/tokenise", single, 16, credential),
        Work(REVEAL, "/detokenise", reveal, 64, credential),
        Work("batch of 1,000", "/tokenise/batch", batch, 16, credential, per_request=BATCH),
    ]
    return {work.name: work for work in all_of_them}


def in_turn(sides: Mapping[str, Side], kind: str, pace: Pace, folder: Path) -> Rates:
    """Values a second of each, a sample a round."""
    rates: Rates = {name: [] for name in sides}
    seconds = pace.of(2, 1)
    for _ in range(pace.rounds + pace.warm):
        for name, side in sides.items():
            work = side.works[kind]
            rate = http.wrk(side.target, work, seconds, folder).rate
            rates[name].append(rate * work.per_request)
    return {name: taken[pace.warm :] for name, taken in rates.items()}


def figures(kind: str, rates: Rates) -> Iterator[Result]:
    """Beside each; the best peer has the target."""
    others = [name for name in rates if name != OURS]
    peers = [name for name in others if name != BARE]
    best = max(peers, key=lambda name: statistics.median(rates[name]), default=None)
    for name in others:
        target = TARGETS[kind] if name == best else None
        yield result(
            f"{kind}, beside {name}",
            "values/s",
            rates[OURS],
            COMMAND.format("service_peers"),
            rates[name],
            target,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    for name, why in absent().items():
        print(f"{name}: not compared, it lacks {why}")
    print(f"{'values a second':72}{OURS:>12}{'peer':>12}{'ratio':>9}{'spread':>9}")
    for one in service_peers(QUICK if given.quick else WHOLE):
        print(
            f"{one.name:72}{one.value:12,.0f}{one.baseline:12,.0f}{one.ratio:9.2f}"
            f"{one.spread:9.0%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
