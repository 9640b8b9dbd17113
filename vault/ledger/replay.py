"""Counts again what the store has lost: the record is the write-ahead log of the counters."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vault.audit.entry import DISCLOSURE, EVENT, Detail, Disclosure, Event, seconds
from vault.audit.group import Tail
from vault.audit.reading import read_chain
from vault.config import DAY
from vault.store.base import Charge, Mark, Replay, Store
from vault.store.books import REQUEST_SECONDS

CHUNK = 1_000
CRASH_SECONDS = 600
"""A store that lost older charges than this did not lose them in a crash."""

ChargeOf = Callable[[Disclosure], Charge | None]
"""What a recorded disclosure cost, by the configuration of today; None: nothing any more
(the client is gone). Without a request id: the charge is counted, not deduplicated."""


@dataclass(slots=True)
class Chain:
    """One chain that nobody else is writing, as it stands."""

    path: Path
    tail: Tail
    mark: Mark | None
    repaired: Detail | None = None

    @property
    def charged(self) -> int:
        """The last sequence whose charge the store has.

        It may have charged a group that was then never recorded: the process died between, or
        the disk failed. Its numbers were used again, first for an event, and what stands there
        now is not what was charged.
        """
        mark = self.mark
        if mark is None:
            return 0
        if mark.charged > mark.durable:
            first = next(read_chain(self.path, mark.durable), None)
            if not isinstance(first, Disclosure):
                return mark.durable
        return mark.charged

    def lost(self, since: float | None = None) -> Iterator[Disclosure]:
        """The disclosures whose charges the store does not know.

        A duplicate counts too where what it repeats does not stand before it here: that may
        have been charged and never recorded.
        """
        recent: dict[tuple[str, str | None], float] = {}
        unknown = read_chain(self.path, self.charged, since, only=DISCLOSURE)
        for entry in (each for each in unknown if isinstance(each, Disclosure)):
            request = entry.principal, entry.request_id
            if entry.duplicate and request in recent:
                continue
            now = recent[request] = seconds(entry.time)
            while recent[oldest := next(iter(recent))] < now - REQUEST_SECONDS:
                del recent[oldest]
            yield entry

    def lost_locks(self) -> Iterator[Event]:
        """Locks and unlocks that the store does not know, however old."""
        for entry in read_chain(self.path, self.charged, only=EVENT):
            if isinstance(entry, Event) and entry.name in ("lock", "unlock"):
                yield entry


async def replay(store: Store, chain: Chain, charge_of: ChargeOf, now: float) -> int:
    """Do again what the store has lost and what still counts; returns how many charges."""
    since, count = now - DAY, 0
    lost = chain.lost(since)
    while part := await asyncio.to_thread(lambda: list(islice(lost, CHUNK))):
        charges = [again for again in (_again(each, charge_of, since) for each in part) if again]
        await store.replay(chain.path.name, charges, part[-1].seq)
        count += len(charges)
    await store.replay(chain.path.name, (), chain.tail.sequence)  # it has all of it now
    return count


async def replay_locks(store: Store, chains: Sequence[Chain], *, shared: bool) -> None:
    """Lock and unlock again as the store has lost it, whichever worker did it: the last counts.

    Of a store that other machines share an unlock is left alone: they may have locked since,
    and a lock that comes back does no harm. To be done before `replay`, after which nothing of
    a chain is lost.
    """
    found = await asyncio.to_thread(
        lambda: [event for chain in chains for event in chain.lost_locks()]
    )
    last: dict[tuple[str, str | None], Event] = {}
    for event in sorted(found, key=lambda event: event.time):
        end_user = event.detail.get("end_user")
        key = str(event.detail.get("principal")), None if end_user is None else str(end_user)
        last[key] = event
    for (principal, end_user), event in last.items():
        if event.name == "lock":
            await store.lock(principal, end_user, str(event.detail.get("reason") or ""))
        elif not shared:
            await store.unlock(principal, end_user)


def _again(entry: Disclosure, charge_of: ChargeOf, since: float) -> Replay | None:
    at = seconds(entry.time)
    charge = charge_of(entry) if at >= since else None
    return Replay(at, charge) if charge is not None else None
