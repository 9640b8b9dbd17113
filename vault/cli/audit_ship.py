"""`jeton audit ship`: the record to a SIEM."""

import os
import signal
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import click
import msgspec

from vault.audit.following import Follower, Located
from vault.audit.locking import FileLock
from vault.audit.shipping import BATCH, Cursor, Http, Receiver, Syslog, Unconfirmed
from vault.cli.failure import Wrong
from vault.cli.group import examples
from vault.cli.options import config_option
from vault.cli.screen import note
from vault.config import load
from vault.errors import SetUpError
from vault.renewed import Renewed
from vault.telemetry.shipping import ShippingMetrics

TOKEN = "JETON_SIEM_TOKEN"  # noqa: S105 - the name of a variable
LOOK_SECONDS, LONGEST_WAIT = 1.0, 60.0
LAST_SECONDS = 5.0
"""For what is left when it is told to end."""
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


@click.command(
    epilog=examples(
        "jeton audit ship --to syslog+tls://siem.example:6514 --cursor /var/lib/jeton/siem",
        "JETON_SIEM_TOKEN=... jeton audit ship --to https://siem.example/ --cursor siem --once",
    )
)
@config_option
@click.option("--to", "address", required=True, metavar="URL", help="syslog+tls:// or https://")
@click.option(
    "--cursor",
    "cursor_file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="How far it came: on a disk that outlives a restart.",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Who signs the receiver's certificate; else the system's authorities.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A certificate and its key, both in this file, to show to the receiver.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="Where to show how far it is, at the host of [server]: /metrics.",
)
@click.option("--once", is_flag=True, help="End when all that is there was confirmed.")
def ship(
    config: Path,
    address: str,
    cursor_file: Path,
    ca: Path | None,
    certificate: Path | None,
    metrics_port: int | None,
    once: bool,
) -> None:
    """Send the record to a SIEM, as OCSF events.

    Each entry at least once, in the order of its chain; what the receiver did not confirm is sent
    again, after restarts and crashes too. With JETON_SIEM_TOKEN set, HTTP has it as a Bearer
    credential.
    """
    settings = load(config, os.environ)
    folder, metrics = settings.audit.folder, ShippingMetrics()
    receiver = _receiver(_address(address), ca, certificate)
    try:
        lock = FileLock.take(cursor_file.with_name(f"{cursor_file.name}.lock"))
        if lock is None:
            raise SetUpError("another `jeton audit ship` moves this cursor")
        cursor = Cursor(cursor_file)
    except (OSError, msgspec.DecodeError) as error:
        raise SetUpError(f"{cursor_file} cannot be used as a cursor") from error
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # renewed files are seen without being told of
    if metrics_port is not None:
        _show(metrics, settings.server.host, metrics_port)
    try:
        try:
            signal.signal(signal.SIGTERM, _told_to_end)
            _await_record(folder, once=once)
            _ship(Follower(folder, cursor.after), cursor, receiver, metrics, once=once)
        except _ToldToEnd:
            _ship_the_rest(folder, Cursor(cursor_file), receiver)
    except msgspec.DecodeError:
        words = "a sealed line is no entry: `jeton audit verify` says which"
        raise SetUpError(words) from None
    except OSError as error:
        raise SetUpError(f"the record or the cursor: {error.strerror}") from error
    finally:
        lock.release()


class _ToldToEnd(BaseException):
    """By SIGTERM, whatever is under way: it was not confirmed, and is sent again."""


def _told_to_end(*_: object) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    raise _ToldToEnd


def _ship_the_rest(folder: Path, cursor: Cursor, receiver: Receiver) -> None:
    """A service that ended just now may not come back: its last entries go, too, if they can."""
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(0))
    signal.setitimer(signal.ITIMER_REAL, LAST_SECONDS)
    follower = Follower(folder, cursor.after)
    while folder.is_dir() and (batch := follower.read(BATCH)):
        if (trouble := _try(receiver, batch)) is not None:
            note(f"Not confirmed, and left for the next start: {trouble}.")
            return
        cursor.move(follower.ends)


def _show(metrics: ShippingMetrics, host: str, port: int) -> None:
    try:
        metrics.serve(host, port)
    except OSError as error:
        raise SetUpError(f"--metrics-port: {error.strerror}") from error


def _await_record(folder: Path, *, once: bool) -> None:
    """Beside a service that starts for the first time it may come first."""
    if folder.is_dir():
        return
    if once:
        raise SetUpError(f"there is no record at {folder}")
    note(f"There is no record at {folder} yet.")
    while not folder.is_dir():
        time.sleep(LOOK_SECONDS)


def _ship(
    follower: Follower,
    cursor: Cursor,
    receiver: Receiver,
    metrics: ShippingMetrics,
    *,
    once: bool,
) -> None:
    while True:
        at = time.time()
        batch = follower.read(BATCH)
        if batch:
            _deliver(receiver, batch, metrics)
            cursor.move(follower.ends)
            metrics.confirmed(len(batch))
        if len(batch) < BATCH:  # there was no more
            metrics.caught_up(at)
        if not batch and once:
            return
        if not batch:
            time.sleep(LOOK_SECONDS)


def _deliver(receiver: Receiver, batch: list[Located], metrics: ShippingMetrics) -> None:
    wait = LOOK_SECONDS
    while (trouble := _try(receiver, batch)) is not None:
        metrics.failed()
        note(f"Not confirmed, and tried again in {wait:.0f} s: {trouble}.")
        time.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT)


def _try(receiver: Receiver, batch: list[Located]) -> str | None:
    """Why the batch was not confirmed; None where it was."""
    try:
        receiver.send(batch)
    except Unconfirmed as error:
        return str(error)
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _address(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        usable = bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or (url.scheme == "http" and url.hostname not in LOCAL):
        raise Wrong("an address such as https://siem.example/events", param_hint="--to")
    return url


def _token() -> str | None:
    """Of a file it often has a line's end, which no header may have."""
    token = os.environ.get(TOKEN, "").strip()
    if not (token.isascii() and token.isprintable()):
        raise SetUpError(f"{TOKEN}: a credential is ASCII, and one line")
    return token or None


def _receiver(url: SplitResult, ca: Path | None, certificate: Path | None) -> Receiver:
    if url.scheme == "http":
        return Http(url, None, _token())
    tls = _tls(ca, certificate)
    if url.scheme == "https":
        return Http(url, tls, _token())
    if url.scheme == "syslog+tls":
        return Syslog(url, tls)
    raise Wrong("syslog+tls:// and https:// are what there is", param_hint="--to")


def _tls(ca: Path | None, certificate: Path | None) -> Renewed[ssl.SSLContext]:
    def make() -> ssl.SSLContext:
        tls = ssl.create_default_context(cafile=ca)
        if certificate is not None:
            tls.load_cert_chain(certificate)
        return tls

    words = "the certificates cannot be read"
    try:
        paths = [path for path in (ca, certificate) if path is not None]
        return Renewed(
            make, paths, lambda _: note(f"{words.capitalize()}: those from before are used.")
        )
    except OSError as error:  # SSLError is one
        raise SetUpError(words) from error
