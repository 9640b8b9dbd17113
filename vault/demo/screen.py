"""The story in words and tables, and told on a terminal of 80 columns or more."""

from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vault.demo.claims import Row
from vault.demo.story import Stolen, Story

WIDEST: Final = 100
"""Lines longer than this are hard to read, however wide the terminal."""

STYLE: Final[dict[str, Any]] = {
    "title_justify": "left",
    "title_style": "bold",
    "box": SIMPLE_HEAD,
    "pad_edge": False,
    "padding": (0, 1, 0, 0),
}

VIEWS: Final = (
    ("stored", "yellow", "1. What the database holds, and so every screen, export and copy of it"),
    ("reimbursement", "green", "2. What the reimbursement back end sees, for that purpose"),
    ("phished", "yellow", "3. What the phished account's screen shows"),
)


def show(story: Story, console: Console) -> None:
    """Print the three views, the breach and the record."""
    console.print(
        f"\n[bold]{story.people:,} synthetic people[/] with {story.claims:,} claims went through "
        "the running service.\nTen rows of the database, as three viewers see them:\n"
    )
    for viewer, colour, title in VIEWS:
        console.print(_rows(story, viewer, colour, title))
    console.print(_breach(story, min(console.width, WIDEST)))
    console.print(_record(story), width=min(console.width, WIDEST))


def _rows(story: Story, viewer: str, colour: str, title: str) -> Table:
    table = Table(title=title, **STYLE)
    for name in ("first name", "NIR", "birth date", "insurer"):
        table.add_column(name, style=colour if name in {"NIR", "birth date"} else "", no_wrap=True)
    table.add_column("due", justify="right", no_wrap=True)
    table.add_column("", style="dim", no_wrap=True)
    for line in story.lines:
        row: Row = getattr(line, viewer)
        table.add_row(row.first_name, row.nir, row.birth_date, row.insurer, row.due, line.remark)
    return table


def findings(story: Story) -> list[tuple[str, str, str]]:
    """The breach in lines of (who, what was tried, what came of it)."""
    phished = story.phished
    end = stop(phished.refusal, phished.stopped_by, phished.limit)
    refused = ", ".join(
        f"{count:,} times {code}" for code, count in sorted(phished.refused.items())
    )
    return [
        (
            "phished account",
            f"copies the database: {phished.rows:,} people",
            f"tokens; {phished.identifiers_in_copy:,} real NIRs or birth dates in all its bytes",
        ),
        (
            "phished account",
            f"asks for every value, {phished.asked:,} times in batches",
            f"{phished.values:,} values; refused {refused}",
        ),
        (
            "phished account",
            "looks at everybody on its screen",
            f"sex and year of birth of {phished.masked_people:,} people, then {end}",
        ),
        *((f"stolen: {one.client}", _tries(one), _gets(one)) for one in story.stolen),
    ]


def _tries(stolen: Stolen) -> str:
    if stolen.end_users:
        return f"masks everybody, inventing {stolen.end_users:,} end users"
    return "reveals everybody, as fast as it can"


def _gets(stolen: Stolen) -> str:
    end = stop(stolen.refusal, stolen.stopped_by, stolen.limit)
    if not stolen.people:
        return f"nobody: {end}"
    what = "sex and year of birth" if stolen.operation == "mask" else "NIRs"
    return f"{what} of {stolen.people:,} people, then {end}"


def stop(refusal: str, stopped_by: str, limit: int) -> str:
    """What ended it, in words: the refusal, and the limit where it was one."""
    if not refusal:
        return "the database was at its end"
    return f"{refusal} ({stopped_by} = {limit:,})" if stopped_by else refusal


def _breach(story: Story, width: int) -> Table:
    table = Table(title="The breach, replayed", width=width, **STYLE)
    table.add_column("who", no_wrap=True)
    table.add_column("tries", ratio=4)
    table.add_column("gets", ratio=6)
    for finding in findings(story):
        table.add_row(*map(Text, finding), end_section=True)
    return table


def record_lines(story: Story) -> list[tuple[str, str]]:
    """What the record says, in pairs of (what, how it is)."""
    record = story.record
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(record.entries.items()))
    lines = [
        ("chain", "verified: no entry was changed" if record.verified else "DAMAGED"),
        ("entries", kinds),
    ]
    for client, people in record.people_by_client.items():
        lines.append((f"shown to {client}", f"{people:,} distinct people"))
    for refusal, count in record.refusals.items():
        client, _, code = refusal.partition(": ")
        lines.append((f"refused to {client}", f"{count:,} times {code}"))
    lines.append(("a reveal's receipt", record.receipt))
    return lines


def _record(story: Story) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for what, how in record_lines(story):
        table.add_row(what, Text(how))
    return Panel(Group(table), title="What the record says", title_align="left")
