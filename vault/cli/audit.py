"""`jeton audit`: the record, verified, exported, and accepted where it went backwards."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from vault.app import open_vault, record_host
from vault.audit.checkpoint import load_public_key
from vault.audit.entry import Receipt
from vault.audit.findings import merged
from vault.audit.group import Tail
from vault.audit.reading import Selection, entries, write_csv, write_jsonl
from vault.audit.verify import verify as verify_record
from vault.cli import stored
from vault.cli.audit_collect import close, collect
from vault.cli.audit_ship import ship
from vault.cli.failure import Wrong
from vault.cli.folders import of_each, of_one
from vault.cli.group import Group, examples
from vault.cli.options import config_option, json_option, moment, record_options
from vault.cli.reporting import described, show
from vault.cli.screen import note, print_json
from vault.cli.witnessed import known_elsewhere, log_name, uncosigned
from vault.config import Settings, load
from vault.errors import SetUpError
from vault.rules import Rules
from vault.telemetry import Names, install


def receipt(text: str) -> Receipt:
    """What an answer's ``Jeton-Receipt`` says."""
    try:
        return Receipt.parse(text)
    except ValueError:
        raise Wrong("a receipt reads <writer>.<sequence>.<64 hex digits>") from None


@click.group(
    cls=Group,
    epilog=examples(
        "jeton audit verify --checkpoint /mnt/elsewhere/checkpoints.jsonl",
        "jeton audit export --since 2026-11-01 --format csv > november.csv",
    ),
)
def audit() -> None:
    """Read and verify the record.

    The record says who was shown how much about whom, and why; never what. Each writer's chain
    of entries is sealed by hashes, and signed checkpoints say how far all chains had come.
    """


audit.add_command(ship)
audit.add_command(collect)
audit.add_command(close)


@audit.command(
    epilog=examples(
        "jeton audit verify",
        "jeton audit verify --checkpoint kept.jsonl --receipt w0.42.5e1f...",
        "jeton audit verify --public-key kept.pem --json",
        "jeton audit verify --witness https://witness:8300 --witness-key witness.pem",
    )
)
@config_option
@click.option(
    "--checkpoint",
    "checkpoints",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Checkpoints that were kept elsewhere: lines of checkpoints.jsonl.",
)
@click.option(
    "--receipt",
    "receipts",
    type=receipt,
    multiple=True,
    metavar="R",
    help="A receipt that a caller kept.",
)
@record_options("The records of all machines that share a store, instead of this machine's own.")
@click.option(
    "--witness",
    metavar="DIR|URL",
    help="A witness's folder, or where it listens: what it knows of the record.",
)
@click.option(
    "--witness-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The witness's public key: its cosignatures, here and there, are held against it.",
)
@json_option
def verify(
    config: Path,
    checkpoints: Sequence[Path],
    receipts: Sequence[Receipt],
    public_key: Path | None,
    folders: Sequence[Path],
    witness: str | None,
    witness_key: Path | None,
    as_json: bool,
) -> int:
    """Find every place where the record was changed.

    A change behind the last checkpoint or receipt that is held where the attacker cannot reach
    it cannot be found: keep copies elsewhere and give them here. With --public-key neither the
    keyset nor its KEK is needed. Exit code 1 where something was found, and as long as reveals
    are stopped because the record and the store do not fit each other.
    """
    settings = load(config, os.environ)
    key = load_public_key(public_key) if public_key else Rules(settings).record_key()
    elsewhere = [line for file in checkpoints for line in file.read_bytes().splitlines(True)]
    if not folders and not settings.audit.folder.is_dir():
        raise SetUpError(f"there is no record at {settings.audit.folder}")
    if witness is not None:
        elsewhere += known_elsewhere(witness, settings, key, witness_key, every=bool(folders))
    state = stored.state(settings)
    if state is None:
        note("The store is not there: the record is not held against its marks.")
    elif state.halted is not None:
        note(f"Reveals are stopped ({state.halted}): see `jeton audit accept`.")
    known = {} if state is None else state.marks
    marks = {writer: Tail(mark.durable, mark.digest) for writer, mark in known.items()}
    if folders:
        records = of_each(folders, marks, receipts, elsewhere)
    else:
        host = record_host(settings)
        records = [of_one(settings.audit.folder, host, marks, receipts, elsewhere)]
    reports = [
        verify_record(
            each.folder,
            key,
            checkpoints_elsewhere=each.checkpoints,
            receipts=each.receipts,
            marks=each.marks,
        )
        for each in records
    ]
    if witness_key is not None and not folders:
        signer = load_public_key(witness_key)
        for finding in uncosigned(settings.audit.folder, key, signer, log_name(settings)):
            reports[0].add(finding)
    halted = None if state is None else state.halted
    if as_json:
        print_json(described(merged(reports)) | {"stopped": halted})
    else:
        show(merged(reports), whole=halted is None)
    return 0 if halted is None and all(report.clean for report in reports) else 1


@audit.command(
    epilog=examples(
        "jeton audit export --client reimbursement --since 2026-11-24",
        "jeton audit export --format csv > record.csv",
    )
)
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="A JSON object a line, or one table.",
)
@click.option("--since", type=moment, metavar="TIME", help="From this time on; UTC.")
@click.option("--until", type=moment, metavar="TIME", help="Before this time; UTC.")
@click.option("--client", metavar="NAME", help="Only what this client did.")
def export(
    config: Path, form: str, since: float | None, until: float | None, client: str | None
) -> None:
    """Print the entries of the record.

    Entries name persons by pseudonym, and hold no value, token or context. They are read, not
    verified: for that see verify.
    """
    folder = load(config, os.environ).audit.folder
    if not folder.is_dir():
        raise SetUpError(f"there is no record at {folder}")
    found = entries(folder, Selection(since, until, client))
    try:
        if form == "csv":
            write_csv(sys.stdout, found)
        else:
            write_jsonl(sys.stdout.buffer, found)
    except msgspec.DecodeError:
        words = "a sealed line is no entry: `jeton audit verify` says which"
        raise SetUpError(words) from None


@audit.command(epilog=examples('jeton audit accept --reason "restored the backup of Monday"'))
@config_option
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the record.")
def accept(config: Path, reason: str) -> None:
    """Let reveals go on after the state went backwards.

    Reveals stop when the store and the record do not fit each other: an older store was put
    back, or a part of the record is gone. Find out why first (verify); this says, on the
    record, that an operator knows.
    """
    if not reason.strip():
        raise Wrong("say why", param_hint="--reason")
    install(Names(), "console", "error")
    halted = asyncio.run(_accept(load(config, os.environ), reason.strip()))
    if halted is None:
        note("Nothing was stopped, and nothing is changed.")
    else:
        note(f"Accepted, on the record; it was stopped because: {halted}.")


async def _accept(settings: Settings, reason: str) -> str | None:
    """Why reveals were stopped; None where they were not."""
    async with open_vault(settings) as vault:
        halted = (await vault.store.state()).halted
        if halted is not None:
            await vault.ledger.accept_state(reason)
        return halted
