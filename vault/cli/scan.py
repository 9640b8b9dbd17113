"""`jeton scan`: where real identifiers still lie."""

import json
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vault.cli.group import examples
from vault.cli.screen import note, table
from vault.config import load
from vault.scan import scanning
from vault.scan.finder import SAFE, Kind
from vault.scan.sarif import sarif
from vault.scan.scanning import Report, Scanned
from vault.scan.sources import files

_SHOWN = 20
"""Places that the table has of each source; JSON has more."""
_HEAD = ("where", *map(scanning.name, Kind), "line:column")
Form = Literal["table", "json", "sarif"]


@click.command(
    epilog=examples(
        "jeton scan exports/ backup.tar.gz people.db",
        "jeton scan --format sarif --output leaks.sarif .",
        "jeton scan --exclude '*.log' --fail-on 10 /srv/data",
    ),
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    envvar="JETON_CONFIG",
    show_envvar=True,
    help="Where the bands of tokens stand; `safe` where it is not given.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "sarif"]),
    default="table",
    show_default=True,
    help="How the places are written.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to, instead of standard output.",
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
@click.option(
    "--fail-on",
    "most",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Exit code 1 from this many on.",
)
def scan(
    paths: tuple[Path, ...],
    config: Path | None,
    form: Form,
    output: Path | None,
    excluded: tuple[str, ...],
    jobs: int,
    most: int,
) -> int:
    """Say where real identifiers lie, in counts and places; never which.

    Looks into files, folders, archives (zip and what is made of it, tar, gz, bz2, xz, zst),
    databases (SQLite, dumps of PostgreSQL and MySQL), Parquet and Arrow for social security
    numbers with their right key, in any printed form. Numbers of the band that tokens live in are
    counted apart: they are harmless. Exit codes: 0 none, 1 some, 2 something was not looked at
    and too few were found elsewhere.
    """
    report = _watched(list(files(paths, excluded)), jobs, _bands(config))
    for text in report.skipped:
        note(f"not looked at: {text}")
    if form == "table" and output is None:
        table(_HEAD, map(_row, report.sources))
    else:
        _write(_rendered(report, form), output)
    found = report.count(Kind.REAL, Kind.POSSIBLE)
    note(
        f"{report.files:,} files: {report.count(Kind.REAL):,} real identifiers,"
        f" {report.count(Kind.POSSIBLE):,} possible, {report.count(Kind.TOKEN):,} tokens,"
        f" {len(report.skipped):,} not looked at"
    )
    if found >= most:
        return 1
    return 2 if report.skipped else 0


def _bands(config: Path | None) -> Collection[str]:
    if config is None:
        return SAFE
    configured = load(config, os.environ).transformations.values()
    bands = {one.band or "safe" for one in configured if one.format == "fr-nir"}
    if "none" in bands:
        note('warning: tokens of a band "none" look like values, and are counted as such')
    return bands or SAFE


def _watched(wanted: list[Path], jobs: int, bands: Collection[str]) -> Report:
    """The whole report, with a bar on standard error meanwhile."""
    report = Report()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    size = sum(map(scanning.size_of, wanted))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("scanning", total=size or 1)
        for one in _scanned(wanted, size, jobs, bands):
            report.add(one)
            found = report.count(Kind.REAL, Kind.POSSIBLE)
            progress.update(task, advance=one.bytes, description=f"{found:,} found")
    report.join()
    return report


def _scanned(wanted: list[Path], size: int, jobs: int, bands: Collection[str]) -> Iterable[Report]:
    """Processes cost more than a few small files do."""
    small = len(wanted) < 8 and size < 64 << 20
    return scanning.scan(wanted, 1 if small and not jobs else jobs, bands)


def _rendered(report: Report, form: Form) -> str:
    if form == "sarif":
        return json.dumps(sarif(report), indent=2)
    if form == "json":
        return json.dumps(_described(report), indent=2, ensure_ascii=False)
    return "\n".join("\t".join(row) for row in (_HEAD, *map(_row, report.sources)))


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", "utf-8")


def _described(report: Report) -> dict[str, object]:
    return {
        "files": report.files,
        "bytes": report.bytes,
        **{scanning.name(kind): report.count(kind) for kind in Kind},
        "sources": [
            {"name": one.name, "counts": one.counts, "places": list(map(asdict, one.places))}
            for one in report.sources
        ],
        "skipped": report.skipped,
    }


def _row(one: Scanned) -> Sequence[str]:
    return (
        one.name,
        *(f"{one.counts.get(kind, 0):,}" for kind in _HEAD[1:-1]),
        ", ".join(f"{place.line}:{place.column}" for place in one.places[:_SHOWN]),
    )
