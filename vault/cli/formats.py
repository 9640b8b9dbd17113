"""`jeton formats`: what values and tokens of each format look like."""

import dataclasses

import click

from vault.cli.group import examples
from vault.cli.options import config_option, json_option
from vault.cli.screen import print_json, table
from vault.formats import rows


@click.command(epilog=examples("jeton formats", "jeton formats --json"))
@config_option
@json_option
def formats(as_json: bool, **_: object) -> None:
    """List the formats: shapes, domains, where tokens live.

    Where tokens cannot be told from values, nothing stops a value from being taken for a token.
    A format with one key slot has its key version pinned. The configuration is not looked at.
    """
    if as_json:
        print_json({"formats": [dataclasses.asdict(row) for row in rows()]})
        return
    table(
        ("format", "values", "shape", "domain", "tokens", "validators", "told apart", "slots"),
        (
            (
                row.format,
                row.values,
                row.shape,
                f"{row.domain:,}",
                row.tokens,
                row.validators,
                "yes" if row.recognisable else "no",
                str(row.slots),
            )
            for row in rows()
        ),
    )
