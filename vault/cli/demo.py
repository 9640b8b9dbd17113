"""`jeton demo`: the breach, replayed on synthetic people."""

import dataclasses
import json
from pathlib import Path

import click
from rich.console import Console

from vault.demo.page import page
from vault.demo.screen import show
from vault.demo.story import play


@click.command(epilog="Example: jeton demo --html breach.html")
@click.option(
    "--people",
    type=click.IntRange(100, 100_000),
    default=2_500,
    show_default=True,
    help="How many synthetic people to make.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page too.")
def demo(people: int, as_json: bool, html: Path | None) -> None:
    """Fill a claims database through a running service, then rob it.

    Makes synthetic people, tokenises them through the real service, shows ten rows as three
    viewers see them, and replays the breach. Ends by itself and leaves nothing behind.
    """
    notes = Console(stderr=True, quiet=as_json)
    with notes.status("starting") as status:
        story = play(people, lambda step: status.update(f"{step} ..."))
    if html is not None:
        html.write_text(page(story), encoding="utf-8")
        notes.print(f"wrote {html}")
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(story), indent=2, ensure_ascii=False))
    else:
        show(story, Console())
