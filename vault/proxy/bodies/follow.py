"""Follows paths down a tree, JSON or XML: which scalars rules select, under which conditions.

Where paths lead is looked up (`ways`). A filter makes a condition that what stands beside the
selected will settle, and a context selector a scope whose end settles that there is none: until
then a scalar is held in a `Slot`.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

from vault.proxy.bodies.jsonpath import Test
from vault.proxy.bodies.pieces import Field, Rule
from vault.proxy.bodies.ways import Hit, Plan, State, Way


class Condition:
    """A filter on one child."""

    __slots__ = ("_met", "_tests", "closed")

    def __init__(self, tests: Sequence[Test]) -> None:
        self._tests = tests
        self._met: list[bool | None] = [None] * len(tests)
        self.closed = False

    def saw(self, number: int, scalar: tuple[bool, str] | None) -> None:
        """What test `number` asks about stands there; None is a container. Of members that
        stand there twice either counts: readers differ, and what is selected does not pass."""
        test = self._tests[number]
        fits = not test.literals or (scalar in test.literals) == test.equal
        self._met[number] = self._met[number] or fits

    def verdict(self) -> bool | None:
        """None while it may turn out either way."""
        met = self._met
        if all(met):
            return True
        if not self.closed:
            return None
        pairs = zip(self._tests, met, strict=True)
        return all(m or (m is None and not test.equal) for test, m in pairs)


Conditions = tuple[Condition, ...]


def settled(conditions: Conditions) -> bool | None:
    verdict: bool | None = True
    for condition in conditions:
        one = condition.verdict()
        if one is False:
            return False
        verdict = verdict and one
    return verdict


class Scope:
    """Where a context is looked for: what its selector has found there, the first one counts."""

    __slots__ = ("_found", "closed")

    def __init__(self) -> None:
        self._found: list[tuple[Slot, Conditions]] = []
        self.closed = False

    def add(self, slot: "Slot", conditions: Conditions) -> None:
        self._found = [one for one in self._found if settled(one[1]) is not False]
        if not self._found or settled(self._found[0][1]) is None:
            self._found.append((slot, conditions))

    def first(self) -> "tuple[bool, Slot | None]":
        """Whether that is settled, and what it is."""
        for slot, conditions in self._found:
            verdict = settled(conditions)
            if verdict is not False:
                return verdict is True, slot
        return self.closed, None


class Slot:
    """A scalar that may be a field."""

    __slots__ = ("_chosen", "_dropped", "_encode", "_field", "_options", "raw", "text")

    def __init__(
        self, text: str, raw: bytes, encode: Callable[[str], bytes], *, dropped: bytes = b""
    ) -> None:
        self._dropped = dropped
        self.text = text
        self.raw = raw
        self._encode = encode
        self._options: list[tuple[int, Rule, Conditions, Sequence[Scope]]] = []
        self._chosen = False
        self._field: Field | None = None

    def offer(
        self, number: int, rule: Rule, conditions: Conditions, scopes: Sequence[Scope]
    ) -> None:
        """`scopes`: where its context is looked for, one after another."""
        self._options.append((number, rule, conditions, scopes))
        if len(self._options) > 1:
            self._options.sort(key=lambda option: option[0])

    @property
    def offered(self) -> bool:
        return bool(self._options)

    def choose(self) -> tuple[bool, Field | None]:
        """Whether it is settled which rule has it, and the field if one has; the first counts."""
        if self._chosen:
            return True, self._field
        while self._options:
            _, rule, conditions, _ = self._options[0]
            verdict = settled(conditions) if conditions else True
            if verdict is None:
                return False, None
            if verdict:
                self._field = Field(self.text, rule, self.raw, self._encode, dropped=self._dropped)
                break
            self._options.pop(0)
        self._chosen = True
        return True, self._field

    def resolve(self) -> Field | bytes | None:
        """The piece, its context found; None while that is open."""
        done, field = self.choose()
        if not done or field is None:
            return self.raw if done else None
        for scope in self._options[0][3]:
            done, slot = scope.first()
            if not done:
                return None
            if slot is not None:
                done, other = slot.choose()
                if not done:
                    return None
                field.context = other or slot.text
                break
        return field


Goal = int | Scope | tuple[Condition, int]
"""A rule by its number, a scope to be told of a context, a test of a condition."""
Hits = Sequence[tuple[Goal, Conditions]]
Bound = tuple[Any, ...]
"""Conditions and scopes; the plan says which stands where."""


class Place:
    """One open container of a document."""

    __slots__ = ("bound", "own", "state")

    def __init__(self, state: State, bound: Bound = (), own: Bound = ()) -> None:
        self.state = state
        self.bound = bound
        """What its threads name by number."""
        self.own = own
        """What of it ends with the container."""

    def close(self) -> bool:
        """Whether anything was settled by its end."""
        for one in self.own:
            one.closed = True
        return bool(self.own)


class Follower:
    """Goes through one body after a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.rules = plan.rules
        self._root = Place(plan.root.state)

    def open_root(self) -> tuple[Place, Hits]:
        """The place above a document."""
        way = self._plan.root
        own: Bound = tuple([Scope() for _ in range(way.state.size)])
        self._root = Place(way.state, own, own)
        return self._root, _met(way.hits, own)

    def close_root(self) -> None:
        self._root.close()

    def way(self, place: Place, name: str | int) -> Way:
        """Where a member or an element leads."""
        state = place.state
        if isinstance(name, str) and (name in state.names or not state.locals):
            known = state.ways.get(name if name in state.names else None)
        else:
            known = state.ways.get(state.key(name))
        return known or self._plan.way(state, name)

    def enter(self, place: Place, way: Way) -> tuple[Place, Hits]:
        """Go into a container; the goals that it reaches itself."""
        state = way.state
        if state is place.state and not (way.tests or state.scopes or way.hits or place.own):
            return place, ()  # one like it, and nothing of their own
        bound = _kept(place, way)
        own: Bound = ()
        if way.tests or state.scopes:
            own = _conditions(way) + tuple([Scope() for _ in state.scopes])
            bound += own
        return Place(state, bound, own), _met(way.hits, bound) if way.hits else ()

    def scalar(self, place: Place, way: Way) -> Hits:
        """The goals that a scalar reaches."""
        if not way.hits:
            return ()
        conditions = _conditions(way)
        for condition in conditions:
            condition.closed = True
        return _met(way.hits, _kept(place, way) + conditions)

    def leaf(self, place: Place, name: str) -> Hits:
        """The goals at a leaf of this name, which no wildcard means (an attribute, a text)."""
        hits = place.state.leaf(name)
        return _met(hits, place.bound) if hits else ()

    def certain(self, hits: Hits) -> Rule | None:
        """The rule that has a leaf with these goals, if nothing else of the document counts."""
        if len(hits) != 1:
            return None
        goal, conditions = hits[0]
        if not isinstance(goal, int) or conditions or self._plan.contexts[goal]:
            return None
        return self.rules[goal]

    def scopes(self, number: int, above: Callable[[int], Place | None]) -> Sequence[Scope]:
        """Where the context of a field that rule `number` selects is looked for, one after
        another; `above` gives the place so many above the one that holds the field."""
        contexts = self._plan.contexts[number]
        if not contexts:
            return ()
        found: list[Scope] = []
        for context in contexts:
            if context.relative:
                place = above(context.up)
                at = place.state.scopes.get(context.steps) if place is not None else None
            else:
                place, at = self._root, self._plan.absolute[context.steps]
            if place is not None and at is not None:
                found.append(place.bound[at])
        return found


def _kept(place: Place, way: Way) -> Bound:
    bound, keep = place.bound, way.keep
    return bound if keep is None else tuple([bound[at] for at in keep])


def _conditions(way: Way) -> Conditions:
    return tuple([Condition(tests) for tests in way.tests])


def _met(hits: Sequence[Hit], bound: Bound) -> Hits:
    if not bound:
        return cast("Hits", hits)  # rules without conditions, and nobody to be told
    found: list[tuple[Goal, Conditions]] = []
    for goal, at in hits:
        conditions = tuple([bound[one] for one in at]) if at else ()
        if isinstance(goal, int):
            found.append((goal, conditions))
        elif goal.test is None:
            found.append((bound[goal.whom], conditions))
        else:
            found.append(((bound[goal.whom], goal.test), conditions))
    return found
