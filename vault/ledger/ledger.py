"""The ledger: every disclosure is charged, recorded durably, and then only answered."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from vault.audit.checkpoint import Checkpoints
from vault.audit.entry import Detail, Disclosure, Event, Receipt
from vault.audit.group import Tail
from vault.audit.names import ours
from vault.audit.segment import chains
from vault.audit.writer import DamagedError, RecordWriter
from vault.config import Audit
from vault.errors import JetonError, Refusal
from vault.ledger.aggregates import Aggregates
from vault.ledger.committer import Committer, Tell, tell_nobody
from vault.ledger.lease import Leases
from vault.ledger.locks import Locks
from vault.ledger.maintenance import Maintenance, Parts
from vault.ledger.replay import ChargeOf
from vault.ledger.witnessing import Witnessing
from vault.store.base import Charge, Mark, Store


class Ledger:
    """One worker's; made by `vault.ledger.recovery.open_ledger`, then `start`, at last `close`."""

    def __init__(
        self,
        settings: Audit,
        store: Store,
        record: RecordWriter,
        checkpoints: Checkpoints,
        *,
        generation: int,
        epoch: str,
        charge_of: ChargeOf,
        clock: Callable[[], float],
        tell: Tell = tell_nobody,
    ) -> None:
        self._store = store
        self._record = record
        self._checkpoints = checkpoints
        self._folder = settings.folder
        self._settings = settings
        self._committer = Committer(store, record, clock, tell)
        self._locks = Locks(store)
        self._leases = Leases(store, self._locks, clock)
        self._aggregates = Aggregates(clock)
        self._parts = Parts(
            settings=settings,
            store=store,
            record=record,
            checkpoints=checkpoints,
            committer=self._committer,
            leases=self._leases,
            locks=self._locks,
            aggregates=self._aggregates,
            clock=clock,
            tell=tell,
            generation=generation,
            epoch=epoch,
            charge_of=charge_of,
        )
        self.maintenance = Maintenance(self._parts)
        self._witnessing = Witnessing(settings, checkpoints.public_key, clock, tell, self._halt)
        self.check_lock = self._locks.check
        self.spend_now = self._leases.spend_now
        self.spend = self._leases.spend
        self.tokenised = self._aggregates.tokenised
        self.refused = self._aggregates.refused

    @property
    def writer(self) -> str:
        """The name of this worker's chain."""
        return self._record.name

    @property
    def can_spend(self) -> bool:
        """Whether some share is in hand, should the store be away."""
        return self._leases.any_in_hand

    @property
    def trouble(self) -> str | None:
        """Why the record could not be written the last time, or is not witnessed; None while all
        is well."""
        return self._record.trouble or self._witnessing.trouble

    async def start(self) -> None:
        """Begin to settle. Raises Refusal where the start cannot be recorded."""
        await self._locks.read()
        self._committer.start()
        await self.maintenance.checkpoint()  # before the first entry: a record has checkpoints
        await self.event("start")
        self.maintenance.start()
        self._witnessing.start()

    def renew(self, generation: int, charge_of: ChargeOf) -> None:
        """Go on under a new configuration: its keyset's generation, what its charges are."""
        self._parts.generation, self._parts.charge_of = generation, charge_of

    async def close(self) -> None:
        """Settle what is queued, give back what is leased, sign, and leave the chain."""
        await self.maintenance.stop()
        for duty in (self.maintenance.flush, self._leases.close):
            await _at_best(duty())
        await _at_best(self._stop_event())
        await self._committer.close()
        for duty in (self.maintenance.mark, self.maintenance.checkpoint):
            await _at_best(duty())
        await _at_best(self._witnessing.close())
        self._record.close()

    async def settle(self, charge: Charge, disclosure: Disclosure) -> Receipt:
        """Charge and record a disclosure; once this returns it may be answered.

        Cancelling the call loses nothing: what the store has charged is recorded. Raises
        Refusal: request_id_reused, locked, budget_exhausted, store_unavailable,
        audit_unavailable; then nothing may be answered. The service counts it (`refused`).
        """
        if (trouble := self._witnessing.trouble) is not None:
            raise Refusal("audit_unavailable", trouble, 5)
        await self._locks.told()
        return await self._committer.settle(charge, disclosure)

    async def event(self, name: str, detail: Detail | None = None) -> Receipt:
        """Record an event. Raises Refusal (audit_unavailable)."""
        return await self._committer.write([Event(name=name, detail=detail or {})])

    async def lock(self, principal: str, end_user: str | None, reason: str) -> None:
        """Refuse every later charge of the principal, or of one of its end users.

        It holds here at once, and elsewhere as soon as the store can be told. Raises Refusal
        (store_unavailable, audit_unavailable), after as much was done as can be.
        """
        self._locks.hold((principal, end_user), reason)
        try:
            await self._locks.read()
        except Refusal:
            await self.event("lock", _who(principal, end_user, reason))  # a start brings it back
            raise
        await self._committer.write(
            [Event(name="lock", detail=_who(principal, end_user, reason))], known=True
        )

    async def unlock(self, principal: str, end_user: str | None, reason: str | None = None) -> bool:
        """False where it was not locked."""
        await self.event("unlock", _who(principal, end_user, reason))
        unlocked = await self._store.unlock(principal, end_user)
        await self._committer.write((), known=True)
        await self._locks.read()
        return unlocked

    async def alarm(
        self, detail: Detail, principal: str | None, end_user: str | None = None
    ) -> None:
        """Somebody asked for a person who does not exist: lock `principal` (where it is said), or
        one of its end users alone, and record it. What fails keeps nothing else from being done.
        """
        if principal is not None:
            await self._try_to(self.lock(principal, end_user, "honeytoken"))
        await self._try_to(self._alarmed(detail))

    async def accept_state(self, reason: str) -> None:
        """An operator says that store and record may go on as they are: reveals resume.

        Raises Refusal where that cannot be recorded, OSError.
        """
        state = await self._store.state()
        detail: Detail = {"reason": reason, "epoch": state.epoch, "halted": state.halted}
        await self.event("state_accepted", detail)
        for mark in await asyncio.to_thread(self._tails, state.marks):
            await self._store.set_mark(mark)
        await self._store.resume()
        await self.maintenance.checkpoint()

    def _tails(self, marks: dict[str, Mark]) -> list[Mark]:
        """Where the chains really are; those of other live writers are theirs to tell."""
        found: list[Mark] = []
        folders = {chain.name: chain for chain in chains(self._folder)}
        writers = ours(marks, self._settings.host or "", folders) | folders.keys()
        for writer in sorted(writers):
            if writer == self.writer:
                tail = self._record.tail
            elif writer not in folders:
                tail = Tail(0, "")
            else:
                try:
                    other = RecordWriter.take(folders[writer])
                except DamagedError:
                    continue
                if other is None:
                    continue
                tail = other.tail
                other.close()
            found.append(Mark(writer, tail.sequence, tail.digest))
        return found

    async def _halt(self, reason: str) -> None:
        """Stop reveals until an operator accepts the state, on the record."""
        if (await self._store.state()).halted is None:
            await self._store.halt(reason)
            self._parts.tell("halted", {"reason": reason})
            await self.event("halted", {"reason": reason})

    async def _alarmed(self, detail: Detail) -> None:
        await self.event("honeytoken", detail)

    async def _try_to(self, duty: Awaitable[None]) -> None:
        try:
            await duty
        except (JetonError, OSError) as error:
            self._parts.tell("duty_failed", {"duty": "alarm", "error": type(error).__name__})

    async def _stop_event(self) -> None:
        await self.event("stop")


def _who(principal: str, end_user: str | None, reason: str | None) -> Detail:
    return {"principal": principal, "end_user": end_user, "reason": reason}


async def _at_best(duty: Awaitable[None]) -> None:
    """Closing goes on whatever fails: what was acknowledged is durable already."""
    with contextlib.suppress(JetonError, OSError):
        await duty
