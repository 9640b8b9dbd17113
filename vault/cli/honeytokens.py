"""`jeton honeytokens`: people who do not exist, planted among those who do."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import click

from vault.app import WEBHOOK_KEY, open_vault
from vault.cli.failure import Wrong
from vault.cli.files import PRIVATE, edit, write_new
from vault.cli.group import Group, examples
from vault.cli.options import config_option, json_option
from vault.cli.screen import note, print_json, table
from vault.config import Settings, load
from vault.crypto.secret import KeyAccess
from vault.lifecycle.decoys import Planted, Planter
from vault.rules import Rules
from vault.telemetry import Names, install


@click.group(
    cls=Group,
    epilog=examples(
        "jeton honeytokens plant --count 20 fr-nir birth-date > rows.tsv",
        "jeton honeytokens webhook-key",
    ),
)
def honeytokens() -> None:
    """Plant people who do not exist: whoever reveals one is locked.

    Their tokens look like any other, and nothing tells how many there are. A detokenise that
    touches one is refused whole, and its client is locked everywhere until `jeton clients
    unlock`.
    """
    install(Names(), "console", "error")


@honeytokens.command(
    epilog=examples("jeton honeytokens plant --count 20 fr-nir birth-date > rows.tsv")
)
@click.argument("transformations", nargs=-1, required=True)
@config_option
@click.option("--count", type=click.IntRange(1, 100_000), default=1, show_default=True)
@json_option
def plant(transformations: Sequence[str], config: Path, count: int, as_json: bool) -> None:
    """Make people, and print their tokens, a line each, to be put into the data.

    Name the transformations whose tokens a record has: the numbers' and, with their tokens as
    context, the dates'. The list of people is written beside the configuration; a running
    service takes it over with a SIGHUP, and every replica needs it.
    """
    settings = load(config, os.environ)
    for name in transformations:
        if name not in settings.transformations:
            raise Wrong(f"there are {', '.join(settings.transformations)}")
    planted = asyncio.run(_plant(settings, transformations, count))
    rows = [[one.tokens[name] for name in transformations] for one in planted]
    if as_json:
        print_json([dict(zip(transformations, row, strict=True)) for row in rows])
    else:
        table(transformations, rows)
    note(f"They raise the alarm once the service has read {settings.honeytokens.file}: SIGHUP.")


async def _plant(settings: Settings, names: Sequence[str], count: int) -> list[Planted]:
    async with open_vault(settings) as vault:
        known = vault.rules.transformations
        planter = Planter([known[name] for name in names], vault.rules.persons, vault.tokens)
        planted = [await planter.plant() for _ in range(count)]
        await vault.ledger.event("honeytokens_planted")  # how many is nobody's business
    lines = "".join(f"{one.person.hex()}\n" for one in planted)
    file = settings.honeytokens.file
    if file.exists():
        edit(file, lambda text: text + lines)
    else:
        write_new(file, lines, PRIVATE)
    return planted


@honeytokens.command(name="webhook-key")
@config_option
def webhook_key(config: Path) -> None:
    """Print the key that alarms are signed with, in hex, for their receiver.

    The header Jeton-Signature reads t=SECONDS,v1=HEX: HMAC-SHA-256 over the seconds, a full
    stop and the body. Refuse what is older than a few minutes; `id` tells repetitions.
    """
    rules = Rules(load(config, os.environ))
    click.echo(rules.keyset.derive_root(WEBHOOK_KEY).reveal(KeyAccess()).hex())
