"""What a benchmark found, as `results/latest.json` has it, and what moved between two runs."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

LEAST_NOISE = 0.02
"""Two runs of one and the same thing differ by this share on the quietest of machines."""


@dataclass(frozen=True)
class Result:
    """One figure. `baseline` was measured in turn with `value` in the same run, `ratio` is the
    median of the pairs' ratios. `spread` is the interquartile range over the median: of the
    ratios where there is a baseline, which is what travels, else of the values. `target` reads
    like `ratio >= 0.60`."""

    name: str
    unit: str
    value: float
    spread: float
    baseline: float | None
    ratio: float | None
    target: str | None
    command: str

    @property
    def steadiest(self) -> float:
        """What to compare with another run."""
        return self.value if self.ratio is None else self.ratio

    @property
    def reached(self) -> bool | None:
        """Whether the target is; None where there is none."""
        if self.target is None:
            return None
        field, sign, bound = self.target.split()
        figure = self.value if field == "value" else self.ratio
        if figure is None or sign not in {">=", "<="}:
            raise ValueError(f"{self.name}: the target cannot be judged")
        return figure >= float(bound) if sign == ">=" else figure <= float(bound)


def spread(samples: Sequence[float]) -> float:
    """The interquartile range over the median; 0 of a single sample, or where nothing happened."""
    if len(samples) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return (high - low) / middle if middle else 0.0


def result(
    name: str,
    unit: str,
    samples: Sequence[float],
    command: str,
    baseline: Sequence[float] | None = None,
    target: str | None = None,
) -> Result:
    """The figure of samples in `unit`; those of the baseline were taken in turn with them."""
    value = statistics.median(samples)
    if baseline is None:
        return Result(name, unit, value, spread(samples), None, None, target, command)
    ratios = [ours / theirs for ours, theirs in zip(samples, baseline, strict=True)]
    base, ratio = statistics.median(baseline), statistics.median(ratios)
    return Result(name, unit, value, spread(ratios), base, ratio, target, command)


def put(path: Path, text: str) -> None:
    """Whole or not at all: whoever reads it meanwhile, or after a run was killed, finds what was
    there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)


def write(path: Path, results: Sequence[Result]) -> None:
    put(path, json.dumps([asdict(one) for one in results], indent=2) + "\n")


def read(path: Path) -> list[Result]:
    """Raises ValueError where it is no list of figures."""
    try:
        return [Result(**one) for one in json.loads(path.read_text())]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise ValueError(f"{path} is no list of figures as latest.json is") from None


def moved(old: Sequence[Result], new: Sequence[Result]) -> dict[str, float]:
    """By how much each figure of both runs moved (0.1: up by a tenth; infinity: from nothing),
    where that is more than the spread of either run. Figures with a baseline are compared by
    ratio."""
    before = {one.name: one for one in old}
    changes: dict[str, float] = {}
    for after in new:
        was = before.get(after.name)
        if was is None or (was.ratio is None) != (after.ratio is None):
            continue
        change = _change(was.steadiest, after.steadiest)
        if abs(change) > max(was.spread, after.spread, LEAST_NOISE):
            changes[after.name] = change
    return changes


def alone(those: Sequence[Result], others: Sequence[Result]) -> list[str]:
    """The figures that only the first have."""
    there = {one.name for one in others}
    return [one.name for one in those if one.name not in there]


def _change(before: float, after: float) -> float:
    if before:
        return after / before - 1
    return inf if after else 0.0
