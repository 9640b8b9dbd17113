"""Where the time of a call goes, by rooms: the profile that says why a target is missed.

The service runs under py-spy while `wrk` asks; samples are put to the account of the innermost
room of the house (or library) that they are in.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks import http
from benchmarks.curves import Curve
from benchmarks.pace import COMMAND, Pace
from benchmarks.population import nirs
from benchmarks.results import Result, result

ROOMS = {
    "writing the answer": ("vault/web/answers", "vault/web/exchange"),
    "reading HTTP": ("vault/web/connection", "vault/web/framing", "uvicorn", "httptools"),
    "credential": ("vault/access/identity",),
    "dispatch, JSON, ids": ("vault/web",),
    "grant and limits": ("vault/access",),
    "format": ("vault/formats",),
    "strings and columns": ("vault/engine",),
    "FF1": ("vault/crypto",),
    "budget, record, store": ("vault/ledger", "vault/store", "vault/audit", "vault/lifecycle"),
    "service": ("vault/service", "vault/app"),
    "metrics": ("vault/telemetry", "prometheus"),
}
OTHERS = "event loop and the rest"


def hot_path(pace: Pace) -> Iterator[Result | Curve]:
    command = COMMAND.format("hot_path")
    people = list(nirs(5_000, seed=7))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = http.initialised(folder / "data")
        credentials = http.add_clients(config, http.CLIENTS)
        target = stack.enter_context(http.vault(config))
        tokens = http.tokens_of(target[0], credentials["bench-in"], people)
        works = [
            http.Work(
                "single tokenise",
                "/v1/tokenise/fr-nir",
                [json.dumps({"value": one}).encode() for one in people],
                16,
                credentials["bench-in"],
            ),
            http.Work(
                "single detokenise",
                "/v1/detokenise/fr-nir",
                [json.dumps({"token": one}).encode() for one in tokens],
                64,
                credentials["bench-out"],
                "benchmark",
            ),
            http.Work(
                "JSON batch of 1,000",
                "/v1/tokenise/fr-nir",
                [json.dumps({"values": people[at : at + 1_000]}).encode() for at in (0, 1_000)],
                16,
                credentials["bench-in"],
                per_request=1_000,
            ),
        ]
        for work in works:
            for _ in range(pace.warm):
                http.wrk(target, work, 1, folder)
            shares = _profiled(target, work, pace, folder)
            if not shares:
                return
            for room, share in shares.items():
                yield result(f"{work.name}, share of {room}", "of all", [share], command)
            yield Curve(
                f"profile-{work.name.split()[1].lower()}",
                f"Where the time of a {work.name} goes",
                "share of the samples",
                "",
                {room: [(0.0, share)] for room, share in shares.items()},
                "py-spy, by the innermost room; docs/performance.md says what was tried.",
                bars=True,
            )


def _profiled(target: http.Target, work: http.Work, pace: Pace, folder: Path) -> dict[str, float]:
    raw = folder / "profile.raw"
    seconds = pace.of(6, 1)
    options = ["-p", str(target[1]), "-d", str(seconds), "-r", "300", "-f", "raw", "-o", str(raw)]
    quiet = subprocess.DEVNULL
    profiler = subprocess.Popen([*_py_spy(), "record", *options], stdout=quiet, stderr=quiet)
    http.wrk(target, work, seconds + 1, folder)
    if profiler.wait(60) != 0:
        print("no profile: py-spy needs CAP_SYS_PTRACE to look at the service", file=sys.stderr)
        return {}
    found: Counter[str] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        if "concurrent/futures/thread" not in stack.rpartition(";")[2]:  # a thread that waits
            found[_room(stack)] += int(count)
    return {room: count / found.total() for room, count in found.most_common()}


def _room(stack: str) -> str:
    for frame in reversed(stack.split(";")):
        place = re.search(r"\(([^():]+)(?::\d+)?\)\s*$", frame)
        if place is None:
            continue
        for room, beginnings in ROOMS.items():
            if place[1].startswith(beginnings):
                return room
        if place[1].startswith("asyncio/runners"):
            break
    return OTHERS


def _py_spy() -> list[str]:
    return [str(Path(sys.executable).with_name("py-spy"))]
