"""Run benchmarks, and say what moved.

python -m benchmarks run [NAME...] [--quick]
python -m benchmarks compare OLD NEW
"""

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.pace import QUICK, WHOLE
from benchmarks.peers.about import about
from benchmarks.report import number, page
from benchmarks.results import Result, moved, read, write
from benchmarks.suite import BENCHMARKS

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("jeton", "cryptography", "msgspec", "numpy", "pyarrow", "starlette", "uvicorn")


def machine() -> dict[str, object]:
    """What the figures were measured on and with."""
    return {
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "compared with": about(),
    }


def table(results: list[Result]) -> Table:
    shown = Table("what", "unit", "value", "baseline", "ratio", "spread", "target", "reached")
    for one in results:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        reached = {None: "", True: "yes", False: "no"}[one.reached]
        figures = number(one.value), number(one.baseline), ratio, f"{one.spread:.0%}"
        shown.add_row(one.name, one.unit, *figures, one.target or "", reached)
    return shown


def run(names: list[str], quick: bool, folder: Path) -> None:
    """Measure, and write `latest.json`, and beside it `machine.json` and `report.html`."""
    results: list[Result] = []
    with Progress() as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            progress.update(task, description=name)
            for one in BENCHMARKS[name](QUICK if quick else WHOLE):
                results.append(one)
                progress.update(task, description=one.name)
            progress.advance(task)
    write(folder / "latest.json", results)
    about = {"run": "quick: not to be quoted" if quick else "whole"} | machine()
    (folder / "machine.json").write_text(json.dumps(about, indent=2) + "\n")
    (folder / "report.html").write_text(page(results, about))
    Console().print(table(results))


def compare(old: Path, new: Path) -> None:
    changes = moved(read(old), read(new))
    for name, change in changes.items():
        print(f"{name}: {change:+.1%}")
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
    unknown = [name for name in given.name if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    run(given.name or list(BENCHMARKS), given.quick, given.results)


if __name__ == "__main__":
    main()
