"""Curves of a run, and their plots: PNG and SVG files, and SVG within the report."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

Points = Sequence[tuple[float, float]]
INK = "#010203"
"""What is drawn in the page's own ink: light on dark, dark on light."""
COLOURS = ("#2f6fb3", "#c2571a", "#2e8b57", "#8456a8", "#a8324a", "#7a7a28")
MARKERS = "os^Dv*"


@dataclass(frozen=True)
class Curve:
    """One plot. `name` is its file's; `lines` are points by what they are of; `bars` draws a bar
    for the only point of each line instead."""

    name: str
    title: str
    x: str
    y: str
    lines: Mapping[str, Points]
    caption: str
    log_x: bool = False
    log_y: bool = False
    bars: bool = False


def save(curve: Curve, target: Any, kind: str, ink: str = "#1b1f24", **options: Any) -> None:
    """As ``png`` or ``svg``, to a file or a stream; the same figures give the same bytes."""
    with mpl.rc_context(_style(ink)):
        height = 1.3 + 0.3 * len(curve.lines) if curve.bars else 4.0
        figure = Figure(figsize=(7.2, height), layout="constrained")
        axes = figure.subplots()
        _draw(curve, axes)
        axes.set_axisbelow(True)
        axes.set_title(curve.title, loc="left", fontsize=11)
        axes.set_xlabel(curve.x)
        axes.set_ylabel(curve.y)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, axis="x" if curve.bars else "both", alpha=0.25, linewidth=0.6)
        undated = {"Date": None} if kind == "svg" else {}
        figure.savefig(target, format=kind, dpi=160, metadata=undated, **options)


def _draw(curve: Curve, axes: Any) -> None:
    if curve.bars:
        names = list(curve.lines)[::-1]
        values = [curve.lines[name][0][1] for name in names]
        axes.barh(names, values, color=COLOURS[0], height=0.6)
        for place, value in enumerate(values):
            axes.annotate(_short(value, 0), (value, place), (4, 0), textcoords="offset points",
                          va="center", fontsize=9)  # fmt: skip
        axes.margins(x=0.12)
        if curve.log_y:
            axes.set_xscale("log")
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(_short))
        return
    for number, (name, points) in enumerate(curve.lines.items()):
        xs, ys = zip(*points, strict=True)
        style: Any = {"color": COLOURS[number % 6], "marker": MARKERS[number % 6], "markersize": 4}
        axes.plot(xs, ys, label=name, linewidth=1.6, **style)
    if curve.log_x:
        axes.set_xscale("log")
    if curve.log_y:
        axes.set_yscale("log")
    axes.set_ylim(bottom=None if curve.log_y else 0)
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    axes.yaxis.set_major_formatter(FuncFormatter(_short))
    axes.legend(frameon=False, fontsize=9)


def write(folder: Path, curves: Sequence[Curve]) -> None:
    """``NAME.png`` and ``NAME.svg`` of each."""
    for curve in curves:
        for kind in ("png", "svg"):
            save(curve, folder / f"{curve.name}.{kind}", kind)


def inline(curve: Curve) -> str:
    """An SVG element in the ink of the page around it."""
    out = io.StringIO()
    save(curve, out, "svg", INK, transparent=True)
    svg = re.sub(r"^.*?(?=<svg)", "", out.getvalue(), flags=re.DOTALL)
    svg = re.sub(
        r'(<svg [^>]*?)width="[^"]*" height="[^"]*"|height="[^"]*pt" ', r"\1", svg, count=1
    )
    return svg.replace(INK, "currentColor")


def _style(ink: str) -> Any:
    return {
        "font.family": "sans-serif",
        "svg.fonttype": "none",
        "svg.hashsalt": "jeton",
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "grid.color": ink,
        "axes.titleweight": "bold",
    }


def _short(value: float, _: object) -> str:
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
