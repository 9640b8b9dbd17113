"""`jeton dev`: a service to try things on, with keys that are gone afterwards."""

import os
import tempfile
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import click

from vault.cli.behind import edge, offered
from vault.cli.failure import Wrong
from vault.cli.group import examples
from vault.cli.init import create
from vault.config import Settings, load
from vault.config.reading import PREFIX, laid_over
from vault.process import run
from vault.rules import Rules

BESIDE = 100
"""How far above the service's port the proxy's is."""
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
    is for development. With jeton[proxy] an edge proxy runs too, 100 ports above, before an
    upstream that answers what it saw.
    """
    with tempfile.TemporaryDirectory(prefix="jeton-dev-") as folder, ExitStack() as stack:
        made = create(Path(folder) / "jeton-data", development=True)
        environ = laid_over({}, host=host, port=port)
        text = paste(load(made.config, environ), made.config, made.credentials)
        if offered():
            text += paste_edge(host, port + BESIDE)
            kept = {key: of for key, of in os.environ.items() if not key.startswith(PREFIX)}
            stack.enter_context(edge(made.config, kept, host, port + BESIDE))
        run(made.config, environ, lambda: click.echo(text))


def paste_edge(host: str, port: int) -> str:
    """A line for a shell: an existing system sends this, and what arrived comes back."""
    said = f'{{"nir": "{SAMPLE}", "born": "1984-05-12", "amount": 12.50}}'
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return (
        "\n\n# the edge proxy, before a system that nobody changes: what that one saw comes back"
        f"\ncurl -s {url}/claims -H 'Content-Type: application/json' -d '{said}'"
    )


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
