"""`jeton check-config`: is this configuration sound, and what does it let whom do?"""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import click

from vault.access.limits import ceilings
from vault.cli.clients import described, show
from vault.cli.group import examples
from vault.cli.options import config_option, json_option
from vault.cli.screen import note, print_json, table
from vault.config import Client, Settings, Transformation, format_of, load
from vault.formats import Format

SOON = timedelta(days=30)


@click.command(epilog=examples("jeton check-config", "jeton check-config --json | jq .warnings"))
@config_option
@json_option
def check_config(config: Path, as_json: bool) -> None:
    """Judge a configuration and say who may do what.

    Reads the file and the environment as `serve` does, without keys, store or record: for
    pipelines, before a change goes out. Exit code 2 where it could not be served.
    """
    settings = load(config, os.environ)
    formats = {name: format_of(one) for name, one in settings.transformations.items()}
    warnings = list(_warnings(settings, formats))
    if as_json:
        print_json(
            {
                "transformations": {
                    name: _described(one, formats[name])
                    for name, one in settings.transformations.items()
                },
                "clients": {name: described(client) for name, client in settings.clients.items()},
                "warnings": warnings,
            }
        )
        return
    table(
        ("transformation", "format", "context", "person", "tokens told apart", "key version"),
        (
            (
                name,
                one.format,
                one.context or formats[name].context,
                one.person,
                "yes" if formats[name].recognisable else "no",
                "in the token" if formats[name].slots > 1 else f"pinned to {one.key_version}",
            )
            for name, one in settings.transformations.items()
        ),
    )
    click.echo()
    show(settings.clients)
    for warning in warnings:
        note(f"warning: {warning}")
    note(f"{config} can be served.")


def _described(transformation: Transformation, form: Format) -> dict[str, object]:
    return {
        "format": transformation.format,
        "method": transformation.method,
        "context": transformation.context or form.context,
        "person": transformation.person,
        "token_recognisable": form.recognisable,
        "slots": form.slots,
    }


def _warnings(settings: Settings, formats: dict[str, Format]) -> Iterator[str]:
    for name, transformation in settings.transformations.items():
        yield from _of_transformation(name, transformation, formats[name])
    for name, client in settings.clients.items():
        yield from _of_client(name, client, datetime.now(UTC).date())
    if not _is_loopback(settings.server.host):
        yield (
            "server.host is not loopback, and the service speaks plain HTTP: values and "
            "credentials would cross the network in the clear; end TLS in front of it"
        )
    if not settings.clients:
        yield "there are no clients: `jeton clients add` writes one"


def _of_transformation(name: str, one: Transformation, form: Format) -> Iterator[str]:
    if form.context == "required" and one.context in ("optional", "none"):
        yield (
            f"transformations.{name}: values of {one.format} are so few that without a context "
            'all of them can be tried; set context = "required", with one that differs from '
            "record to record"
        )
    if one.band == "none":
        yield (
            f"transformations.{name}: its tokens cannot be told from values: nothing stops a "
            "second tokenisation, and a scanner cannot tell harm from harmless"
        )


def _of_client(name: str, client: Client, today: date) -> Iterator[str]:
    lasting = [one for one in client.credentials if one.expires is None or one.expires >= today]
    if not lasting:
        state = "has expired" if client.credentials else "is there"
        negation = "every credential" if client.credentials else "no credential"
        yield f"clients.{name}: {negation} {state}; `jeton clients rotate {name}` gives one"
    elif all(one.expires is not None and one.expires <= today + SOON for one in lasting):
        last = max(one.expires for one in lasting if one.expires is not None)
        yield f"clients.{name}: its last credential expires on {last}"
    if not client.grants:
        yield f"clients.{name}: it may do nothing"
    for index, grant in enumerate(client.grants):
        if grant.operation == "match" and not grant.purposes:
            yield f"clients.{name}.grants[{index}]: a match without purpose; the record has none"
    limits = ceilings(client.limits)
    for budget in ("tokenise", "reveal", "match"):
        if limits[f"{budget}.hour"] > limits[f"{budget}.day"]:
            yield f"clients.{name}.limits.{budget}: the hour's is above the day's, which stops it"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
