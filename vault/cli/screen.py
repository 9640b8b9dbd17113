"""What is shown to people: tables on a terminal, tab-separated lines where it is piped."""

import json
import sys
from collections.abc import Iterable, Sequence

import click


def table(head: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """Cells may hold line breaks; piped, these become ``; ``."""
    if not sys.stdout.isatty():
        for row in (head, *rows):
            click.echo("\t".join(cell.replace("\n", "; ") for cell in row))
        return
    from rich.console import Console  # noqa: PLC0415 - piped output does without
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table(*head, title=title, title_justify="left", title_style="bold")
    for row in rows:
        shown.add_row(*map(Text, row))
    Console().print(shown)


def note(text: str) -> None:
    """Something to know, on stderr: stdout is for what was asked."""
    click.echo(text, err=True)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
