"""`jeton check-config`: is this configuration sound, and what does it let whom do?"""

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from vault.access.radius import Radius, above, radii
from vault.cli import blast_radius, clients
from vault.cli.doubts import doubts
from vault.cli.group import examples
from vault.cli.options import config_option, json_option
from vault.cli.screen import note, print_json, table
from vault.config import Client, Settings, Transformation, format_of, load
from vault.errors import SetUpError
from vault.proxy.routes import routes_of


@click.command(
    epilog=examples(
        "jeton check-config",
        "jeton check-config --max-people-per-day 2000",
        "jeton check-config --json | jq '.clients[].people_per_day'",
    )
)
@config_option
@click.option(
    "--max-people-per-day",
    "most",
    type=click.IntRange(min=0),
    metavar="N",
    help="Exit code 2 where a stolen credential could reveal more people than this in a day.",
)
@json_option
def check_config(config: Path, most: int | None, as_json: bool) -> None:
    """Judge a configuration: who may do what, and what a thief would get.

    Reads the file and the environment as `serve` does, without keys, store or record: for
    pipelines, before a change goes out. Exit code 2 where it could not be served, or where the
    gate is not met.
    """
    settings = load(config, os.environ)
    for listener in settings.proxy.listeners:
        routes_of(settings, listener, lambda *_: False)  # their selectors can be followed
    found = radii(settings)
    today = datetime.now(UTC).date()
    warnings = list(doubts(settings, found, today))
    if as_json:
        print_json(_described(settings, found, warnings, today))
    else:
        _show(settings, found)
        for warning in warnings:
            note(f"warning: {warning}")
        note(f"{config} can be served.")
    if most is not None and (clients_above := above(found, most)):
        named = ", ".join(f"{name} ({people:,})" for name, people in clients_above.items())
        raise SetUpError(
            f"above {most:,} people a day: {named}; lower their people.day, or take grants away"
        )


def _show(settings: Settings, found: Mapping[str, Radius]) -> None:
    table(
        ("transformation", "format", "context", "person", "tokens told apart", "key version"),
        (_row(name, one) for name, one in settings.transformations.items()),
    )
    click.echo()
    clients.show(settings.clients)
    if settings.clients:
        click.echo()
        blast_radius.show(found)


def _row(name: str, one: Transformation) -> tuple[str, ...]:
    form = format_of(one)
    return (
        name,
        one.format,
        one.context or form.context,
        one.person,
        "yes" if form.recognisable else "no",
        _key_version(one, form.slots),
    )


def _key_version(one: Transformation, slots: int) -> str:
    if one.method == "vaulted":
        return "beside the value"
    return "in the token" if slots > 1 else f"pinned to {one.key_version}"


def _described(
    settings: Settings, found: Mapping[str, Radius], warnings: list[str], today: date
) -> dict[str, Any]:
    return {
        "transformations": {
            name: _transformation(one) for name, one in settings.transformations.items()
        },
        "clients": {
            name: _client(client, found[name], today) for name, client in settings.clients.items()
        },
        "warnings": warnings,
    }


def _transformation(one: Transformation) -> dict[str, object]:
    form = format_of(one)
    return {
        "format": one.format,
        "method": one.method,
        "context": one.context or form.context,
        "person": one.person,
        "token_recognisable": form.recognisable,
        "slots": form.slots,
    }


def _client(client: Client, radius: Radius, today: date) -> dict[str, Any]:
    said = clients.described(client) | blast_radius.described(radius)
    said["credentials"] = [
        shown | blast_radius.of_credential(one, radius, today)
        for shown, one in zip(said["credentials"], client.credentials, strict=True)
    ]
    for kind in ("tokens", "certificates"):  # none of them ends by this file
        said[kind] = [one | blast_radius.of_proof(radius) for one in said[kind]]
    return said
