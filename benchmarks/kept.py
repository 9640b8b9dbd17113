"""What was measured, benchmark by benchmark, and what is made of all of it.

Each benchmark has a file in `measured/`, which is written as soon as it ends: a run that ends
before its end loses none of them, and one of a few names leaves the others' alone. Of all of them
together `latest.json`, `machine.json`, the plots and the report are made.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks import curves
from benchmarks.curves import Curve
from benchmarks.report import page
from benchmarks.results import Result, put, write

MEASURED = "measured"
WHOLE, QUICK = "whole run", "quick run: not to be quoted"
FAILED, OTHERS = "failed", "of other runs"
ELSEWHERE = (FAILED, OTHERS)
"""Facts that the page tells in places of their own."""
UNREACHED = "not measured, the run had ended"


@dataclass(frozen=True)
class Run:
    """What all benchmarks of one run have in common."""

    began: str
    kind: str
    commit: str
    machine: Mapping[str, object]


@dataclass(frozen=True)
class Measured:
    """What one benchmark found, and why it failed if it did."""

    name: str
    run: Run
    seconds: float
    results: Sequence[Result]
    plots: Sequence[Curve]
    failed: str | None = None


@dataclass
class Kept:
    """A folder of results: what earlier runs left there, and what the one at hand, of `names`,
    adds. `suite` is all benchmarks there are, in their order."""

    folder: Path
    suite: Sequence[str]
    names: Sequence[str]
    run: Run
    each: dict[str, Measured] = field(init=False)
    added: set[str] = field(default_factory=set)
    """By this run."""

    def __post_init__(self) -> None:
        found = {name: _read(self.folder / MEASURED / f"{name}.json") for name in self.suite}
        self.each = {name: one for name, one in found.items() if one is not None}

    def add(self, one: Measured) -> None:
        """Instead of what was measured before."""
        path = self.folder / MEASURED / f"{one.name}.json"
        put(path, json.dumps(asdict(one), indent=1) + "\n")
        self.added.add(one.name)
        self.each[one.name] = one
        self.each = {name: self.each[name] for name in self.suite if name in self.each}
        self._list()

    def _list(self) -> None:
        write(self.folder / "latest.json", self.results)
        put(self.folder / "machine.json", json.dumps(self.about(), indent=2) + "\n")

    def report(self) -> None:
        """The plots of this run, and the page of all."""
        self._list()
        curves.write(self.folder, [plot for one in self.now for plot in one.plots])
        plots = [plot for one in self.each.values() for plot in one.plots]
        notes = {
            result.command: note
            for name, note in self.earlier.items()
            for result in self.each[name].results
        }
        facts = {name: of for name, of in self.about().items() if name not in ELSEWHERE}
        missing = dict(self.failed)
        if self.unreached:
            missing[", ".join(self.unreached)] = UNREACHED
        text = page(self.results, plots, missing, facts, notes)
        put(self.folder / "report.html", text)

    @property
    def results(self) -> list[Result]:
        return [result for one in self.each.values() for result in one.results]

    @property
    def now(self) -> list[Measured]:
        """Of this run."""
        return [one for one in self.each.values() if one.name in self.added]

    @property
    def failed(self) -> dict[str, str]:
        """In this run or before; a benchmark that was ended too."""
        return {name: one.failed for name, one in self.each.items() if one.failed is not None}

    @property
    def unreached(self) -> list[str]:
        """What this run was to measure and did not."""
        return [name for name in self.names if name not in self.added]

    @property
    def earlier(self) -> dict[str, str]:
        """What is of other runs than this one: of which."""
        return {
            name: _told(one.run, self.run)
            for name, one in self.each.items()
            if name not in self.added
        }

    def about(self) -> dict[str, object]:
        """The run, and the machine that it had."""
        there = self.each.keys() - self.unreached
        absent = [name for name in self.suite if name not in there]
        kinds = {one.run.kind for one in self.each.values()}
        words = [QUICK if QUICK in kinds else WHOLE]
        words += ["partial"] * bool(absent or self.failed)
        words += ["of several runs"] * bool(self.earlier)
        facts: dict[str, object] = {
            "run": ", ".join(words),
            "began": self.run.began,
            "commit": self.run.commit,
            "seconds": {name: f"{one.seconds:.0f}" for name, one in self.each.items()},
        }
        if self.failed:
            facts[FAILED] = self.failed
        if absent:
            facts["not measured"] = ", ".join(absent)
        if self.earlier:
            facts[OTHERS] = self.earlier
        return facts | dict(self.run.machine)


def _told(run: Run, beside: Run) -> str:
    other = ", on another machine or with other versions" * (run.machine != beside.machine)
    return f"{run.kind}, began {run.began}, at {run.commit}{other}"


def _read(path: Path) -> Measured | None:
    """None where nothing was measured that this code can read."""
    try:
        found = json.loads(path.read_text())
        found["run"] = Run(**found["run"])
        found["results"] = [Result(**one) for one in found["results"]]
        found["plots"] = [Curve(**one) for one in found["plots"]]
        return Measured(**found)
    except (OSError, ValueError, TypeError, KeyError):
        return None
