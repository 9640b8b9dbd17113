"""Run benchmarks, and say what moved.

python -m benchmarks run [NAME...] [--quick]
python -m benchmarks compare OLD NEW
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import pace
from benchmarks.curves import Curve
from benchmarks.ending import ending
from benchmarks.kept import QUICK, UNREACHED, WHOLE, Kept, Measured, Run
from benchmarks.machine import commit, machine
from benchmarks.report import number, scatter, share
from benchmarks.results import Result, alone, moved, read
from benchmarks.suite import BENCHMARKS

RESULTS = Path(__file__).parent / "results"
SHOWN = 3
"""Names of figures in a line that would be too long with all of them."""


def table(results: list[Result]) -> Table:
    shown = Table("what", "unit", "value", "baseline", "ratio", "spread", "target", "reached")
    for one in results:
        ratio = "" if one.ratio is None else share(one.ratio)
        reached = {None: "", True: "yes", False: "no"}[one.reached]
        figures = number(one.value), number(one.baseline), ratio, scatter(one)
        shown.add_row(one.name, one.unit, *figures, one.target or "", reached)
    return shown


def run(names: Sequence[str], quick: bool, folder: Path) -> int:
    """Measure, and write `latest.json`, and beside it `machine.json`, `report.html` and the plots.
    A benchmark that fails is named, and the others go on; the exit code is 1 then. A run that is
    told to end writes what it has measured."""
    with ending() as told:
        began = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        this = Run(began, QUICK if quick else WHOLE, commit(), machine())
        kept = Kept(folder, list(BENCHMARKS), names, this)
        with Progress() as progress:
            task = progress.add_task("", total=len(names))
            for name in names:
                progress.update(task, description=name)
                one = measure(name, kept, lambda text: progress.update(task, description=text))
                if told:
                    one = replace(one, failed=f"ended by {told[0].name}")
                if one.results or not told:
                    kept.add(one)
                if told:
                    break
                progress.advance(task)
        kept.report()
        say(kept)
        if told:
            print(f"ended by {told[0].name}: what was measured is in {folder}", file=sys.stderr)
    return 1 if any(one.failed for one in kept.now) else 0


def measure(name: str, kept: Kept, show: Callable[[str], None]) -> Measured:
    """What a benchmark finds, or found before it failed or was told to end."""
    results: list[Result] = []
    plots: list[Curve] = []
    failed = None
    taken = {
        figure.name for one in kept.each.values() if one.name != name for figure in one.results
    }
    began = time.monotonic()
    try:
        for one in BENCHMARKS[name](pace.QUICK if kept.run.kind == QUICK else pace.WHOLE):
            if isinstance(one, Curve):
                plots.append(one)
                continue
            if one.name in taken:
                raise ValueError(f"two figures are called {one.name}")
            taken.add(one.name)
            results.append(one)
            show(one.name)
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001 - all is told
        failed = f"{type(error).__name__}: {error}"
    return Measured(name, kept.run, time.monotonic() - began, results, plots, failed)


def say(kept: Kept) -> None:
    """What this run found, and what it did not."""
    found = [figure for one in kept.now for figure in one.results]
    if found:
        Console(width=None if sys.stdout.isatty() else 160).print(table(found))
    for one in kept.now:
        if one.failed:
            print(f"FAILED: {one.name}: {one.failed}", file=sys.stderr)
    if kept.unreached:
        print(f"{', '.join(kept.unreached)}: {UNREACHED}", file=sys.stderr)
    print(kept.folder / "report.html")


def compare(old: Path, new: Path) -> None:
    before, after = read(old), read(new)
    changes = moved(before, after)
    once = {one.name for one in (*before, *after) if not one.spread}
    for name, change in changes.items():
        told = " (measured once: perhaps noise)" if name in once else ""
        print(f"{name}: {change:+.1%}{told}")
    if not changes:
        print("nothing moved beyond noise")
    for path, names in ((old, alone(before, after)), (new, alone(after, before))):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            print(f"only in {path}: {'; '.join(names[:SHOWN])}{more}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    verbs = parser.add_subparsers(dest="verb", required=True)
    running = verbs.add_parser("run", help="measure and write latest.json and the report")
    running.add_argument("name", nargs="*", help=f"of {', '.join(BENCHMARKS)}; else all")
    running.add_argument("--quick", action="store_true", help="to see that it runs")
    running.add_argument(
        "--results", type=Path, help="else benchmarks/results, and its quick/ with --quick"
    )
    comparing = verbs.add_parser("compare", help="what moved beyond noise between two files")
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    given = parser.parse_args(arguments)
    if given.verb == "compare":
        try:
            compare(given.old, given.new)
        except ValueError as error:
            parser.error(f"there is nothing to compare: {error}")
        return
    unknown = [name for name in given.name if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    folder = given.results or (RESULTS / "quick" if given.quick else RESULTS)
    sys.exit(run(list(dict.fromkeys(given.name)) or list(BENCHMARKS), given.quick, folder))


if __name__ == "__main__":
    main()
