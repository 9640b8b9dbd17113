"""The story told on a terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from vault.demo.claims import Row
from vault.demo.story import Story


def show(story: Story, console: Console) -> None:
    """Print the three views, the breach and the record."""
    console.print()
    console.print(
        f"[bold]{story.people:,} synthetic people[/], {story.claims:,} claims, tokenised through "
        "the running service.\nThe same ten rows, as three viewers see them:"
    )
    console.print(
        _rows("1. What the database holds (and a stolen copy of it)", story, "stored", "yellow")
    )
    console.print(
        _rows(
            "2. What the reimbursement back end sees, for that purpose",
            story,
            "reimbursement",
            "green",
        )
    )
    console.print(_rows("3. What the phished account's screen shows", story, "phished", "yellow"))
    console.print(_breach(story))
    console.print(_record(story))


def _rows(title: str, story: Story, viewer: str, colour: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for name in ("first name", "NIR", "birth date", "insurer"):
        table.add_column(name, style=colour if name in {"NIR", "birth date"} else "", no_wrap=True)
    table.add_column("due", justify="right")
    table.add_column("remark", style="dim")
    for line in story.lines:
        row: Row = getattr(line, viewer)
        cells = (row.first_name, row.nir, row.birth_date, row.insurer, f"{row.cents / 100:,.2f} €")
        table.add_row(*cells, line.remark)
    return table


def findings(story: Story) -> list[tuple[str, str, str]]:
    """The breach in lines of (who, what was tried, what came of it)."""
    breach = story.breach
    refused = ", ".join(f"{count:,} x {code}" for code, count in sorted(breach.attempts.items()))
    return [
        (
            "phished account",
            f"copies the whole database: {breach.database_rows:,} people",
            f"tokens only; {breach.values_in_database} real NIRs in its bytes",
        ),
        (
            "phished account",
            "asks the service for every value",
            f"{breach.phished_values} values; refused {refused}",
        ),
        (
            "phished account",
            "asks for the masked view of everybody",
            f"sex and year of {breach.masked_people:,} people, then {breach.masked_refusal}",
        ),
        (
            "stolen machine credential",
            "reveals as fast as it can",
            f"{breach.machine_people:,} people, then {breach.machine_refusal}; "
            + f"its limit is {breach.machine_limit:,} people a day",
        ),
    ]


def _breach(story: Story) -> Table:
    title = "The breach, replayed"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for name in ("who", "tries", "gets"):
        table.add_column(name)
    for finding in findings(story):
        table.add_row(*finding)
    return table


def record_lines(story: Story) -> list[str]:
    """What the record says, a sentence a line."""
    record = story.record
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(record.entries.items()))
    lines = [
        "verified, no change found" if record.verified else "VERIFICATION FAILED",
        f"entries: {kinds}",
    ]
    for client, people in sorted(record.people_by_client.items()):
        lines.append(f"{client}: {people:,} distinct people disclosed")
    for refusal, count in sorted(record.refusals.items()):
        lines.append(f"refused {count:,} times - {refusal}")
    lines.append(f"first reveal's receipt: {record.receipt}")
    return lines


def _record(story: Story) -> Panel:
    return Panel("\n".join(record_lines(story)), title="What the record says", title_align="left")
