"""A store beside a naive, exact model: what any store must agree with, move by move.

The model keeps every charge it ever admitted and counts anew each time. `machine` makes a
hypothesis state machine for an implementation; on top of agreeing with the model it holds the
contract itself, by real times and not by buckets: in no interval of a window's length is
there more than the ceiling, neither of items nor of persons.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from vault.errors import Refusal
from vault.store.base import BUCKETS, FREE_REPETITIONS, Charge, Limit, Mark, Store

MINUTE, TEN = 60, 600
SHORT = Limit("a", "reveal.short", MINUTE, 6)
LONG = Limit("a", "reveal.long", TEN, 11)
OTHER = Limit("b", "reveal.short", MINUTE, 3)
PEOPLE_SHORT = Limit("a", "people.short", MINUTE, 2)
PEOPLE = Limit("a", "people.long", TEN, 4)
OpenStore = Callable[[], Coroutine[None, None, Store]]

ITEM_LIMITS, PEOPLE_LIMITS = (SHORT, LONG, OTHER), (PEOPLE_SHORT, PEOPLE)
CEILINGS = {(each.scope, each.name): each for each in (*ITEM_LIMITS, *PEOPLE_LIMITS)}

LIMITS = st.sampled_from([(SHORT, LONG), (LONG,), (OTHER, LONG), (OTHER,), ()])
CHARGES = st.builds(
    Charge,
    principal=st.sampled_from(["p", "q"]),
    end_user=st.sampled_from([None, "u"]),
    items=st.integers(1, 7),
    limits=LIMITS,
    persons=st.frozensets(st.integers(1, 7).map(lambda n: bytes([n]) * 16), max_size=5),
    people=st.sampled_from([(), (PEOPLE,), (PEOPLE_SHORT, PEOPLE)]),
    request_id=st.sampled_from([None, None, "r1", "r2"]),
    fingerprint=st.sampled_from([b"f", b"g"]),
)
REPEATED = st.builds(
    lambda charge, times: [replace(charge, request_id="r1", items=1)] * times,
    CHARGES,
    st.integers(8, 20),
)
STEPS = st.sampled_from([0.0, 0.25, 1.0, 3.0, 29.5, 59.0, 60.0, 61.0, 300.0, 601.0])


@dataclass
class Spent:
    at: float
    limit: Limit
    items: int
    persons: frozenset[bytes] = frozenset()


class Model:
    """Decides like a store, from the full history."""

    def __init__(self) -> None:
        self.spent: list[Spent] = []
        self.requests: dict[tuple[str, str], list[tuple[bytes, float]]] = {}
        """Every time that an id was admitted since it was last forgotten."""
        self.locks: set[tuple[str, str | None]] = set()

    def decide(self, charge: Charge, now: float) -> str:
        if self.locked(charge):
            return "locked"
        admitted = self.requests.setdefault((charge.principal, charge.request_id or ""), [])
        if not charge.request_id or (admitted and admitted[0][1] <= now - 600):
            admitted.clear()
        if admitted and admitted[0][0] != charge.fingerprint:
            return "request_id_reused"
        if 1 <= len(admitted) <= FREE_REPETITIONS:
            admitted.append((charge.fingerprint, now))
            return "duplicate"
        if not self.fits(charge, now):
            return "budget_exhausted"
        admitted.append((charge.fingerprint, now))
        self.spent += [Spent(now, limit, charge.items) for limit in charge.limits]
        self.spent += [Spent(now, limit, 0, charge.persons) for limit in charge.people]
        return "admitted"

    def locked(self, charge: Charge) -> bool:
        return bool({(charge.principal, None), (charge.principal, charge.end_user)} & self.locks)

    def fits(self, charge: Charge, now: float) -> bool:
        return all(self.items(limit, now) + charge.items <= limit.ceiling for limit in charge.limits
        ) and all(
            len(self.persons(limit, now) | charge.persons) <= limit.ceiling
            for limit in charge.people
        )  # fmt: skip

    def items(self, limit: Limit, now: float) -> int:
        return sum(spent.items for spent in self._within(limit, now))

    def persons(self, limit: Limit, now: float) -> frozenset[bytes]:
        return frozenset().union(*(spent.persons for spent in self._within(limit, now)))

    def room(self, limits: tuple[Limit, ...], now: float) -> int:
        return min(limit.ceiling - self.items(limit, now) for limit in limits)

    def _within(self, limit: Limit, now: float) -> list[Spent]:
        width = limit.window / BUCKETS
        oldest = now // width - BUCKETS
        return [each for each in self.spent if each.limit == limit and each.at // width >= oldest]

    def check(self) -> None:
        """Ends of the intervals at the charges themselves: those are the fullest."""
        for end in self.spent[-8:]:
            limit = end.limit
            inside = [
                each
                for each in self.spent
                if each.limit == limit and end.at - limit.window <= each.at <= end.at
            ]
            persons = frozenset().union(*(each.persons for each in inside))
            assert sum(each.items for each in inside) <= limit.ceiling
            assert len(persons) <= limit.ceiling


class StoreMachine(RuleBasedStateMachine):
    def __init__(self, openings: Sequence[OpenStore], clean_up: Callable[[], None]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stores = [self.runner.run(opening()) for opening in openings]
        self.clean_up = clean_up
        self.model = Model()
        self.now = 1_800_000_000.0
        self.leases: list[list[Spent]] = []

    @rule(step=STEPS)
    def time_passes(self, step: float) -> None:
        self.now += step

    @rule(
        group=st.lists(CHARGES, min_size=1, max_size=6) | REPEATED,
        behind=st.sampled_from([0.0, 0.0, 0.5, 100.0]),
        which=st.integers(0, 1),
    )
    def commit(self, group: list[Charge], behind: float, which: int) -> None:
        """`behind`: a caller whose clock is slow."""
        store = self.stores[which]
        self.now_seen()
        mark = Mark("w0", 1000, "00")
        verdicts = self.runner.run(store.commit(group, mark, self.now - behind))
        expected = []
        for charge, verdict in zip(group, verdicts, strict=True):
            said = verdict.code or ("duplicate" if verdict.duplicate else "admitted")
            expected.append(self.model.decide(charge, self.now))
            assert said == expected[-1]
            if verdict.code == "budget_exhausted":
                assert verdict.retry_after is not None
                self.check_wait(charge, verdict.limit, verdict.retry_after - behind)
        state = self.runner.run(store.state())
        admitted = sum(said in {"admitted", "duplicate"} for said in expected)
        assert state.marks["w0"] == replace(mark, charged=1000 + admitted)

    def now_seen(self) -> None:
        """The store learns the time, so that a slow clock is one."""
        self.runner.run(self.stores[0].commit([], Mark("w1", 0, ""), self.now))

    def check_wait(self, charge: Charge, named: str | None, wait: float) -> None:
        """After the wait it fits, a second earlier it does not; what never fits is told so."""
        limits = (*charge.limits, *charge.people)
        [limit] = {each for each in limits if each.name == named}
        never = [each for each in charge.limits if charge.items > each.ceiling]
        never += [each for each in charge.people if len(charge.persons) > each.ceiling]
        if limit in never:
            assert not self.model.fits(charge, self.now + 10_000)
        elif not never:
            assert self.model.fits(charge, self.now + wait)
            assert wait <= 1 or not self.model.fits(charge, self.now + wait - 1)

    @rule(charge=CHARGES.filter(lambda charge: charge.limits), share=st.integers(1, 12))
    def lease(self, charge: Charge, share: int) -> None:
        items, room = charge.items, self.model.room(charge.limits, self.now)
        locked = self.model.locked(charge)
        if locked or room < items:
            try:
                self.runner.run(self.stores[0].lease(charge, share, self.now))
            except Refusal as refusal:
                expected = "locked" if locked else "budget_exhausted"
                assert refusal.code == expected  # noqa: PT017 - no test function
                return
            raise AssertionError("a lease beyond the limit or a lock was granted")
        granted = self.runner.run(self.stores[0].lease(charge, share, self.now)).items
        assert granted == max(items, min(share, room))
        lease = [Spent(self.now, limit, granted) for limit in charge.limits]
        self.leases.append(lease)
        self.model.spent += lease

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        lease = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        items = data.draw(st.integers(1, lease[0].items))
        limits = tuple(spent.limit for spent in lease)
        self.now_seen()  # buckets that the model counts as gone are gone for the store too
        self.runner.run(self.stores[1].give_back(limits, items, lease[0].at))
        for spent in lease:
            spent.items -= items

    @rule(principal=st.sampled_from(["p", "q"]), end_user=st.sampled_from([None, "u"]))
    def lock_or_unlock(self, principal: str, end_user: str | None) -> None:
        who = (principal, end_user)
        if who in self.model.locks:
            assert self.runner.run(self.stores[1].unlock(*who))
            self.model.locks.remove(who)
        else:
            self.runner.run(self.stores[0].lock(*who, "reason"))
            self.model.locks.add(who)
        assert self.runner.run(self.stores[1].locks()) == self.model.locks

    @invariant()
    def nothing_is_ever_overspent(self) -> None:
        self.model.check()

    def teardown(self) -> None:
        for store in self.stores:
            self.runner.run(store.close())
        self.runner.close()
        self.clean_up()


def machine(
    make: Callable[[], tuple[Sequence[OpenStore], Callable[[], None]]],
) -> type[RuleBasedStateMachine]:
    """The machine for two openings of one fresh store, which `make` gives with its clean-up."""

    class OfStore(StoreMachine):
        def __init__(self) -> None:
            super().__init__(*make())

    return OfStore
