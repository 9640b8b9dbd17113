"""The results as one HTML page that needs nothing else: light, dark and on paper."""

from collections.abc import Mapping, Sequence, Set
from html import escape

from benchmarks.curves import Curve, inline
from benchmarks.missed import reason
from benchmarks.results import Result

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d5d9de;
  --bar: #2f6fb3; --dim: #5b6470; --good: #1a7f37; --bad: #b42318 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --paper: #14181d; --line: #363d46;
  --bar: #6aa7e8; --dim: #9aa4b0; --good: #4ac26b; --bad: #ff7b6e } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
.how, figcaption { color: var(--dim) } .targets { list-style: none; padding: 0 }
.targets p { margin: 0 0 .3rem 1.2rem; font-size: .9em } a { color: var(--bar) }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1.5rem;
  margin: 2rem 0 }
figure { margin: 0; break-inside: avoid } figure svg { width: 100%; height: auto }
figcaption { font-size: .9em } h2 { margin-top: 2rem }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line) }
table { table-layout: fixed } th { width: 11% } th:first-child { width: 34% }
th:nth-child(2) { width: 12% } th:nth-child(5), th:nth-child(6) { width: 8% }
th:last-child { width: 16% }
.n { text-align: right } .yes { color: var(--good) } .no { color: var(--bad); font-weight: 600 }
code { font-size: .85em; color: var(--dim) } dt { color: var(--dim) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem } dd { margin: 0 }
@media print { :root { --ink: #000; --paper: #fff; --line: #aaa; --dim: #444 }
  body { margin: 0; max-width: none; font-size: 10px } tr { break-inside: avoid }
  th, td { padding: .15rem .4rem } h2 { break-after: avoid }
  .plots { grid-template-columns: 1fr 1fr; gap: .8rem } }
"""
CAPTION = (
    "Medians. The baseline was measured in turn with the value, in the same run; the ratio is the"
    " median of the pairs' ratios, and the spread the interquartile range over the median, of the"
    " ratios where there is a baseline. A figure without a spread was measured once. Absolute"
    " figures belong to this machine; ratios travel."
)
UNTOLD = (
    "Reached where the documentation's figures were measured: here the machine, or what else it"
    " does, is in the way. python -m benchmarks run hot_path shows where the time goes."
)
HEAD = "".join(
    f"<th{' class=n' if right else ''}>{word}</th>"
    for word, right in [
        ("what", False),
        ("unit", False),
        ("value", True),
        ("baseline", True),
        ("ratio", True),
        ("spread", True),
        ("target", False),
    ]
)


def page(
    results: Sequence[Result],
    plots: Sequence[Curve],
    failed: Mapping[str, str],
    machine: Mapping[str, object],
    notes: Mapping[str, str] | None = None,
) -> str:
    """A page of its own: summary, plots, every figure, the machine. `notes` are of commands, above
    the tables of their figures."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{_fact(of)}</dd>" for name, of in machine.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Jeton: benchmarks</title><style>{STYLE}</style></head><body>"
        f"<h1>Benchmarks</h1>{_kind(machine)}"
        f"{_summary(results, {one.name for one in plots})}{_failures(failed)}"
        f"{_plots(plots)}{_tables(results, notes or {})}"
        f"<h2>Machine</h2><dl>{facts}</dl></body></html>\n"
    )


def _kind(machine: Mapping[str, object]) -> str:
    told = [str(machine[name]) for name in ("run", "processor", "system") if name in machine]
    return f'<p class="how">{escape(", ".join(told))}</p>'


def _summary(results: Sequence[Result], plots: Set[str]) -> str:
    judged = [one for one in results if one.reached is not None]
    reached = sum(one.reached is True for one in judged)
    items = "".join(_judged(one, plots) for one in judged)
    return f"<p>{reached} of {len(judged)} targets reached.</p><ul class=targets>{items}</ul>"


def _judged(one: Result, plots: Set[str]) -> str:
    mark, word = ("yes", "reached") if one.reached else ("no", "missed")
    name, wanted = escape(one.name), escape(one.target or "")
    why = "" if one.reached else _why(one.name, plots)
    return (
        f'<li><span class="{mark}">{word}</span> {name}: {_figure(one)}, wanted {wanted}{why}</li>'
    )


def _why(name: str, plots: Set[str]) -> str:
    """What is in the way and what was tried, and where the profile is drawn."""
    told = reason(name)
    if told is None:
        return f"<p class=how>{UNTOLD}</p>"
    drawn = f' <a href="#{told.profile}">Profile</a>' if told.profile in plots else ""
    return f"<p class=how>{escape(told.text)}.{drawn}</p>"


def _figure(one: Result) -> str:
    if one.ratio is None or (one.target or "").startswith("value"):
        return f"{number(one.value)} {escape(one.unit)}"
    return share(one.ratio)


def _failures(failed: Mapping[str, str]) -> str:
    if not failed:
        return ""
    items = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in failed.items())
    return f'<h2>Not measured</h2><ul class="no">{items}</ul>'


def _plots(plots: Sequence[Curve]) -> str:
    figures = "".join(
        f'<figure id="{escape(one.name)}">{inline(one)}'
        f"<figcaption>{escape(one.caption)}</figcaption></figure>"
        for one in plots
    )
    return f"<div class=plots>{figures}</div>" if figures else ""


def _tables(results: Sequence[Result], notes: Mapping[str, str]) -> str:
    """One for each command, in the order of the run."""
    commands = dict.fromkeys(one.command for one in results)
    parts = [f'<p class="how">{CAPTION}</p>']
    for command in commands:
        rows = "".join(_row(one) for one in results if one.command == command)
        note = f'<p class="how">{escape(notes[command])}</p>' if command in notes else ""
        parts.append(
            f"<h2><code>{escape(command)}</code></h2>{note}"
            f"<table><thead><tr>{HEAD}</tr></thead><tbody>{rows}</tbody></table>"
        )
    return "".join(parts)


def _row(one: Result) -> str:
    ratio = "" if one.ratio is None else share(one.ratio)
    mark = {None: "", True: "yes", False: "no"}[one.reached]
    word = {"": "", "yes": "reached", "no": "missed"}[mark]
    return (
        f"<tr><td>{escape(one.name)}</td><td>{escape(one.unit)}</td>"
        f'<td class="n">{number(one.value)}</td><td class="n">{number(one.baseline)}'
        f'</td><td class="n">{ratio}</td><td class="n">{scatter(one)}</td>'
        f'<td>{escape(one.target or "")} <span class="{mark}">{word}</span></td>'
        "</tr>"
    )


def share(ratio: float) -> str:
    """Two digits after the point, and two that count where it is small."""
    return f"{ratio:.2f}" if ratio >= 0.1 or ratio == 0 else f"{ratio:.2g}"


def scatter(one: Result) -> str:
    """The spread; nothing where there is none, as of what was measured once."""
    return f"{one.spread:.0%}" if one.spread else ""


def number(figure: float | None) -> str:
    if figure is None:
        return ""
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:,.4g}"


def _fact(of: object) -> str:
    if isinstance(of, Mapping):
        return escape(", ".join(f"{name} {version}" for name, version in of.items()))
    return escape(str(of))
