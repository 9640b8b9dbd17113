"""What a group of charges touches, in memory: decided here, loaded and written by a store.

The decision itself is pure and the same for every store that can hold a transaction open.
Charges see what those before them in the group did; a refused one leaves no trace.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from vault.store.base import FREE_REPETITIONS, Charge, Limit, Lock, Replay, Verdict
from vault.store.windows import Window, bucket_of

REQUEST_SECONDS = 600.0
"""How long a request id is remembered."""

Key = tuple[str, str, int]
"""Which window: scope, name, seconds."""
RequestKey = tuple[str, str]
"""Principal and request id."""


def key_of(limit: Limit) -> Key:
    return (limit.scope, limit.name, limit.window)


@dataclass(slots=True)
class Request:
    """A request that was charged at a time, and how often it was repeated for nothing."""

    fingerprint: bytes
    at: float
    repetitions: int = 0


class Needs:
    """What has to be loaded before a group can be decided.

    `whole`: persons too that are more than a ceiling; else nobody looks at them, because
    they are refused by their number alone.
    """

    def __init__(self, charges: Iterable[Charge], *, whole: bool = False) -> None:
        self.windows: set[Key] = set()
        self.persons: dict[Key, set[bytes]] = {}
        self.requests: set[RequestKey] = set()
        self.principals: set[str] = set()
        known: set[int] = set()  # charges of one client share their limits
        for charge in charges:
            self.principals.add(charge.principal)
            if charge.request_id is not None:
                self.requests.add((charge.principal, charge.request_id))
            for limits in (charge.limits, charge.people):
                if id(limits) not in known:
                    known.add(id(limits))
                    self.windows.update(map(key_of, limits))
            for limit in charge.people:
                if whole or len(charge.persons) <= limit.ceiling:
                    self.persons.setdefault(key_of(limit), set()).update(charge.persons)


class Books:
    """The loaded windows, persons, request ids and locks of one transaction.

    `now` is the time that counts (see `Store.commit`), `asked` the caller's own, from which
    it waits. Whoever loads fills the four collections; whoever writes back reads the windows
    that have `changed`, `moved` and `noted`.
    """

    def __init__(self, now: float, asked: float) -> None:
        self.now = now
        self._asked = asked
        self.windows: dict[Key, Window] = {}
        self.persons: dict[Key, dict[bytes, int]] = {}
        """The bucket each was last seen in; those who left the window may be missing."""
        self.requests: dict[RequestKey, Request] = {}
        self.locks: set[Lock] = set()
        self.moved: dict[Key, dict[bytes, int]] = {}
        self.noted: dict[RequestKey, Request] = {}
        self._bound: dict[int, list[tuple[Limit, Key, Window]]] = {}

    def decide(self, charge: Charge) -> Verdict:
        """Lock, request id, limits, people: the first that does not allow it refuses it whole."""
        if self.locked(charge):
            return LOCKED
        known = None
        if charge.request_id is not None:
            known = self.requests.get((charge.principal, charge.request_id))
            if known is not None and known.fingerprint != charge.fingerprint:
                return Verdict("request_id_reused")
            if known is not None and self._repeats(charge, known):
                return _DUPLICATE
        refused = self._refusal(charge)
        if refused is not None:
            return refused
        self._charge(charge)
        if known is None:
            self._note(charge, self.now)
        return _ADMITTED

    def locked(self, charge: Charge) -> bool:
        if not self.locks:
            return False
        who = charge.principal
        return (who, None) in self.locks or (who, charge.end_user) in self.locks

    def replay(self, lost: Replay) -> None:
        """Count a charge at its own time, whatever the ceilings say; a duplicate once."""
        charge = lost.charge
        if charge.request_id is not None:
            known = self.requests.get((charge.principal, charge.request_id))
            if known is not None and self._repeats(charge, known):
                return
            if known is None and lost.at > self.now - REQUEST_SECONDS:
                self._note(charge, lost.at)
        for limit, _, window in self._bind(charge.limits):
            window.add_at(bucket_of(lost.at, limit.window), charge.items)
        for limit, key, window in self._bind(charge.people):
            self._see(charge.persons, key, window, bucket_of(lost.at, limit.window))

    def room(self, limits: Sequence[Limit]) -> int:
        """How many items all of `limits` have left."""
        return min(limit.ceiling - window.total for limit, _, window in self._bind(limits))

    def overspent(self, items: int, limits: Sequence[Limit]) -> Verdict | None:
        """The refusal of the limit that has the longest to wait; None where all have room."""
        worst: Verdict | None = None
        for limit, _, window in self._bind(limits):
            if window.total + items > limit.ceiling:
                worst = _longer(worst, limit, window.wait(items, limit, self._asked))
        return worst

    def charge_items(self, items: int, limits: Sequence[Limit]) -> None:
        for _, _, window in self._bind(limits):
            window.add(items)

    def give_back(self, items: int, limits: Sequence[Limit], leased_at: float) -> None:
        for limit, _, window in self._bind(limits):
            window.give_back(items, bucket_of(leased_at, limit.window))

    def _note(self, charge: Charge, at: float) -> None:
        if charge.request_id is not None:
            request = (charge.principal, charge.request_id)
            self.requests[request] = self.noted[request] = Request(charge.fingerprint, at)

    def _repeats(self, charge: Charge, known: Request) -> bool:
        """Once more for nothing, unless that was had too often."""
        if known.repetitions >= FREE_REPETITIONS:
            return False
        known.repetitions += 1
        assert charge.request_id is not None
        self.noted[charge.principal, charge.request_id] = known
        return True

    def _refusal(self, charge: Charge) -> Verdict | None:
        worst = self.overspent(charge.items, charge.limits)
        persons = charge.persons
        for limit, key, window in self._bind(charge.people):
            seen = self.persons.get(key)
            fresh = len(persons - seen.keys()) if seen else len(persons)
            if window.total + fresh > limit.ceiling:
                others = self._without(persons, key, window)
                worst = _longer(worst, limit, others.wait(len(persons), limit, self._asked))
        return worst

    def _without(self, persons: Set[bytes], key: Key, window: Window) -> Window:
        """The window as it would be had none of `persons` been seen."""
        others = Window(window.newest, window.counts)
        seen = self.persons.get(key, {})
        for person in persons & seen.keys():
            others.remove(1, seen[person])
        return others

    def _charge(self, charge: Charge) -> None:
        self.charge_items(charge.items, charge.limits)
        for _, key, window in self._bind(charge.people):
            self._see(charge.persons, key, window, window.newest)

    def _see(self, persons: Iterable[bytes], key: Key, window: Window, bucket: int) -> None:
        """Each person counts once, in the bucket last seen in."""
        if bucket < window.oldest:
            return
        seen = self.persons.setdefault(key, {})
        moved = self.moved.setdefault(key, {})
        for person in persons:
            last = seen.get(person)
            if last is not None:
                if last >= bucket:
                    continue
                window.remove(1, last)
            window.add_at(bucket, 1)
            seen[person] = moved[person] = bucket

    def _bind(self, limits: Sequence[Limit]) -> list[tuple[Limit, Key, Window]]:
        """Charges of one client share their limits: each such tuple is looked up once."""
        bound = self._bound.get(id(limits))
        if bound is None:
            keyed = [(limit, key_of(limit)) for limit in limits]
            bound = [(limit, key, self.windows[key]) for limit, key in keyed]
            self._bound[id(limits)] = bound
        return bound


LOCKED = Verdict("locked")
_ADMITTED = Verdict()
_DUPLICATE = Verdict(duplicate=True)


def _longer(worst: Verdict | None, limit: Limit, wait: int) -> Verdict:
    if worst is not None and worst.retry_after is not None and worst.retry_after >= wait:
        return worst
    return Verdict("budget_exhausted", limit.name, wait)
