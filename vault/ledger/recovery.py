"""At start: bring the record and the store back into step, or stop reveals and say why.

Where the store has lost charges that the
record knows (a crash, an older file put back), they are counted again, at their own times.
Where one of the two went backwards further than a crash of the machine explains, reveals also
stop until an operator accepts the state, on the record. (The death of a process loses nothing
that the store was told.)
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from vault.audit.checkpoint import Checkpoint, Checkpoints, boot_id
from vault.audit.entry import Event, seconds
from vault.audit.locking import FileLock
from vault.audit.names import ours
from vault.audit.reading import tail_at
from vault.audit.segment import chains
from vault.audit.trouble import words_of
from vault.audit.writer import DamagedError, RecordWriter
from vault.config import Audit
from vault.errors import SetUpError
from vault.ledger.committer import Tell, tell_nobody
from vault.ledger.ledger import Ledger
from vault.ledger.replay import CRASH_SECONDS, Chain, ChargeOf, replay, replay_locks
from vault.store.base import Mark, State, Store


@dataclass(slots=True)
class _Found:
    chains: list[Chain] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


async def open_ledger(
    settings: Audit,
    store: Store,
    seed: bytes,
    *,
    generation: int,
    charge_of: ChargeOf,
    clock: Callable[[], float],
    tell: Tell = tell_nobody,
) -> Ledger:
    """Claim a chain, recover, and make this worker's ledger (not yet started).

    `seed`: the checkpoints' Ed25519 seed, 32 bytes. Raises SetUpError (another keyset, an
    older generation, a folder that cannot be written), Refusal (store_unavailable).
    """
    folder = settings.folder
    try:
        checkpoints = Checkpoints(folder, seed)
        lock = await asyncio.to_thread(FileLock.take, folder / "record.lock", wait=True)
        if lock is None:
            raise BlockingIOError("a waiting lock cannot be refused")
        try:
            record = await asyncio.to_thread(_claim, settings)
            try:
                epoch = await _recover(
                    settings, store, record, checkpoints, generation, charge_of, clock, tell
                )
            except BaseException:
                record.close()
                raise
        finally:
            lock.release()
    except OSError as error:
        words = f"the record's folder cannot be used: {words_of(error)}"
        raise SetUpError(words) from error
    except msgspec.DecodeError:
        words = "a sealed line of the record is no entry: `jeton audit verify` says which"
        raise SetUpError(words) from None
    return Ledger(
        settings,
        store,
        record,
        checkpoints,
        generation=generation,
        epoch=epoch,
        charge_of=charge_of,
        clock=clock,
        tell=tell,
    )


def _claim(settings: Audit) -> RecordWriter:
    return RecordWriter.claim(
        settings.folder, host=settings.host or "", segment_bytes=settings.segment_bytes
    )


async def _recover(
    settings: Audit,
    store: Store,
    record: RecordWriter,
    checkpoints: Checkpoints,
    generation: int,
    charge_of: ChargeOf,
    clock: Callable[[], float],
    tell: Tell,
) -> str:
    """Returns the store's epoch."""
    state, last = await store.state(), await asyncio.to_thread(checkpoints.last)
    _check_generation(generation, state, last)
    if await store.raise_generation(generation) > generation:
        raise SetUpError(_OLD_KEYSET)
    now = clock()
    if last is None:
        # Before the first entry: a record without checkpoints is one they were taken from.
        await asyncio.to_thread(
            checkpoints.write, {}, now, epoch=state.epoch, generation=generation
        )
    found = await asyncio.to_thread(_look, settings, record, state, last, now)
    reason = "; ".join(found.reasons)
    if reason and state.halted is None:
        await store.halt(reason)
    events = [
        Event(name="repaired", detail={"writer": chain.path.name, **chain.repaired})
        for chain in found.chains
        if chain.repaired
    ]
    await replay_locks(store, found.chains, shared=bool(settings.host))
    for chain in found.chains:
        replayed = await replay(store, chain, charge_of, now)
        if replayed:
            events.append(
                Event(name="replayed", detail={"writer": chain.path.name, "charges": replayed})
            )
    if reason:
        events.append(Event(name="halted", detail={"reason": reason}))
        tell("halted", {"reason": reason})
    if events:
        await asyncio.to_thread(record.append, events, now)
    if not reason:
        await _set_marks(store, found.chains, record)
    return state.epoch


_OLD_KEYSET = (
    "this keyset is older than one that was served before: put the newest back "
    "(an older generation could give old tokens to other people)"
)


def _check_generation(generation: int, state: State, last: Checkpoint | None) -> None:
    if max(state.generation, last.generation if last else 0) > generation:
        raise SetUpError(_OLD_KEYSET)


def _look(
    settings: Audit, record: RecordWriter, state: State, last: Checkpoint | None, now: float
) -> _Found:
    """Repair every chain that nobody owns, and hold all against the store's marks."""
    found, folder, host = _Found(), settings.folder, settings.host or ""
    # A store of the network has crashes of its own, which nobody tells us.
    crashed = bool(host) or last is None or not last.boot or last.boot != boot_id()
    if last is not None and last.epoch != state.epoch:
        found.reasons.append("the store is not the one that the record was kept with")
    present = set()
    for path in chains(folder):
        present.add(path.name)
        chain = _take(path, record, state.marks.get(path.name), found)
        if chain is not None:
            found.chains.append(chain)
            found.reasons += _doubts(chain, now, crashed=crashed)
    marked = ours(state.marks, host, present)
    for writer in sorted(marked - present):
        if state.marks[writer].durable > 0:
            found.reasons.append(f"the record of {writer} is gone")
    if last is None and (marked or any(chain.tail.sequence for chain in found.chains)):
        found.reasons.append("the checkpoints of the record are gone")
    return found


def _take(path: Path, record: RecordWriter, mark: Mark | None, found: _Found) -> Chain | None:
    if path.name == record.name:
        return Chain(path, record.tail, mark, record.repaired)
    try:
        other = RecordWriter.take(path)
    except DamagedError as error:
        found.reasons.append(f"the record is damaged: {error}")
        return None
    if other is None:
        return None  # alive: it was recovered by its owner
    other.close()
    return Chain(path, other.tail, mark, other.repaired)


def _doubts(chain: Chain, now: float, *, crashed: bool) -> list[str]:
    name, mark = chain.path.name, chain.mark
    doubts: list[str] = []
    if mark is not None and mark.durable > chain.tail.sequence:
        doubts.append(f"the record of {name} ends before the store's mark: it was cut")
    elif mark is not None and mark.durable > 0:
        at_end = mark.durable == chain.tail.sequence
        there = chain.tail if at_end else tail_at(chain.path, mark.durable)
        if there is not None and there.digest != mark.digest:
            doubts.append(f"the record of {name} is not the one the store marked")
    oldest = next(chain.lost(), None)
    if oldest is not None and not crashed:
        doubts.append(f"the store lost charges of {name} without a crash of the machine")
    elif oldest is not None and seconds(oldest.time) < now - CRASH_SECONDS:
        doubts.append(f"the store does not know charges of {name} that are not recent")
    return doubts


async def _set_marks(store: Store, found: list[Chain], record: RecordWriter) -> None:
    for chain in found:
        tail = record.tail if chain.path.name == record.name else chain.tail
        if chain.mark is None or chain.mark.durable != tail.sequence:
            await store.set_mark(Mark(chain.path.name, tail.sequence, tail.digest))
