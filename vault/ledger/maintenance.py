"""What the ledger does once a second beside answering, and once a day.

Each duty stands alone: one that fails (the store is away, the disk is full) is told to
telemetry, tried again at the next tick, and keeps none of the others from being done.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from vault.audit.checkpoint import Checkpoints
from vault.audit.entry import Detail, Event, Tokenised, seconds
from vault.audit.group import Tail
from vault.audit.locking import FileLock
from vault.audit.names import ours
from vault.audit.retention import Expired, close_stale, drop, expired
from vault.audit.segment import chains, last_time, segments
from vault.audit.writer import RecordWriter
from vault.config import DAY, Audit
from vault.errors import Refusal
from vault.ledger.aggregates import Aggregates
from vault.ledger.committer import Committer, Tell
from vault.ledger.lease import Leases
from vault.ledger.locks import Locks
from vault.ledger.replay import CRASH_SECONDS, Chain, ChargeOf, replay, replay_locks
from vault.store.base import Mark, Store

TICK_SECONDS = 1.0
LOCK_SECONDS = 0.4
REPLACED = "the store went backwards or was replaced under the running service"


@dataclass(slots=True)
class Parts:
    """What the duties look after."""

    settings: Audit
    store: Store
    record: RecordWriter
    checkpoints: Checkpoints
    committer: Committer
    leases: Leases
    locks: Locks
    aggregates: Aggregates
    clock: Callable[[], float]
    tell: Tell
    generation: int
    epoch: str
    charge_of: ChargeOf


class Maintenance:
    """The duties of one worker; what belongs to the folder is done by one worker at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tasks: list[asyncio.Task[None]] = []
        self._marked: Mark | None = None
        self._low = self._alarmed = False
        self._retained_at = 0.0
        self._checked_at = 0.0

    def start(self) -> None:
        for duty in (self._run, self._watch_locks, self._count):
            self._tasks.append(asyncio.create_task(duty(), name="ledger maintenance"))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def tick(self) -> None:
        """All duties that are due, once."""
        if self._parts.settings.host:
            await self._try("store", self._look)
        await self._try("free_space", self._look_at_space)
        if self._parts.record.trouble is not None:
            await self._knock()
        elif not self._low:  # what little room is left is for reveals
            await self._try("aggregates", self.flush)
        await self._try("locks", self._parts.locks.read)
        await self._try("leases", self._parts.leases.give_back_idle)
        await self._try("mark", self.mark)
        await self._try("state", self._watch)
        await self._try("retention", self._retain)

    async def _knock(self) -> None:
        """Try the record again: while it cannot be written this service is not ready, and then
        no reveal may come to do so."""
        with contextlib.suppress(Refusal):  # the first failure was told
            await self._parts.committer.write(())

    async def flush(self) -> None:
        """Record the sums. Where the record does not take them they go on summing."""
        parts = self._parts
        entries = parts.aggregates.take(parts.clock())
        if not entries:
            return
        try:
            await parts.committer.write(entries)
        except Refusal:
            parts.aggregates.put_back(entries)
            raise
        for entry in entries:
            if isinstance(entry, Tokenised):
                parts.tell("tokenised", {"principal": entry.principal, "items": entry.items})

    async def mark(self) -> None:
        """Tell the store how far the record is durable."""
        mark = self._parts.committer.mark
        if self._marked is None or mark.durable != self._marked.durable:
            await self._parts.store.set_mark(mark)
            self._marked = mark

    async def checkpoint(self, within: float = 0.0, retired: dict[str, Tail] | None = None) -> None:
        """Sign how far all chains are durable, unless it was done `within` those seconds.

        Raises Refusal (store_unavailable), OSError, SetUpError.
        """
        parts = self._parts
        state = await parts.store.state()
        tails, epoch = {parts.record.name: parts.record.tail}, state.epoch
        if state.halted is None:
            # Other writers' files may hold what is not durable yet; their marks do not.
            for writer in ours(state.marks, parts.settings.host or "", self._present()):
                mark = state.marks[writer]
                tails.setdefault(writer, Tail(mark.durable, mark.digest))
        else:
            last = await asyncio.to_thread(parts.checkpoints.last)
            epoch = last.epoch if last else epoch
        await asyncio.to_thread(
            parts.checkpoints.write,
            tails,
            parts.clock(),
            epoch=epoch,
            generation=parts.generation,
            retired=retired,
            unless_within=within,
        )
        parts.tell("checkpoint", {"at": parts.clock(), "halted": int(state.halted is not None)})

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._try("tick", self.tick)

    async def _watch_locks(self) -> None:
        """By itself: a lock holds within a second, however long the other duties take."""
        while True:
            await asyncio.sleep(LOCK_SECONDS)
            await self._try("locks", self._parts.locks.read)

    async def _count(self) -> None:
        """By itself too: what waits is of interest above all while the store does not answer."""
        parts = self._parts
        while True:
            counted = {"leased": parts.leases.all_in_hand, "waiting": parts.committer.waiting}
            parts.tell("upkeep", {"locked": len(parts.locks), **counted})
            await asyncio.sleep(TICK_SECONDS)

    async def _try(self, duty: str, perform: Callable[[], Awaitable[None]]) -> None:
        try:
            await perform()
        except Exception as error:  # noqa: BLE001 - a bug in one must not end all upkeep
            self._parts.tell("duty_failed", {"duty": duty, "error": type(error).__name__})

    async def _look_at_space(self) -> None:
        settings, tell = self._parts.settings, self._parts.tell
        room = os.statvfs(settings.folder)
        free = room.f_bavail * room.f_frsize
        tell("record_space", {"free_bytes": free})
        self._low = free < settings.reserve_bytes
        alarming = free < settings.alarm_bytes
        if alarming and not self._alarmed:
            tell("space_low", {"free_bytes": free})
        self._alarmed = alarming

    async def _watch(self) -> None:
        """Every checkpoint period: has the store been changed under us? Then sign."""
        settings, now = self._parts.settings, self._parts.clock()
        if 0 <= now - self._checked_at < settings.checkpoint_seconds:
            return
        self._checked_at = now
        if not settings.host:  # a store that others share is looked at each second
            await self._look()
        await self.checkpoint(within=settings.checkpoint_seconds * 0.9)

    async def _look(self) -> None:
        """Has the store been changed under us, or lost what it acknowledged?"""
        parts, told = self._parts, self._parts.committer.mark  # before the store is asked
        state = await parts.store.state()
        known, marked = state.marks.get(parts.record.name), self._marked
        went_back = marked is not None and (known is None or known.durable < marked.durable)
        went_back |= told.charged > (known.charged if known is not None else 0)
        if state.epoch != parts.epoch:
            await self._halt()
            parts.epoch = (await parts.store.state()).epoch
        elif not went_back:
            return
        self._marked = None
        record = parts.record
        chain = Chain(parts.settings.folder / record.name, record.tail, known)
        if state.halted is None and not await asyncio.to_thread(self._is_usual, chain):
            await self._halt()
        # Each worker counts its own chain's charges again; those of dead ones wait for a start.
        locks = [Chain(path, record.tail, state.marks.get(path.name)) for path in self._chains()]
        await replay_locks(parts.store, locks, shared=bool(parts.settings.host))
        count = await replay(parts.store, chain, parts.charge_of, parts.clock())
        if count:
            detail: Detail = {"writer": record.name, "charges": count}
            await parts.committer.write([Event(name="replayed", detail=detail)])
            parts.tell("replayed", {"charges": count})

    def _is_usual(self, chain: Chain) -> bool:
        """Only a store of the network, which may fail over to a server that lacks the last
        commits, loses anything while we serve; and nothing that is not recent."""
        oldest = next(chain.lost(), None)
        recent = self._parts.clock() - CRASH_SECONDS
        return bool(self._parts.settings.host) and (oldest is None or seconds(oldest.time) > recent)

    async def _halt(self) -> None:
        parts = self._parts
        await parts.store.halt(REPLACED)
        parts.tell("halted", {"reason": REPLACED})
        await parts.committer.write([Event(name="halted", detail={"reason": REPLACED})])

    def _chains(self) -> list[Path]:
        return chains(self._parts.settings.folder)

    def _present(self) -> set[str]:
        return {path.name for path in self._chains()}

    async def _retain(self) -> None:
        parts, now = self._parts, self._parts.clock()
        if 0 <= now - self._retained_at < DAY:
            return
        lock = FileLock.take(parts.settings.folder / "retention.lock")
        if lock is not None:
            try:
                await self.drop_expired(now - parts.settings.retention_days * DAY)
            finally:
                lock.release()
        self._retained_at = now

    async def drop_expired(self, before: float) -> None:
        """Drop whole segments that ended before that time: noted, then signed, then gone."""
        parts = self._parts
        folder = parts.settings.folder
        await asyncio.to_thread(close_stale, folder, before)
        if await asyncio.to_thread(_ended, folder / parts.record.name, before):
            # Any entry makes our own chain begin a new segment.
            await parts.committer.write([Event(name="retention", detail={"closed": 1})])
        found = await asyncio.to_thread(expired, folder, before)
        if not found:
            return
        await parts.committer.write([_dropping(each) for each in found])
        await self.checkpoint(retired={each.writer: each.through for each in found})
        for each in found:
            await asyncio.to_thread(drop, each)
        parts.tell("retention", {"segments": sum(len(each.paths) for each in found)})


def _dropping(each: Expired) -> Event:
    detail: dict[str, str | int | None] = {
        "writer": each.writer,
        "through": each.through.sequence,
        "segments": len(each.paths),
    }
    return Event(name="retention", detail=detail)


def _ended(chain: Path, before: float) -> bool:
    paths = segments(chain)
    ended = last_time(paths[-1]) if paths else None
    return ended is not None and ended < before
