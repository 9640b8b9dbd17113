"""`jeton serve`: answer over HTTP until told to stop."""

import os
from pathlib import Path

import click
from msgspec.structs import replace

from vault.cli.group import examples
from vault.cli.options import config_option
from vault.config import Settings, load


def addressed(
    settings: Settings, host: str | None, port: int | None, workers: int | None
) -> Settings:
    """The settings with what the command line says instead."""
    said = {"host": host, "port": port, "workers": workers}
    given = {key: value for key, value in said.items() if value is not None}
    return replace(settings, server=replace(settings.server, **given))


@click.command(
    epilog=examples("jeton serve", "jeton serve --config /srv/jeton/jeton.toml --workers 2")
)
@config_option
@click.option("--host", help="The address to listen on, instead of server.host.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Instead of server.port; 0: any free one."
)
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Worker processes, instead of server.workers."
)
def serve(config: Path, host: str | None, port: int | None, workers: int | None) -> None:
    """Answer over HTTP until told to stop.

    Ready when /readyz answers 200. SIGTERM ends it without losing a request; SIGHUP reads the
    configuration and the keyset again, whole or not at all.
    """
    from vault.process import run  # noqa: PLC0415 - `--help` needs no service

    run(config, addressed(load(config, os.environ), host, port, workers))
