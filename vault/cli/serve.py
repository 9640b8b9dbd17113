"""`jeton serve`: the service, until it is told to stop."""

import os
from pathlib import Path

import click

from vault.cli.group import examples
from vault.cli.options import config_option
from vault.config.reading import laid_over
from vault.process import run


@click.command(
    epilog=examples(
        "jeton serve",
        "jeton serve --config /srv/jeton/jeton.toml --workers 4",
        'jeton serve --host "" --socket /run/jeton/jeton.sock',
    )
)
@config_option
@click.option(
    "--host", metavar="H", help='The address to listen on, instead of server.host; "": none.'
)
@click.option("--port", type=click.IntRange(0, 65_535), metavar="P", help="Instead of server.port.")
@click.option(
    "--socket",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="A Unix socket to listen on too, instead of server.socket.",
)
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", help="Instead of server.workers."
)
def serve(
    config: Path, host: str | None, port: int | None, socket: Path | None, workers: int | None
) -> None:
    """Answer over HTTP until told to stop.

    Ready when /readyz answers 200. SIGTERM answers what is in flight and ends; SIGHUP takes a
    changed configuration, keyset and certificate in, whole or not at all.
    """
    path = None if socket is None else socket.absolute()  # of this folder, not of the file's
    run(config, laid_over(os.environ, host=host, port=port, socket=path, workers=workers))
