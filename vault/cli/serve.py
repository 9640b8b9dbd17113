"""`jeton serve`: the service, until it is told to stop."""

import os
from pathlib import Path

import click
from msgspec.structs import replace

from vault.cli.group import examples
from vault.cli.options import config_option
from vault.config import load
from vault.process import run


@click.command(
    epilog=examples("jeton serve", "jeton serve --config /srv/jeton/jeton.toml --workers 4")
)
@config_option
@click.option("--host", metavar="H", help="The address to listen on, instead of server.host.")
@click.option("--port", type=click.IntRange(0, 65_535), metavar="P", help="Instead of server.port.")
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", help="Instead of server.workers."
)
def serve(config: Path, host: str | None, port: int | None, workers: int | None) -> None:
    """Answer over HTTP until told to stop.

    Ready when /readyz answers 200. SIGTERM answers what is in flight and ends; SIGHUP takes a
    changed configuration in, whole or not at all.
    """
    settings = load(config, os.environ)
    asked = {"host": host, "port": port, "workers": workers}
    said = {key: value for key, value in asked.items() if value is not None}
    run(config, replace(settings, server=replace(settings.server, **said)))
