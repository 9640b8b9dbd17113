"""The group commit: one store transaction, one `fdatasync`, many answers.

While one group is being made durable the next one gathers. A group is decided in order by
the store, its admitted requests are numbered, written and synced, and only then answered.
The order is charge, record, answer: a crash between may charge for nothing, and forgets
nothing. Where the record fails nobody of the group is answered, and the numbers are used
again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import msgspec

from vault.audit.entry import Disclosure, Entry, Event, Receipt
from vault.audit.writer import AuditUnavailable, RecordWriter
from vault.errors import Refusal
from vault.store.base import Charge, Mark, Store, refusal_of

GROUP = 512
"""The most requests decided and written together: bounds the wait of the first of them."""

Tell = Callable[[str, Mapping[str, str | int | float]], None]
"""Telemetry's ear: the name of what happened and its facts, which never hold a value."""


def tell_nobody(name: str, facts: Mapping[str, str | int | float]) -> None: ...


@dataclass(slots=True, eq=False)
class _Waiting:
    """`charge` None: entries that cost nothing (events, aggregates); else one entry."""

    charge: Charge | None
    entries: Sequence[Entry]
    answer: asyncio.Future[Receipt]
    known: bool = False
    """The store has all that was recorded until then: nothing of it need be replayed."""


class Committer:
    """One a worker process: the only one that commits charges and writes the record."""

    def __init__(
        self, store: Store, record: RecordWriter, clock: Callable[[], float], tell: Tell
    ) -> None:
        self._store = store
        self._record = record
        self._clock = clock
        self._tell = tell
        self._queue: deque[_Waiting] = deque()
        self._idle: asyncio.Future[None] | None = None
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._disk = ThreadPoolExecutor(1, "record")
        self._charged = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="committer")

    @property
    def waiting(self) -> int:
        """How many are not in a group yet."""
        return len(self._queue)

    @property
    def mark(self) -> Mark:
        tail = self._record.tail
        return Mark(self._record.name, tail.sequence, tail.digest, self._charged)

    def settle(self, charge: Charge, entry: Disclosure) -> asyncio.Future[Receipt]:
        """The answer may be cancelled at any time: what was not yet charged is then dropped."""
        return self._put(_Waiting(charge, (entry,), _future()))

    def write(self, entries: Sequence[Entry], *, known: bool = False) -> asyncio.Future[Receipt]:
        """Record what costs nothing; the receipt is the last entry's.

        With no entry it is asked only whether the record can be written. `known`: the store is
        told afterwards that nothing up to there is to be replayed.
        """
        return self._put(_Waiting(None, entries, _future(), known))

    async def close(self) -> None:
        """Settle what is queued, take nothing more."""
        self._closing = True
        self._wake()
        if self._task is not None:
            await self._task
        self._disk.shutdown()

    def _put(self, waiting: _Waiting) -> asyncio.Future[Receipt]:
        if self._closing or self._task is None:
            waiting.answer.set_exception(Refusal("overloaded", "not serving", 1))
        else:
            self._queue.append(waiting)
            self._wake()
        return waiting.answer

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def _run(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle
            await self._commit(self._next_group())
            # Whoever was just answered may ask again at once: let that join the next group.
            await asyncio.sleep(0)

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        while self._queue and len(group) < GROUP:
            waiting = self._queue.popleft()
            if not waiting.answer.done():
                group.append(waiting)
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        try:
            await self._try_the_record()
            now, began = self._clock(), perf_counter()
            admitted = await self._charge(group, now)
            charged = perf_counter()
            await self._write(admitted, now)
            written = perf_counter()
            if any(waiting.known for waiting in admitted):
                # A commit of nothing, which a store that lost something refuses.
                await self._store.commit((), self.mark, now)
                self._charged = self._record.tail.sequence
            took = {"store_seconds": charged - began, "sync_seconds": written - charged}
            self._tell("group", {"size": len(group), **took})
        except Refusal as refusal:
            _fail(group, refusal)
        except Exception as error:  # noqa: BLE001 - a bug must not stop all later reveals
            self._tell("ledger_failed", {"error": type(error).__name__})
            _fail(group, Refusal("internal", "the ledger failed"))

    async def _try_the_record(self) -> None:
        """After a failure nothing is charged until the record takes an entry again."""
        trouble = self._record.trouble
        if trouble is None:
            return
        tail = self._record.tail
        if self._charged > tail.sequence:
            # Before those numbers are used again: the store would take what gets them for charged.
            await self._store.replay(self._record.name, (), tail.sequence)
            self._charged = tail.sequence
        await self._append([Event(name="resumed", detail={"after": trouble})], self._clock())
        self._tell("record_resumed", {})

    async def _charge(self, group: list[_Waiting], now: float) -> list[_Waiting]:
        """Those to be written, charged ones first, so that `Mark.charged` counts them."""
        paying = [waiting for waiting in group if waiting.charge is not None]
        free = [waiting for waiting in group if waiting.charge is None]
        if not paying:
            return free
        charges = [waiting.charge for waiting in paying if waiting.charge is not None]
        verdicts = await self._store.commit(charges, self.mark, now)
        admitted: list[_Waiting] = []
        for waiting, verdict in zip(paying, verdicts, strict=True):
            if verdict.code is not None:
                if not waiting.answer.done():
                    waiting.answer.set_exception(refusal_of(verdict))
                continue
            if verdict.duplicate:
                waiting.entries = [
                    msgspec.structs.replace(entry, duplicate=True) for entry in waiting.entries
                ]
            admitted.append(waiting)
        self._charged = self._record.tail.sequence + len(admitted)
        return admitted + free

    async def _write(self, admitted: list[_Waiting], now: float) -> None:
        entries = [entry for waiting in admitted for entry in waiting.entries]
        if entries:
            receipts = await self._append(entries, now)
        else:
            tail = self._record.tail
            receipts = [Receipt(self._record.name, tail.sequence, tail.digest)]
        at = 0
        for waiting in admitted:
            at += len(waiting.entries)
            if not waiting.answer.done():
                waiting.answer.set_result(receipts[at - 1])

    async def _append(self, entries: Sequence[Entry], now: float) -> list[Receipt]:
        group = self._record.prepare(entries, now)
        loop = asyncio.get_running_loop()
        told = self._record.trouble
        try:
            return await loop.run_in_executor(self._disk, self._record.write, group)
        except AuditUnavailable:
            trouble = self._record.trouble
            if trouble is not None and trouble != told:
                self._tell("record_unavailable", {"reason": trouble})
            raise


def _future() -> "asyncio.Future[Receipt]":
    return asyncio.get_running_loop().create_future()


def _fail(group: list[_Waiting], refusal: Refusal) -> None:
    for waiting in group:
        if not waiting.answer.done():  # an exception each: they grow a traceback each
            again = Refusal(refusal.code, refusal.detail, refusal.retry_after)
            waiting.answer.set_exception(again)
