"""Run benchmarks, and say what moved.

python -m benchmarks run [NAME...] [--quick]
python -m benchmarks compare OLD NEW
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import curves
from benchmarks.curves import Curve
from benchmarks.pace import QUICK, WHOLE
from benchmarks.peers.about import about
from benchmarks.report import number, page, scatter, share
from benchmarks.results import Result, moved, read, write
from benchmarks.suite import BENCHMARKS

RESULTS = Path(__file__).parent / "results"
PROGRAMS = {
    "wrk": ("-v",),
    "redis-server": ("--version",),
    "nginx": ("-v",),
    "postgres": ("--version",),
    "java": ("-version",),
}
PACKAGES = (
    "jeton",
    "cryptography",
    "msgspec",
    "numpy",
    "pyarrow",
    "aiohttp",
    "starlette",
    "uvicorn",
)


def machine() -> dict[str, object]:
    """What the figures were measured on and with."""
    return {
        "system": platform.platform(),
        "processor": _of("/proc/cpuinfo", "model name"),
        "processors": os.cpu_count(),
        "governor": _governor(),
        "memory": _of("/proc/meminfo", "MemTotal"),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "programs": {name: _version(name, *options) for name, options in PROGRAMS.items()},
        "versions": {name: version(name) for name in PACKAGES},
        "compared with": about(),
    }


def _governor() -> str:
    """How the kernel sets the clock: the machine's own affair where it is a virtual one."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return "not told"


def _of(file: str, key: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return "not told"


def _version(program: str, *options: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if path is None:
        return "missing"
    done = subprocess.run([path, *options], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(?:\.\d+)?", done.stdout + done.stderr)
    return found[0] if found else "there"


def table(results: list[Result]) -> Table:
    shown = Table("what", "unit", "value", "baseline", "ratio", "spread", "target", "reached")
    for one in results:
        ratio = "" if one.ratio is None else share(one.ratio)
        reached = {None: "", True: "yes", False: "no"}[one.reached]
        figures = number(one.value), number(one.baseline), ratio, scatter(one)
        shown.add_row(one.name, one.unit, *figures, one.target or "", reached)
    return shown


def run(names: list[str], quick: bool, folder: Path) -> int:
    """Measure, and write `latest.json`, and beside it `machine.json`, `report.html` and the plots.
    A benchmark that fails is named, and the others go on; the exit code is 1 then."""
    results: list[Result] = []
    plots: list[Curve] = []
    failed: dict[str, str] = {}
    seconds: dict[str, float] = {}
    with Progress() as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            progress.update(task, description=name)
            began = time.monotonic()
            try:
                for one in BENCHMARKS[name](QUICK if quick else WHOLE):
                    if isinstance(one, Curve):
                        plots.append(one)
                    elif any(one.name == other.name for other in results):
                        raise ValueError(f"two figures are called {one.name}")
                    else:
                        results.append(one)
                        progress.update(task, description=one.name)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is told
                failed[name] = f"{type(error).__name__}: {error}"
            seconds[name] = time.monotonic() - began
            progress.advance(task)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "latest.json", results)
    took = {name: f"{taken:.0f}" for name, taken in seconds.items()}
    told = {
        "run": "quick run: not to be quoted" if quick else "whole run",
        "seconds": took,
    } | machine()
    (folder / "machine.json").write_text(json.dumps(told, indent=2) + "\n")
    curves.write(folder, plots)
    (folder / "report.html").write_text(page(results, plots, failed, told))
    Console(width=None if sys.stdout.isatty() else 160).print(table(results))
    for name, why in failed.items():
        print(f"FAILED: {name}: {why}", file=sys.stderr)
    return 1 if failed else 0


def compare(old: Path, new: Path) -> None:
    before, after = read(old), read(new)
    changes = moved(before, after)
    once = {one.name for one in (*before, *after) if not one.spread}
    for name, change in changes.items():
        told = " (measured once: perhaps noise)" if name in once else ""
        print(f"{name}: {change:+.1%}{told}")
    if not changes:
        print("nothing moved beyond noise")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    verbs = parser.add_subparsers(dest="verb", required=True)
    running = verbs.add_parser("run", help="measure and write results/latest.json")
    running.add_argument("name", nargs="*", help=f"of {', '.join(BENCHMARKS)}; else all")
    running.add_argument("--quick", action="store_true", help="to see that it runs")
    running.add_argument("--results", type=Path, default=RESULTS)
    comparing = verbs.add_parser("compare", help="what moved beyond noise between two files")
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    given = parser.parse_args(arguments)
    if given.verb == "compare":
        compare(given.old, given.new)
        return
    for ending in (signal.SIGTERM, signal.SIGHUP):  # else folders and servers would be left
        signal.signal(ending, signal.default_int_handler)
    unknown = [name for name in given.name if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    sys.exit(run(given.name or list(BENCHMARKS), given.quick, given.results))


if __name__ == "__main__":
    main()
