"""`jeton proxy`: the edge proxy, until it is told to stop."""

import os
from pathlib import Path

import click

from vault.cli.group import examples
from vault.cli.options import config_option
from vault.edge import run


@click.command(epilog=examples("jeton proxy", "jeton proxy --config /srv/jeton/jeton.toml"))
@config_option
def proxy(config: Path) -> None:
    """Rewrite the traffic of existing systems until told to stop.

    Listeners, upstreams and routes stand in the configuration under [proxy]. Ready when
    /readyz answers 200 at proxy.host and proxy.port. SIGTERM answers what is in flight and
    ends; SIGHUP takes changed routes, rules, clients and keys in, whole or not at all.
    """
    run(config, os.environ)
