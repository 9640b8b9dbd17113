"""`jeton proxy`: the edge proxy, and what a route would do to a message."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from vault.cli.group import Group, examples
from vault.cli.options import config_option
from vault.cli.screen import note
from vault.config import load
from vault.edge import run
from vault.errors import Refusal, SetUpError
from vault.proxy.refusing import Stopped
from vault.proxy.trial import Change, Sample, Trial

_GUESSES = {b"{": "application/json", b"[": "application/json", b"<": "application/xml"}


@click.group(
    cls=Group,
    invoke_without_command=True,
    epilog=examples(
        "jeton proxy",
        "jeton proxy --config /srv/jeton/jeton.toml",
        "jeton proxy test people < message.json",
    ),
)
@config_option
@click.pass_context
def proxy(context: click.Context, config: Path) -> None:
    """Rewrite the traffic of existing systems until told to stop.

    Listeners, upstreams and routes stand in the configuration under [proxy]. Ready when
    /readyz answers 200 at proxy.host and proxy.port. SIGTERM answers what is in flight and
    ends; SIGHUP takes changed routes, rules, clients and keys in, whole or not at all.
    """
    context.obj = config
    if context.invoked_subcommand is None:
        run(config, os.environ)


@proxy.command(
    epilog=examples(
        "jeton proxy test people < message.json",
        "jeton proxy test people --response --content-type text/csv < export.csv",
        "jeton proxy test people < request.http",
    )
)
@click.argument("route")
@click.option("--response", is_flag=True, help="The message is an answer of the upstream.")
@click.option("--content-type", metavar="TYPE", help="Of the message; else guessed from it.")
@click.pass_obj
def test(config: Path, route: str, response: bool, content_type: str | None) -> int:
    """Show what ROUTE would do to the message on standard input, field by field.

    A body alone, or a whole message of HTTP that begins with its request line or status line;
    rules for headers, paths and queries show with one.
    Nothing is looked up, charged or recorded: fields are judged by their formats alone, and
    shown masked. Exit code 1 where the message would be blocked.
    """
    text = sys.stdin.buffer.read()
    kind = content_type or _GUESSES.get(text.lstrip()[:1], "text/plain")
    try:
        sample = Sample.of(text, kind)
        if response and sample.method:
            raise SetUpError("the message begins with a request line, and is no answer")
        trial = Trial(load(config, os.environ), route, response=response or sample.is_answer)
        changes = asyncio.run(trial.of(sample))
    except (*Stopped, Refusal) as error:
        note(f"the message does not pass: {error}")
        return 1
    _show(changes)
    return 0 if all(change.ok for change in changes) else 1


def _show(changes: Sequence[Change]) -> None:
    for change in changes:
        colour = "green" if change.ok else "red"
        what = click.style(change.outcome, fg=colour)
        name = f" {change.transformation}" if change.transformation else ""
        field = click.style(change.selector, fg="cyan")
        click.echo(f"{field}\t{change.masked}\t{what}{name}")
    note(f"{len(changes):,} fields; every other byte stays")
