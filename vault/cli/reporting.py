"""What a verification found, for people and programs."""

import dataclasses

import click

from vault.audit.findings import Report
from vault.cli.screen import note


def described(report: Report) -> dict[str, object]:
    return {
        "clean": report.clean,
        "entries": report.entries,
        "checkpoints": report.checkpoints,
        "writers": {
            writer: {"sequence": tail.sequence, "hash": tail.digest}
            for writer, tail in report.tails.items()
        },
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "more_findings": report.more,
    }


def show(report: Report, *, whole: bool) -> None:
    for finding in report.findings:
        click.echo(str(finding))
    if report.more:
        click.echo(f"and {report.more:,} more")
    for writer, unsealed in report.unsealed.items():
        note(f"{writer}: {unsealed} bytes without seal at its end: being written, or of a crash")
    counted = f"{report.entries:,} entries, {report.checkpoints:,} checkpoints"
    if report.clean:
        what = "The record" if whole else "What is there of the record"
        click.echo(f"{what} is as it was written: {counted}.")
    else:
        click.echo(f"The record was CHANGED: {len(report.findings) + report.more:,} places.")
        note("Save a copy of the folder before anything else; docs/record.md says what each means.")
