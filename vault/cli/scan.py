"""`jeton scan`: where real identifiers still lie."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vault.cli.group import examples
from vault.cli.screen import note, print_json, table
from vault.scan.finder import Kind
from vault.scan.sarif import sarif
from vault.scan.scanning import Report
from vault.scan.scanning import scan as scanned
from vault.scan.sources import files

_SHOWN = 20
"""Places that the table has of each source; JSON has more."""


@click.command(
    epilog=examples(
        "jeton scan exports/ backup.tar.gz people.db",
        "jeton scan --format sarif . > leaks.sarif",
        "jeton scan --exclude '*.log' /srv/data",
    ),
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "sarif"]),
    default="table",
    show_default=True,
    help="How the places are written to standard output.",
)
@click.option(
    "--exclude", "excluded", multiple=True, metavar="GLOB", help="Paths or names to leave out."
)
@click.option(
    "--jobs",
    type=click.IntRange(0, 1_024),
    default=0,
    metavar="N",
    help="Processes; 0: a core each.",
)
def scan(
    paths: tuple[Path, ...],
    form: Literal["table", "json", "sarif"],
    excluded: tuple[str, ...],
    jobs: int,
) -> int:
    """Say where real identifiers lie, in counts and places; never which.

    Looks into files, folders, archives (zip and what is made of it, tar, gz, bz2, xz) and SQLite
    databases for social security numbers with their right key, in any printed form. Numbers of
    the band that tokens live in are counted apart: they are harmless. A format whose tokens look
    like values cannot be told apart. Exit codes: 0 none, 1 some, 2 something was not looked at
    and nothing was found elsewhere.
    """
    report = _watched(list(files(list(paths), list(excluded))), jobs)
    report.sources.sort(key=lambda one: one.name)
    for text in report.skipped:
        note(f"not looked at: {text}")
    if form == "sarif":
        click.echo(json.dumps(sarif(report), indent=2))
    elif form == "json":
        print_json(_described(report))
    else:
        _show(report)
    if report.count(Kind.REAL, Kind.POSSIBLE):
        return 1
    return 2 if report.skipped else 0


def _watched(wanted: list[Path], jobs: int) -> Report:
    """The whole report, with a bar on standard error meanwhile."""
    report = Report()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scanning", total=sum(map(_size, wanted)) or 1)
        for one in _scanned(wanted, jobs):
            report.add(one)
            found = report.count(Kind.REAL, Kind.POSSIBLE)
            progress.update(task, advance=one.bytes, description=f"{found:,} found")
    return report


def _scanned(wanted: list[Path], jobs: int) -> Iterable[Report]:
    """Processes cost more than a few small files do."""
    small = len(wanted) < 8 and sum(map(_size, wanted)) < 32 << 20
    return scanned(wanted, 1 if small and not jobs else jobs)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _described(report: Report) -> dict[str, object]:
    return {
        "files": report.files,
        "bytes": report.bytes,
        **{kind.value: report.count(kind) for kind in Kind},
        "sources": [asdict(one) for one in report.sources],
        "skipped": report.skipped,
    }


def _show(report: Report) -> None:
    rows = [
        (
            one.name,
            *(f"{one.counts.get(kind.value, 0):,}" for kind in Kind),
            ", ".join(f"{place.line}:{place.column}" for place in one.places[:_SHOWN]),
        )
        for one in report.sources
    ]
    if rows:
        table(("where", *(kind.value for kind in Kind), "line:column"), rows)
    found = report.count(Kind.REAL, Kind.POSSIBLE)
    note(
        f"{report.files:,} files: {found:,} real identifiers, {report.count(Kind.TOKEN):,} tokens,"
        f" {len(report.skipped):,} not looked at"
    )
