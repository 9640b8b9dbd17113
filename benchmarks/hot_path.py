"""Where the time goes, by rooms: the profiles that say why a target is missed.

The service and the edge proxy run under py-spy while `wrk` asks; the engine and the rewriters of
bodies by themselves, in a loop. Samples are put to the account of the innermost room of the house
(or library) that they are in, those of one room alone to that of the innermost function.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import http
from benchmarks import proxy as edge_proxy
from benchmarks.cores import TIED
from benchmarks.curves import Curve
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result
from benchmarks.sampled import sampled

ROOMS = {
    "writing the answer": ("vault/web/answers", "vault/web/exchange"),
    "reading HTTP": ("vault/web/connection", "vault/web/framing", "uvicorn", "httptools"),
    "credential": ("vault/access/identity",),
    "dispatch, JSON, Arrow, ids": ("vault/web",),
    "grant and limits": ("vault/access",),
    "format": ("vault/formats",),
    "strings and columns": ("vault/engine",),
    "FF1": ("vault/crypto",),
    "budget, record, store": ("vault/ledger", "vault/store", "vault/audit", "vault/lifecycle"),
    "bodies": ("vault/proxy/bodies",),
    "heads, routes, rules": ("vault/proxy",),
    "aiohttp": ("aiohttp",),
    "service": ("vault/service", "vault/app"),
    "metrics": ("vault/telemetry", "prometheus"),
}
OTHERS = "event loop and the rest"
REST = "the rest"
SHOWN = 9
"""Functions with a bar of their own."""
LOOPS = {
    "fr-nir": "fr-nir, batches of 4,096",
    "ff1": "FF1, batches of 4,096",
    **{f"body-{kind}": f"body rewriter, {kind}" for kind in ("json", "csv", "fixed-width", "xml")},
}
"""What is done without a server, as `python -m benchmarks.loops NAME` does."""
EDGE = {"pass-through": "/plain", "FHIR Patient rewritten": "/fhir"}
"""Paths of the edge proxy's routes."""

Place = Callable[[str], str]
"""To whose account a stack is put."""


def hot_path(pace: Pace) -> Iterator[Result | Curve]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield from _service(pace, folder)
        yield from _edge(pace, folder)
        for loop, name in list(LOOPS.items())[:: pace.of(1, 6)]:
            with looping(loop) as pid:
                samples = sampled(pid, pace.of(5, 1), folder, lambda: None)
            place = room if loop == "fr-nir" else function
            yield from figures(plot(loop), name, shares(samples, place))


def _service(pace: Pace, folder: Path) -> Iterator[Result | Curve]:
    with ExitStack() as stack:
        config = http.initialised(folder / "data")
        credentials = http.add_clients(config, http.CLIENTS)
        target = stack.enter_context(http.vault(config))
        for work in http.works(target[0], credentials)[:: pace.of(1, 4)]:
            yield from _asked(target, work, pace, folder)


def _edge(pace: Pace, folder: Path) -> Iterator[Result | Curve]:
    with ExitStack() as stack:
        behind = stack.enter_context(edge_proxy.upstream())
        target = edge_proxy.edge(stack, folder / "edge", behind)
        patients = [edge_proxy.PATIENT.replace("A-NIR", nir).encode() for nir in nirs(1_000)]
        for name, path in list(EDGE.items())[:: pace.of(1, 2)]:
            yield from _asked(target, http.Work(name, path, patients, 16, ""), pace, folder)


def _asked(
    target: http.Target, work: http.Work, pace: Pace, folder: Path
) -> Iterator[Result | Curve]:
    """While `wrk` asks."""
    for _ in range(pace.warm):
        http.wrk(target, work, 1, folder)
    seconds = pace.of(6, 1)
    samples = sampled(
        target[1], seconds, folder, lambda: http.wrk(target, work, seconds + 1, folder)
    )
    yield from figures(plot(work.name), work.name, shares(samples, room))


def plot(name: str) -> str:
    """The file of its profile."""
    return f"profile-{re.sub('[^a-z0-9]+', '-', name.lower())}"


@contextmanager
def looping(name: str) -> Iterator[int]:
    """The process id of a loop that is warm."""
    command = [*TIED, "taskset", "-c", http.SERVER_CORE, sys.executable, "-m", "benchmarks.loops"]
    process = subprocess.Popen([*command, name], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit(f"the loop of {name} ended")
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def figures(file: str, name: str, found: dict[str, float]) -> Iterator[Result | Curve]:
    for place, share in found.items():
        yield result(f"{name}, share of {place}", "of all", [share], COMMAND.format("hot_path"))
    yield Curve(
        file,
        f"Where the time goes: {name}",
        "share of the samples",
        "",
        {place: [(0.0, share)] for place, share in found.items()},
        "Samples by py-spy, by what is innermost.",
        bars=True,
    )


def shares(samples: Sequence[str], place: Place) -> dict[str, float]:
    """The largest first; what is too small for a bar is the rest."""
    found: Counter[str] = Counter()
    for line in samples:
        stack, _, count = line.rpartition(" ")
        if "concurrent/futures/thread" not in stack.rpartition(";")[2]:  # a thread that waits
            found[place(stack)] += int(count)
    kept = dict(found.most_common(len(ROOMS) + 1 if place is room else SHOWN))
    if rest := found.total() - sum(kept.values()):
        kept[REST] = rest
    return {name: count / found.total() for name, count in kept.items()}


def room(stack: str) -> str:
    for frame in reversed(stack.split(";")):
        where = re.search(r"\(([^():]+)(?::\d+)?\)\s*$", frame)
        if where is None:
            continue
        for name, beginnings in ROOMS.items():
            if where[1].startswith(beginnings):
                return name
        if where[1].startswith("asyncio/runners"):
            break
    return OTHERS


def function(stack: str) -> str:
    """The innermost that is ours, and its file."""
    for frame in reversed(stack.split(";")):
        if found := re.fullmatch(r"(\S+) \(vault/(?:\w+/)*(\w+)\.py(?::\d+)?\)", frame.strip()):
            return f"{found[1]}, {found[2]}"
    return OTHERS
