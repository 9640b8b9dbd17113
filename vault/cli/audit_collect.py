"""`jeton audit collect` and `close`: what becomes of the records of machines that come and go."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from vault.app import record_host
from vault.audit.checkpoint import Checkpoints, load_public_key
from vault.audit.collecting import collect as copy_record
from vault.audit.entry import CLOSED
from vault.audit.findings import Report, merged
from vault.audit.group import Tail
from vault.audit.names import host_of, is_writer
from vault.audit.segment import chains, is_closed
from vault.audit.trouble import words_of
from vault.audit.verify import verify
from vault.audit.writer import AuditUnavailable, DamagedError, RecordWriter
from vault.cli import stored
from vault.cli.failure import Wrong
from vault.cli.folders import Known, of_one
from vault.cli.group import examples
from vault.cli.options import config_option, json_option, record_options
from vault.cli.reporting import described, show
from vault.cli.screen import note, print_json
from vault.config import Settings, load
from vault.crypto.secret import KeyAccess
from vault.errors import SetUpError
from vault.rules import Rules
from vault.store import open_store
from vault.store.base import Mark
from vault.witness.cosignature import FILE as COSIGNATURES
from vault.witness.cosignature import RECORD

Result = TypeVar("Result")


@click.command(
    epilog=examples(
        "jeton audit collect /mnt/records",
        "jeton audit collect /mnt/records --folder /mnt/pod-0/audit --folder /mnt/pod-1/audit",
    )
)
@click.argument("to", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@config_option
@record_options("The records to collect, instead of this machine's own.")
@json_option
def collect(
    to: Path, config: Path, folders: Sequence[Path], public_key: Path | None, as_json: bool
) -> int:
    """Copy records to one place, where they outlive their machines, and verify all that is there.

    Copies only grow: run it as often as you like, on live records too. What was changed in a
    record after it was copied is found, and the copy left as it was. Exit code 1 where something
    was found.
    """
    settings = load(config, os.environ)
    key = load_public_key(public_key) if public_key else Rules(settings).record_key()
    sources = list(folders) or [settings.audit.folder]
    for source in sources:
        if not source.is_dir() or (folders and not chains(source)):
            raise SetUpError(f"there is no record at {source}")
    own = None if folders else settings.audit.host or record_host(settings)
    hosts = {source: _host(source) if own is None else own for source in sources}
    if len(set(hosts.values())) < len(hosts):
        raise Wrong("two of these records have one name: collect them to folders of their own")
    state = stored.state(settings)  # before the copies: a live chain only grows
    found = Report()
    fresh: dict[Path, str] = {}
    for source, host in hosts.items():
        copy = to / (host or RECORD)
        done = _disk(partial(copy_record, source, copy, (COSIGNATURES,)))
        for finding in done.findings:
            found.add(finding)
        note(f"{copy}: {done.bytes:,} bytes more")
        fresh[copy] = host
    marks = {} if state is None else state.marks
    tails = {writer: Tail(mark.durable, mark.digest) for writer, mark in marks.items()}
    reports = [found]
    for copy in sorted(path for path in to.iterdir() if path.is_dir()):
        # Other machines' copies are as old as their collecting: the store has gone on since.
        known = of_one(copy, fresh[copy], tails, (), ()) if copy in fresh else Known(copy)
        reports.append(verify(copy, key, marks=known.marks))
    whole = merged(reports)
    if as_json:
        print_json(described(whole))
    else:
        show(whole, whole=True)
    return 0 if whole.clean else 1


@click.command(
    epilog=examples(
        'jeton audit close pod-3-w0 --folder /mnt/pod-3/audit --reason "scaled down for good"'
    )
)
@click.argument("writer")
@config_option
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="The record it is in, instead of this machine's own.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the record.")
def close(writer: str, config: Path, folder: Path | None, reason: str) -> None:
    """End a chain whose writer will not come back.

    Its last entry says so, a signed checkpoint covers it, and the store knows how far it came.
    Nothing is ever written to it again: what stands behind its end is found by verify. A process
    that serves over the same folder takes another chain.
    """
    settings = load(config, os.environ)
    if not is_writer(writer):
        raise Wrong("a chain is called w0, or HOST-w0")
    if not reason.strip():
        raise Wrong("say why", param_hint="--reason")
    record = folder or settings.audit.folder
    tail = _disk(lambda: _end(settings, record, writer, reason.strip()))
    asyncio.run(_mark(settings, Mark(writer, tail.sequence, tail.digest)))
    note(f"{writer} is closed at sequence {tail.sequence}. Collect it before its volume goes.")


def _end(settings: Settings, record: Path, writer: str, reason: str) -> Tail:
    rules, now = Rules(settings), time.time()
    chain = record / writer
    if not chain.is_dir():
        raise SetUpError(f"there is no chain {writer} in {record}")
    checkpoints = Checkpoints(record, rules.keyset.derive_root("audit").reveal(KeyAccess()))
    last = checkpoints.last()
    try:
        taken = RecordWriter.take(chain)
        if taken is None:
            raise SetUpError(f"{writer} has a writer: stop it first")
        try:
            if not is_closed(chain):  # else a close that was stopped goes on
                taken.append_event(CLOSED, {"reason": reason}, now)
            tail = taken.tail
        finally:
            taken.close()
    except DamagedError:
        raise SetUpError(f"{writer} is damaged: `jeton audit verify` says where") from None
    except AuditUnavailable:
        raise SetUpError(f"{writer} cannot be written") from None
    checkpoints.write(
        {writer: tail},
        now,
        epoch=last.epoch if last else "",
        generation=rules.keyset.generation,
    )
    return tail


async def _mark(settings: Settings, mark: Mark) -> None:
    store = await open_store(settings.store, settings.keys.keyset.parent)
    try:
        await store.set_mark(mark)
    finally:
        await store.close()


def _host(record: Path) -> str:
    """The machine's whose record it is; nothing where machines have no names."""
    return next((host_of(chain.name) for chain in chains(record)), "")


def _disk(perform: Callable[[], Result]) -> Result:
    try:
        return perform()
    except OSError as error:
        raise SetUpError(f"the record cannot be copied or written: {words_of(error)}") from None
