"""Follows paths down a tree, JSON or XML: which scalars rules select, under which conditions.

Every path is a *thread* that knows how many of its steps led to the container at hand. A filter
makes a condition that what stands beside the selected will settle, and a context selector a
scope whose end settles that there is none: until then a scalar is held in a `Slot`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from vault.proxy.bodies.jsonpath import Path, Step, Test
from vault.proxy.bodies.pieces import Field, Rule


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
        fits = test.literal is None or (scalar == test.literal) == test.equal
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
        self._options: list[tuple[int, Rule, Conditions, Scope | None]] = []
        self._chosen = False
        self._field: Field | None = None

    def offer(self, number: int, rule: Rule, conditions: Conditions, scope: Scope | None) -> None:
        self._options.append((number, rule, conditions, scope))
        self._options.sort(key=lambda option: option[0])

    @property
    def offered(self) -> bool:
        return bool(self._options)

    def choose(self) -> tuple[bool, Field | None]:
        """Whether it is settled which rule has it, and the field if one has; the first counts."""
        if self._chosen:
            return True, self._field
        while self._options:
            verdict = settled(self._options[0][2])
            if verdict is None:
                return False, None
            if verdict:
                rule = self._options[0][1]
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
        scope = self._options[0][3]
        if scope is not None:
            done, slot = scope.first()
            if not done:
                return None
            if slot is not None:
                done, other = slot.choose()
                if not done:
                    return None
                field.context = other or slot.text
        return field


WAYS = 64
"""How many members' ways a place remembers: their names are the sender's."""

Goal = int | Scope | tuple[Condition, int]
"""A rule by its number, a scope to be told of a context, a test of a condition."""


class Thread(NamedTuple):
    goal: Goal
    steps: tuple[Step, ...]
    at: int = 0
    conditions: Conditions = ()


class Place:
    """One open container: the threads that lead into it, and what ends with it."""

    __slots__ = ("conditions", "names", "scopes", "threads", "ways")

    def __init__(self, threads: list[Thread], conditions: Sequence[Condition]) -> None:
        self.threads = threads
        self.conditions = conditions
        self.scopes: dict[int, Scope] = {}
        self.names: frozenset[str] | None = frozenset()
        """The members whose scalars matter; None: all of them."""
        self.ways: dict[str, tuple[Place, Hits]] = {}
        """Where members lead, for those that were met and need nothing of their own."""

    @property
    def plain(self) -> bool:
        """Nothing in it depends on which document, or which part of one, it is met in."""
        own = self.conditions or self.scopes
        return not own and all(isinstance(t.goal, int) and not t.conditions for t in self.threads)

    def note_names(self) -> None:
        names = set()
        for thread in self.threads:
            step = thread.steps[thread.at]
            if step.wild:
                self.names = None
                return
            if step.name is not None:
                names.add(step.name)
        self.names = frozenset(names)

    @property
    def counts(self) -> bool:
        """Elements of an array matter."""
        return any(t.steps[t.at].name is None for t in self.threads)

    @property
    def shallow(self) -> bool:
        """Containers that no step selects do not matter either."""
        return not any(t.steps[t.at].descendant for t in self.threads)

    def close(self) -> bool:
        """Whether anything was settled by its end."""
        for condition in self.conditions:
            condition.closed = True
        for scope in self.scopes.values():
            scope.closed = True
        return bool(self.conditions or self.scopes)


_NOWHERE = Place([], ())
"""No path leads on from here: nothing in it matters."""

Hits = list[tuple[Goal, Conditions]]


class Follower:
    """The rules of one body, compiled by what reads its paths. Raises what `compiled` raises."""

    def __init__(self, rules: Sequence[Rule], compiled: Callable[[str], Path]) -> None:
        self.rules = rules
        self._paths = [compiled(rule.selector).steps for rule in rules]
        selectors = (rule.context_selector for rule in rules)
        self._contexts = [compiled(text) if text else None for text in selectors]
        self._root: dict[int, Scope] = {}
        self._known: dict[tuple[Thread, ...], Place] = {}

    def open_root(self) -> tuple[Place, Hits]:
        """The place above a document: its threads are at the root's own steps."""
        self._root = {}
        threads: list[Thread] = []
        for number, (path, context) in enumerate(zip(self._paths, self._contexts, strict=True)):
            threads.append(Thread(number, path))
            if context is not None and not context.relative:
                scope = self._root[number] = Scope()
                threads.append(Thread(scope, context.steps))
        hits: Hits = [(thread.goal, ()) for thread in threads if not thread.steps]
        return self.enter([thread for thread in threads if thread.steps], []), hits

    def close_root(self) -> None:
        for scope in self._root.values():
            scope.closed = True

    def enter(self, threads: list[Thread], conditions: list[Condition]) -> Place:
        """Go into a container."""
        if not threads:
            return _NOWHERE
        place = Place(threads, conditions)
        for thread in tuple(threads):
            if not isinstance(thread.goal, int) or thread.goal in place.scopes:
                continue
            context = self._contexts[thread.goal]
            if context is None or not context.relative:
                continue
            if thread.at == len(thread.steps) - 1 - context.up:
                scope = place.scopes[thread.goal] = Scope()
                threads.append(Thread(scope, context.steps))
        place.note_names()
        return place

    def child(self, place: Place, key: str | int) -> tuple[list[Thread], list[Condition], Hits]:
        """What leads on to a member or an element, and which goals it reaches itself."""
        threads: list[Thread] = []
        made: list[Condition] = []
        hits: Hits = []
        for thread in place.threads:
            step = thread.steps[thread.at]
            if step.descendant:
                threads.append(thread)
            if step.name != key and (step.name is not None or not step.selects(key)):
                continue
            conditions = thread.conditions
            if step.tests:
                condition = Condition(step.tests)
                made.append(condition)
                conditions = (*conditions, condition)
                threads += _checks(condition, step.tests)
            if thread.at + 1 == len(thread.steps):
                hits.append((thread.goal, conditions))
            else:
                threads.append(Thread(thread.goal, thread.steps, thread.at + 1, conditions))
        if len(threads) > len(place.threads):
            threads = list(dict.fromkeys(threads))  # several descendants meet in one state
        return threads, made, hits

    def down(self, place: Place, key: str) -> tuple[Place, Hits]:
        """`child` and `enter` in one: remembered where it is always the same."""
        way = place.ways.get(key)
        if way is None:
            threads, made, hits = self.child(place, key)
            below = self.enter(threads, made)
            if place.plain and below.plain:
                below = self._known.setdefault(tuple(threads), below)
                if len(place.ways) < WAYS:
                    place.ways[key] = below, hits
            return below, hits
        return way

    def reached(self, place: Place, key: str) -> Hits:
        """The goals at a leaf of this name, which no wildcard means (an attribute, a text)."""
        return [
            (thread.goal, thread.conditions)
            for thread in place.threads
            if thread.steps[thread.at].name == key and thread.at + 1 == len(thread.steps)
        ]

    def up(self, number: int) -> int:
        """How many places above a field of rule `number` its context is looked for."""
        context = self._contexts[number]
        return context.up if context is not None else 0

    def scope(self, place: Place | None, number: int) -> Scope | None:
        """Where the context of a field that rule `number` selects is looked for, `place` being
        the one `up` above it."""
        if number in self._root:
            return self._root[number]
        return place.scopes.get(number) if place is not None else None


def _checks(condition: Condition, tests: Sequence[Test]) -> list[Thread]:
    return [
        Thread((condition, number), tuple(Step(name) for name in test.names))
        for number, test in enumerate(tests)
    ]
