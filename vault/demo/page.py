"""The story as one self-contained page: no script, no font, no address outside itself."""

from collections.abc import Iterable
from html import escape
from typing import Final

from vault.demo.claims import Row
from vault.demo.screen import findings, record_lines
from vault.demo.story import Story

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #586173; --paper: #faf9f6;
  --card: #fff; --line: #e4e1d9; --token: #7d5200; --token-bg: #fdf1d8; --value: #0a6340;
  --value-bg: #dff4e9; --bad: #a3262d; --bar: #d08a12; --track: #eeebe3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e7e2; --soft: #a3a9b6; --paper: #13161c;
  --card: #1b1f27; --line: #313744; --token: #f2c469; --token-bg: #382c14; --value: #7bdcae;
  --value-bg: #133427; --bad: #ff9494; --bar: #e0a63c; --track: #2a2f3a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 3.5rem 1.5rem 4rem; }
h1 { font-size: 2.2rem; line-height: 1.15; margin: 0 0 .6rem; letter-spacing: -.015em; }
h2 { font-size: 1.25rem; margin: 3rem 0 .2rem; }
p { margin: .2rem 0 1rem; color: var(--soft); max-width: 44rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem;
  margin: 2rem 0 0; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: .7rem;
  padding: 1rem 1.2rem; }
.figure b { display: block; font-size: 2rem; line-height: 1.25; font-weight: 650; }
.figure span { color: var(--soft); font-size: .92rem; line-height: 1.4; display: block; }
.good b { color: var(--value); } .bad b { color: var(--bad); }
.card { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: .7rem; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; }
th, td { text-align: left; padding: .42rem .9rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
tr:last-child td, tr:last-child th { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.remark { color: var(--soft); white-space: nowrap; }
tr.fold td { overflow-wrap: anywhere; } td.name { white-space: nowrap; }
code { font: .92em ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace;
  padding: .1rem .4rem; border-radius: .3rem; white-space: nowrap; }
.token code { color: var(--token); background: var(--token-bg); }
.value code { color: var(--value); background: var(--value-bg); }
.bars { padding: 1rem 1.2rem; display: grid; gap: .9rem; }
.bar { display: grid; grid-template-columns: 1fr auto; gap: .1rem 1rem; }
.bar span:nth-child(2) { font-variant-numeric: tabular-nums; font-weight: 600; }
.track { grid-column: 1 / -1; height: .7rem; background: var(--track); border-radius: .35rem;
  overflow: hidden; }
.track i { display: block; height: 100%; background: var(--bar); border-radius: .35rem; }
.track i.values { background: var(--bad); }
.bar small { grid-column: 1 / -1; color: var(--soft); }
footer { margin-top: 3rem; color: var(--soft); font-size: .9rem; }
@media (max-width: 40rem) { main { padding: 2rem 1rem; } h1 { font-size: 1.7rem; }
  th, td { padding: .4rem .6rem; } th:first-child { white-space: normal; } }
@media print { @page { margin: 14mm; } :root { font-size: 11px; }
  body { background: #fff; font-size: 1rem; }
  h2 { margin-top: 1.8rem; }
  main { max-width: none; padding: 0; } h1 { font-size: 1.8rem; } h2 { break-after: avoid; }
  h2 + p { break-after: avoid; } .figures { grid-template-columns: repeat(4, 1fr); }
  .figure, .card { break-inside: avoid; } .card { overflow: visible; }
  .track i, code { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
@media print and (prefers-color-scheme: dark) { :root { color-scheme: light; --ink: #1d2330;
  --soft: #586173; --paper: #fff; --card: #fff; --line: #e4e1d9; --token: #7d5200;
  --token-bg: #fdf1d8; --value: #0a6340; --value-bg: #dff4e9; --bad: #a3262d; --bar: #d08a12;
  --track: #eeebe3; } }
"""

VIEWS: Final = (
    (
        "stored",
        "token",
        "What the database holds",
        "And so every screen, export and stolen copy: shapes as before, in never-issued room.",
    ),
    (
        "reimbursement",
        "value",
        "What the reimbursement back end sees",
        "One named machine caller, for one stated purpose, within a limit, on the record.",
    ),
    (
        "phished",
        "token",
        "What the phished account's screen shows",
        "Sex and year of birth from the NIR, for a limited number of people; tokens for the rest.",
    ),
)


def page(story: Story) -> str:
    """The whole page as HTML text."""
    views = "".join(_view(story, *view) for view in VIEWS)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Jeton: the breach, replayed</title><style>{STYLE}</style></head><body><main>
<h1>The breach, replayed against tokens</h1>
<p>{story.people:,} synthetic people and {story.claims:,} claims of a third-party payer went through
the running service. Then an account was phished, and the credentials of machines were stolen.</p>
<div class="figures">{_figures(story)}</div>
<h2>How many of {story.people:,} people each thief got</h2>
<p>An account that sees values would have had them all.</p>
<div class="card bars">{_bars(story)}</div>
{views}
<h2>What the thieves tried, and what they got</h2>
<p>Credentials stolen from machines are stopped by the limits of the reviewed configuration.</p>
<div class="card"><table><tr><th>who</th><th>tries</th><th>gets</th></tr>{_cells(findings(story))}
</table></div>
<h2>What the record says</h2>
<p>Every disclosure is on it before the answer leaves; people stand there as keyed pseudonyms.</p>
<div class="card"><table>{_cells(record_lines(story), "fold")}</table></div>
<footer>Made by <b>jeton demo --html</b>. Every person here is invented; every number was counted
from the service's answers, the database's bytes or the record.</footer>
</main></body></html>
"""


def _figures(story: Story) -> str:
    got = story.phished.identifiers_in_copy + story.phished.values
    machine = story.stolen[0]
    figures = (
        ("", f"{story.phished.rows:,}", "people in the database that was stolen"),
        ("bad" if got else "good", f"{got:,}", "real identifiers the phished account got"),
        ("", f"{machine.people:,}", "people a stolen machine credential reveals, then it stops"),
        (
            *(("good", "intact") if story.record.verified else ("bad", "DAMAGED")),
            "the tamper-evident record of all of it",
        ),
    )
    return "".join(
        f'<div class="figure {style}"><b>{figure}</b><span>{words}</span></div>'
        for style, figure, words in figures
    )


def _bars(story: Story) -> str:
    phished = story.phished
    bars = [
        ("the phished account: NIRs or birth dates", phished.values, "values", ""),
        (
            "the phished account: sex and year of birth, masked",
            phished.masked_people,
            "",
            _why(phished.stopped_by, phished.limit),
        ),
    ]
    for one in story.stolen:
        masks = one.operation == "mask"
        what = "sex and year of birth, masked" if masks else "NIRs"
        why = _why(one.stopped_by, one.limit) if one.stopped_by else "it has no grant to reveal"
        style = "" if masks else "values"
        bars.append((f"the stolen credential of {one.client}: {what}", one.people, style, why))
    return "".join(_bar(story, *bar) for bar in bars)


def _why(stopped_by: str, limit: int) -> str:
    return f"stopped by {stopped_by} = {limit:,}"


def _bar(story: Story, name: str, people: int, style: str, why: str) -> str:
    share = 100 * people / story.people
    return (
        f'<div class="bar"><span>{escape(name)}</span><span>{people:,}</span>'
        f'<div class="track"><i class="{style}" style="width:{share:.1f}%"></i></div>'
        f"<small>{escape(why or 'it has no credential, and its screen no grant')}</small></div>"
    )


def _view(story: Story, viewer: str, style: str, title: str, remark: str) -> str:
    body = "".join(_row(getattr(line, viewer), line.remark, style) for line in story.lines)
    return (
        f"<h2>{escape(title)}</h2><p>{escape(remark)}</p>"
        '<div class="card"><table><tr><th>first name</th><th>NIR</th><th>birth date</th>'
        f'<th>insurer</th><th class="number">due</th><th></th></tr>{body}</table></div>'
    )


def _row(row: Row, remark: str, style: str) -> str:
    return (
        f'<tr class="{style}"><td>{escape(row.first_name)}</td>'
        f"<td><code>{escape(row.nir)}</code></td>"
        f"<td><code>{escape(row.birth_date)}</code></td>"
        f'<td class="name">{escape(row.insurer)}</td>'
        f'<td class="number">{row.due}</td><td class="remark">{escape(remark)}</td></tr>'
    )


def _cells(rows: Iterable[tuple[str, ...]], style: str = "") -> str:
    """Rows whose first cell is their head; of style ``fold`` where a word may be long."""
    return "".join(
        f'<tr class="{style}"><th>{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
