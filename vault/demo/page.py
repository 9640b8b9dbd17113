"""The story as one self-contained page: no script, no font, no address outside itself."""

from html import escape

from vault.demo.claims import Row
from vault.demo.screen import findings, record_lines
from vault.demo.story import Story

STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5b6475; --paper: #fbfaf7;
  --card: #ffffff; --line: #e3e0d8; --token: #8a5a00; --token-bg: #fff4dc; --value: #0b6b45; --value-bg: #e2f6ec;
  --bad: #a4262c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --soft: #a2a8b4; --paper: #14171d;
  --card: #1c2028; --line: #323845; --token: #f2c063; --token-bg: #3a2e14; --value: #74d9a9;
  --value-bg: #143528; --bad: #ff8f8f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 3rem 1.5rem 4rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .3rem; }
p { margin: .3rem 0 1rem; color: var(--soft); max-width: 46rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem;
  margin: 2rem 0; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: .7rem;
  padding: 1rem 1.2rem; }
.figure b { display: block; font-size: 1.9rem; line-height: 1.2; }
.figure span { color: var(--soft); font-size: .92rem; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: .7rem; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; }
th, td { text-align: left; padding: .45rem .9rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { font: .92em ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace;
  padding: .1rem .4rem; border-radius: .3rem; white-space: nowrap; }
.token code { color: var(--token); background: var(--token-bg); }
.value code { color: var(--value); background: var(--value-bg); }
ul { padding: .9rem 1.2rem .9rem 2.2rem; margin: 0; background: var(--card);
  border: 1px solid var(--line); border-radius: .7rem; overflow-wrap: anywhere; }
footer { margin-top: 3rem; color: var(--soft); font-size: .9rem; }
@media print { body { background: #fff; } .figure, .scroll, ul { break-inside: avoid; } }
"""

VIEWS = (
    (
        "stored",
        "token",
        "What the database holds",
        "And so every screen, export, log and stolen copy.",
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
        "Sex and year of birth of the NIR, for a limited number of people; tokens for the rest.",
    ),
)


def page(story: Story) -> str:
    """The whole page as HTML text."""
    breach = story.breach
    figures = (
        (f"{breach.database_rows:,}", "people in the database that was stolen"),
        (
            f"{breach.values_in_database + breach.phished_values}",
            "real identifiers the phished account got",
        ),
        (
            f"{breach.machine_people:,}",
            "people a stolen machine credential reveals before it is stopped",
        ),
        ("intact" if story.record.verified else "BROKEN", "the record of all of it, verified"),
    )
    cards = "".join(f'<div class="figure"><b>{b}</b><span>{s}</span></div>' for b, s in figures)
    views = "".join(_view(story, *view) for view in VIEWS)
    tried = "".join(
        f"<tr><td>{escape(who)}</td><td>{escape(what)}</td><td>{escape(got)}</td></tr>"
        for who, what, got in findings(story)
    )
    said = "".join(f"<li>{escape(line)}</li>" for line in record_lines(story))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Jeton: the breach, replayed</title><style>{STYLE}</style></head><body><main>
<h1>The breach, replayed against tokens</h1>
<p>{story.people:,} synthetic people and {story.claims:,} claims of a third-party payer went through
the running service. Then an account was phished, and a machine credential stolen.</p>
<div class="figures">{cards}</div>
{views}
<h2>What the thieves tried, and what they got</h2>
<div class="scroll"><table><tr><th>who</th><th>tries</th><th>gets</th></tr>{tried}</table></div>
<h2>What the record says</h2><ul>{said}</ul>
<footer>Made by <code>jeton demo --html</code>. Every person here is invented; every number was
counted from the service's answers, the database's bytes or the record.</footer>
</main></body></html>
"""


def _view(story: Story, viewer: str, style: str, title: str, remark: str) -> str:
    body = "".join(_row(getattr(line, viewer), line.remark, style) for line in story.lines)
    return (
        f"<h2>{escape(title)}</h2><p>{escape(remark)}</p>"
        '<div class="scroll"><table><tr><th>first name</th><th>NIR</th><th>birth date</th>'
        f"<th>insurer</th><th>due</th><th></th></tr>{body}</table></div>"
    )


def _row(row: Row, remark: str, style: str) -> str:
    return (
        f'<tr class="{style}"><td>{escape(row.first_name)}</td>'
        f"<td><code>{escape(row.nir)}</code></td>"
        f"<td><code>{escape(row.birth_date)}</code></td><td>{escape(row.insurer)}</td>"
        f'<td class="number">{row.cents / 100:,.2f} €</td><td>{escape(remark)}</td></tr>'
    )
