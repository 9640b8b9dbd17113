"""The guard's state on Redis, shared by all workers and replicas: one script call a group.

Everything stands under the tag ``{jeton}``, in one slot:

=========  ==========================================================================
state      a hash: epoch, halted, generation, the latest time seen, which server answers
marks      a hash: writer to how far its record is durable and charged
locks      a hash: (principal, end user) to the reason
queue      a list: every window once, for the sweeper
gone       a hash: the marks of machines that were not heard of for a day
awaited    a set: the writers that have not been heard of since another server answers
``w...``   a string: the buckets of one window
``p...``   a sorted set: the persons of one window, by the bucket last seen in
``r...``   a string: a request id, forgotten after ten minutes
=========  ==========================================================================

Windows do not expire by Redis's clock, which may jump: the sweeper takes out what has left by
the time that counts, which moves on only where a caller's clock and Redis's both say so.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NoReturn

import msgspec

from vault.errors import Refusal, SetUpError
from vault.store.base import (
    FREE_REPETITIONS,
    Charge,
    Lease,
    Limit,
    Lock,
    Mark,
    Replay,
    State,
    Verdict,
    halted,
    refusal_of,
    went_back,
)
from vault.store.redis.link import Link, Script
from vault.store.redis.packing import LOCKS, QUEUE, STATE, Packed, who
from vault.store.redis.replies import FEW, LATE, LOST

SCHEMA = "1"
PERSONS_AT_ONCE = 10_000
"""One call decides charges of about so many persons: Redis answers nobody else meanwhile."""
SWEPT_AT_ONCE = 256
"""Windows looked at in one sweep, once a second and for every half as many new ones."""
LOCKS_AT_ONCE = 1_000

_SIMPLE = (Verdict(), Verdict(duplicate=True), Verdict("locked"), Verdict("request_id_reused"))
_WORDS = {
    "epoch": "the store was emptied or replaced: reveals stop until an operator accepts that",
    "stale": "a later group was decided meanwhile",
    "settling": "another server keeps the store now: its charges are being compared",
}

UNKNOWN = frozenset({FEW, LATE, LOST})
"""A link's refusals after which a call may have been carried out."""


class RedisStore:
    """See `vault.store.base.Store`; made by `open`.

    `trusted`: the callers keep the time, whatever Redis's clock says. Only for tests.
    """

    def __init__(self, link: Link, epoch: str, trusted: bool = False) -> None:
        self._link = link
        self._epoch = epoch
        self._trusted = trusted
        self._mark: Mark | None = None
        self._asked_for_all = False
        self._process = os.urandom(8).hex()
        self._number = 0
        self._new_windows = 0
        self._swept_at = time.monotonic()
        self._sweeping: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, link: Link, trusted: bool = False) -> "RedisStore":
        """Over a link, which is the store's from then on. Raises SetUpError for another
        version's state, Refusal (store_unavailable)."""
        try:
            call = {
                "op": "open",
                "epoch": os.urandom(16).hex(),
                "schema": SCHEMA,
                "trusted": trusted,
            }
            epoch, schema = await _run(link, Packed(), call)
            if schema != SCHEMA:
                raise SetUpError(
                    "what stands under {jeton} in this Redis is of another version of Jeton (schema"
                    f" {schema}, not {SCHEMA}): run that one, or name another database in store.url"
                )
        except BaseException:
            await link.close()
            raise
        return cls(link, epoch, trusted)

    async def commit(self, group: Sequence[Charge], mark: Mark, now: float) -> list[Verdict]:
        verdicts: list[Verdict] = []
        admitted = 0
        for part in _parts(group):
            packed = Packed()
            for charge in part:
                packed.add(charge)
            self._number += 1
            answer = await self._ask_twice(
                "commit",
                packed,
                mark=(mark.writer, mark.durable, mark.digest, mark.charged),
                now=now,
                admitted=admitted,
                process=self._process,
                number=self._number,
            )
            decided = [_verdict(each, packed) for each in answer[0]]
            admitted += sum(verdict.code is None for verdict in decided)
            verdicts += decided
            self._sweep_when_due(answer[1])
        self._mark = Mark(mark.writer, mark.durable, mark.digest, mark.durable + admitted)
        return verdicts

    async def lease(self, charge: Charge, share: int, now: float) -> Lease:
        packed = Packed()
        packed.add(charge)
        granted, at, new = await self._ask("lease", packed, share=share, now=now)
        if isinstance(granted, list) or not at:
            raise refusal_of(_verdict(granted, packed))
        self._sweep_when_due(new)
        return Lease(granted, at)

    async def give_back(self, limits: Sequence[Limit], items: int, leased_at: float) -> None:
        packed = Packed()
        packed.bind(limits)
        await self._ask("give_back", packed, items=items, leased_at=leased_at)

    async def replay(self, writer: str, charges: Sequence[Replay], charged: int) -> None:
        """In parts: one that fails leaves some counted, which are counted twice then and
        never not at all."""
        parts = _parts([lost.charge for lost in charges])
        times = iter(charges)
        for number, part in enumerate(parts, 1):
            packed, latest = Packed(), 0.0
            for charge in part:
                at = next(times).at
                latest = max(latest, at)
                packed.add(charge, at, whole=True)
            told = charged if number == len(parts) else None
            [new] = await self._ask("replay", packed, writer=writer, now=latest, charged=told)
            self._sweep_when_due(new)

    async def state(self) -> State:
        mark = self._mark
        known = None if mark is None else (mark.writer, 0, "", mark.charged)
        # Those of machines that are gone are of use to one that is back, at its start.
        told = await self._ask("state", mark=known, gone=not self._asked_for_all, writes=False)
        self._asked_for_all = True
        epoch, halted, generation, marks = told
        return State(
            epoch,
            halted or None,
            generation,
            {
                writer: Mark(writer, *mark[:3])
                for writer, mark in zip(marks[::2], marks[1::2], strict=True)
            },
        )

    async def set_mark(self, mark: Mark) -> None:
        packed = (mark.writer, mark.durable, mark.digest, mark.charged)
        await self._ask("set_mark", mark=packed)

    async def halt(self, reason: str) -> None:
        """And serve from the store as it is from then on, should it be another one."""
        fresh = os.urandom(16).hex()
        [self._epoch] = await self._ask("halt", reason=reason, fresh=fresh, schema=SCHEMA)

    async def resume(self) -> None:
        await self._ask("resume")

    async def raise_generation(self, generation: int) -> int:
        [before] = await self._ask("raise_generation", generation=generation)
        return int(before)

    async def lock(self, principal: str, end_user: str | None, reason: str) -> None:
        await self._ask("lock", who=who(principal, end_user), reason=reason)

    async def unlock(self, principal: str, end_user: str | None) -> bool:
        [gone] = await self._ask("unlock", who=who(principal, end_user))
        return bool(gone)

    async def locks(self) -> frozenset[Lock]:
        found: set[Lock] = set()
        cursor: bytes | int = 0
        while True:
            epoch, (cursor, fields) = await self._link.ask(
                [("HGET", STATE, "epoch"), ("HSCAN", LOCKS, cursor, "COUNT", LOCKS_AT_ONCE)]
            )
            if epoch is None or epoch.decode() != self._epoch:
                _refuse("epoch")
            found.update(msgspec.json.decode(field, type=Lock) for field in fields[::2])
            if int(cursor) == 0:
                return frozenset(found)

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await self._link.close()

    async def _ask(
        self, op: str, packed: Packed | None = None, *, writes: bool = True, **given: object
    ) -> Any:
        """What follows the script's ``ok``. Raises Refusal for anything else it says."""
        call = {"op": op, "epoch": self._epoch, "trusted": self._trusted, "free": FREE_REPETITIONS}
        said, *answer = await _run(self._link, packed or Packed(), call | given, writes=writes)
        if said != "ok":
            _refuse(said, *answer)
        return answer

    async def _ask_twice(self, op: str, packed: Packed, **given: Any) -> Any:
        """For a group, which has a number: where nobody knows whether it was decided, the script
        does, and what was decided stands."""
        try:
            return await self._ask(op, packed, **given)
        except Refusal as refusal:
            if refusal.detail not in UNKNOWN:
                raise
        return await self._ask(op, packed, **given)

    # Sweeping --------------------------------------------------------------------------------

    def _sweep_when_due(self, new: int) -> None:
        """Twice as many windows are looked at as are made, so that at most half are old."""
        self._new_windows += new
        due = time.monotonic() >= self._swept_at + 1 or self._new_windows >= SWEPT_AT_ONCE // 2
        if due and (self._sweeping is None or self._sweeping.done()):
            self._sweeping = asyncio.create_task(self._sweep(), name="store sweeper")

    async def _sweep(self) -> None:
        """Beside the answers. What cannot be swept now is swept another time."""
        with contextlib.suppress(Refusal):
            while True:
                self._new_windows = max(0, self._new_windows - SWEPT_AT_ONCE // 2)
                self._swept_at = time.monotonic()
                [entries] = await self._link.ask([("LRANGE", QUEUE, 0, SWEPT_AT_ONCE - 1)])
                packed = Packed()
                for entry in entries:
                    packed.queued(entry)
                if entries:
                    await self._ask("sweep", packed)
                if self._new_windows < SWEPT_AT_ONCE // 2:
                    return


def _source() -> str:
    here = files(__package__)
    return "".join(here.joinpath(name).read_text("utf-8") for name in ("books.lua", "guard.lua"))


_SCRIPT = Script(_source())


async def _run(link: Link, packed: Packed, call: dict[str, object], *, writes: bool = True) -> Any:
    answer = await link.run(_SCRIPT, packed.keys, packed.arguments(call), writes=writes)
    return msgspec.msgpack.decode(answer)


def _parts(group: Sequence[Charge]) -> list[list[Charge]]:
    """At least one, in order."""
    parts: list[list[Charge]] = [[]]
    persons = 0
    for charge in group:
        persons += len(charge.persons)
        if persons > PERSONS_AT_ONCE and parts[-1]:
            parts.append([])
            persons = len(charge.persons)
        parts[-1].append(charge)
    return parts


def _verdict(said: Any, packed: Packed) -> Verdict:
    if isinstance(said, int):
        return _SIMPLE[said]
    number, wait = said
    return Verdict("budget_exhausted", packed.names[number - 1], wait)


def _refuse(said: str, reason: str = "") -> NoReturn:
    if said == "halted":
        raise halted(reason)
    if said == "lost":
        raise went_back()
    raise Refusal("store_unavailable", _WORDS[said], 1)
