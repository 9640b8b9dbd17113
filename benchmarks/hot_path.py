"""Where the time of a call goes, by rooms: the profile that says why a target is missed.

The service runs under py-spy while `wrk` asks; samples are put to the account of the innermost
room of the house (or library) that they are in.
"""

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
from benchmarks.results import Result, result

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
    "service": ("vault/service", "vault/app"),
    "metrics": ("vault/telemetry", "prometheus"),
}
OTHERS = "event loop and the rest"
MEND = (
    "it has to look into the service: give it CAP_SYS_PTRACE (root has it; a container with"
    " --cap-add SYS_PTRACE), or sysctl kernel.yama.ptrace_scope=0"
)


def hot_path(pace: Pace) -> Iterator[Result | Curve]:
    command = COMMAND.format("hot_path")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = http.initialised(folder / "data")
        credentials = http.add_clients(config, http.CLIENTS)
        target = stack.enter_context(http.vault(config))
        for work in http.works(target[0], credentials):
            for _ in range(pace.warm):
                http.wrk(target, work, 1, folder)
            shares = _profiled(target, work, pace, folder)
            for room, share in shares.items():
                yield result(f"{work.name}, share of {room}", "of all", [share], command)
            yield Curve(
                f"profile-{re.sub('[^a-z0-9]+', '-', work.name.lower())}",
                f"Where the time of {work.name} goes",
                "share of the samples",
                "",
                {room: [(0.0, share)] for room, share in shares.items()},
                "py-spy, by the innermost room; docs/performance.md says what was tried.",
                bars=True,
            )


def _profiled(target: http.Target, work: http.Work, pace: Pace, folder: Path) -> dict[str, float]:
    """The share of each room, of the samples taken while `wrk` asks."""
    raw = folder / "profile.raw"
    seconds = pace.of(6, 1)
    options = ["-p", str(target[1]), "-d", str(seconds), "-r", "300", "-f", "raw", "-o", str(raw)]
    profiler = subprocess.Popen(
        [*_py_spy(), "record", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        http.wrk(target, work, seconds + 1, folder)
        _, said = profiler.communicate(timeout=60)
    finally:
        profiler.kill()
        profiler.wait()
    if profiler.returncode:
        why = " ".join(said.partition("Stack backtrace")[0].split())
        raise SystemExit(f"py-spy: {why}; {MEND}")
    return _shares(raw.read_text())


def _shares(profile: str) -> dict[str, float]:
    found: Counter[str] = Counter()
    for line in profile.splitlines():
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
