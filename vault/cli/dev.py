"""`jeton dev`: a service to try things on, with keys that are gone afterwards."""

import tempfile
from ipaddress import ip_address
from pathlib import Path

import click

from vault.app import Rules
from vault.cli.failure import Wrong
from vault.cli.group import examples
from vault.cli.init import create
from vault.config import Settings, load
from vault.config.reading import laid_over
from vault.process import run

SAMPLE = "284057512345672"
"""A number with a right key, of nobody."""


def loopback(text: str) -> str:
    """An address that only this machine reaches."""
    try:
        safe = text == "localhost" or ip_address(text).is_loopback
    except ValueError:
        safe = False
    if not safe:
        raise Wrong("only loopback, such as 127.0.0.1: `jeton serve` is for other addresses")
    return text


@click.command(epilog=examples("jeton dev", "jeton dev --port 8300"))
@click.option("--host", type=loopback, default="127.0.0.1", show_default=True, metavar="H")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8200, show_default=True, metavar="P"
)
def dev(host: str, port: int) -> None:
    """Serve on loopback with throw-away keys, for development.

    Makes everything in a temporary folder, prints lines to paste into another terminal, and
    removes the folder at the end (Ctrl-C). The log, the metrics and every answer say that it
    is for development.
    """
    with tempfile.TemporaryDirectory(prefix="jeton-dev-") as folder:
        made = create(Path(folder) / "jeton-data", development=True)
        environ = laid_over({}, host=host, port=port)
        text = paste(load(made.config, environ), made.config, made.credentials)
        run(made.config, environ, lambda: click.echo(text))


def paste(settings: Settings, config: Path, credentials: dict[str, str]) -> str:
    """Lines for a shell, each of which does something when it is pasted."""
    token = Rules(settings).transformations["fr-nir"].tokenise([SAMPLE], None).texts[0]
    host, port = settings.server.host, settings.server.port
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    lines = [
        "# For development: throw-away keys, gone with Ctrl-C. Paste into another terminal:",
        f"export JETON_URL={url}",
        f"export JETON_CONFIG={config}",
    ]
    calls = (
        ("intake", "takes values in", "tokenise", f'{{"value": "{SAMPLE}"}}', ()),
        (
            "reimbursement",
            "sees values, for one purpose",
            "detokenise",
            f'{{"token": "{token}"}}',
            ("Jeton-Purpose: reimbursement",),
        ),
        (
            "portal",
            "shows masks to people",
            "mask",
            f'{{"token": "{token}"}}',
            ("Jeton-Purpose: display", "Jeton-On-Behalf-Of: agent-17"),
        ),
    )
    for client, words, operation, body, headers in calls:
        sent = ("Content-Type: application/json", *headers)
        call = [
            f"curl -s $JETON_URL/v1/{operation}/fr-nir",
            '-H "Authorization: Bearer $JETON_CREDENTIAL"',
            *(f"-H '{header}'" for header in sent),
            f"-d '{body}'",
        ]
        lines += [
            f"\n# {client}: {words}",
            f"export JETON_CREDENTIAL={credentials[client]}",
            " ".join(call),
        ]
    return "\n".join(lines)
