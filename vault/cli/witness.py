"""`jeton witness`: keeps the checkpoints of records where their owners cannot reach them."""

import json
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from vault.audit.checkpoint import last_line, number_of
from vault.cli.failure import Wrong
from vault.cli.group import Group, examples
from vault.cli.options import json_option
from vault.cli.screen import note, print_json, table
from vault.errors import SetUpError
from vault.renewed import Renewed
from vault.witness.logs import PUBLIC_KEY, Witness, logs, make, set_aside, trust
from vault.witness.server import OverTcp, OverUnix, handler

Result = TypeVar("Result")
LOOPBACK = ("127.0.0.1", "::1", "localhost")

folder_argument = click.argument(
    "folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False)
)


@click.group(
    cls=Group,
    epilog=examples(
        "jeton witness init /srv/witness",
        "jeton witness trust /srv/witness public.pem",
        "jeton witness serve /srv/witness --socket /run/witness.sock",
    ),
)
def witness() -> None:
    """Keep the checkpoints of records elsewhere, and sign that.

    A witness is a small service on another machine, or under another administrator. It takes the
    signed checkpoints of records, keeps them for ever, and signs only for what goes on from what
    it has seen. Then even who owns a record's disks cannot rewrite its past unseen.
    """


@witness.command()
@folder_argument
def init(folder: Path) -> None:
    """Make a witness in an empty folder.

    Prints the credential of its callers, once. DIR/witness.pem is its public key: give both to
    the services.
    """
    credential = _disk(lambda: make(folder))
    click.echo(credential)
    note(f"{folder / PUBLIC_KEY} is its public key. The credential is kept nowhere: keep it now.")


@witness.command(name="trust")
@folder_argument
@click.argument("key", metavar="FILE", type=click.Path(path_type=Path, exists=True))
def trust_(folder: Path, key: Path) -> None:
    """Take the checkpoints that a key signs from now on.

    FILE is the public.pem of a record. Records of one keyset have one key, and a name each.
    """
    click.echo(_disk(lambda: trust(folder, key)))


@witness.command(
    epilog=examples(
        "jeton witness serve /srv/witness --host 10.0.0.9 --tls-certificate w.crt --tls-key w.key",
        "jeton witness serve /srv/witness --socket /run/witness.sock",
    )
)
@folder_argument
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H")
@click.option("--port", default=8300, show_default=True, type=click.IntRange(0, 65_535))
@click.option(
    "--socket", type=click.Path(path_type=Path, dir_okay=False), help="Instead: a Unix socket."
)
@click.option("--tls-certificate", type=click.Path(path_type=Path, exists=True), metavar="FILE")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True), metavar="FILE")
def serve(
    folder: Path,
    host: str,
    port: int,
    socket: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
) -> None:
    """Take checkpoints until told to stop.

    Beyond this machine only over TLS; a certificate that is renewed is served from the next
    connection on. What it refuses is told on stderr: somebody may have
    rewritten a record.
    """
    tls = _tls(tls_certificate, tls_key)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # renewed files are seen without being told of
    if socket is None and tls is None and host not in LOOPBACK:
        raise Wrong("without a certificate it listens on this machine only")
    serving = Witness(folder)
    try:
        told = handler(serving, _say)
        server = OverTcp(host, port, told, tls) if socket is None else OverUnix(socket, told)
    except OSError as error:
        serving.close()
        raise SetUpError(f"cannot listen: {error.strerror}") from None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    where = f"unix:{socket}" if socket else f"{host}:{server.socket.getsockname()[1]}"
    note(f"The witness listens at {where}.")
    sys.stderr.flush()
    with server:
        server.serve_forever(0.1)
    if socket is not None:
        socket.unlink(missing_ok=True)
    serving.close()


@witness.command(name="list")
@folder_argument
@json_option
def list_(folder: Path, as_json: bool) -> None:
    """Show what is known of which record."""
    rows = []
    for log, path in logs(folder).items():
        line = last_line(path)
        at = json.loads(line)["checkpoint"]["time"] if line else ""
        aside = len(list(path.parent.glob("set-aside-*.jsonl")))
        rows.append((log, number_of(line), at, aside))
    if as_json:
        names = ("log", "checkpoint", "time", "set_aside")
        print_json({"logs": [dict(zip(names, row, strict=True)) for row in rows]})
        return
    table(
        ("log", "checkpoint", "of", "set aside"),
        ((log, str(number), at, str(aside)) for log, number, at, aside in rows),
    )


@witness.command(
    epilog=examples('jeton witness accept /srv/witness 0a1b.../pod-0 --reason "volume lost"')
)
@folder_argument
@click.argument("log")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept.")
def accept(folder: Path, log: str, reason: str) -> None:
    """Let a record begin anew that does not go on from what is known of it.

    Find out why first (jeton audit verify --witness). What was known is set aside, not lost. A
    witness that serves takes the record on from its first checkpoint.
    """
    if not reason.strip():
        raise Wrong("say why", param_hint="--reason")
    kept = _disk(lambda: set_aside(folder, log, reason.strip(), time.time()))
    note(f"Set aside: {kept}")


def _disk(perform: Callable[[], Result]) -> Result:
    try:
        return perform()
    except OSError as error:
        raise SetUpError(f"the witness's folder cannot be used: {error.strerror}") from None


def _tls(certificate: Path | None, key: Path | None) -> Renewed[ssl.SSLContext] | None:
    if (certificate is None) != (key is None):
        raise Wrong("--tls-certificate and --tls-key need each other")
    if certificate is None or key is None:
        return None

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        return context

    words = "the certificate and its key cannot be used"
    try:
        return Renewed(make, [certificate, key], lambda _: _say(f"{words}: those from before are"))
    except OSError:  # SSLError is one
        raise SetUpError(words) from None


def _say(words: str) -> None:
    note(f"{_stamp(time.time())} {words}")


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
