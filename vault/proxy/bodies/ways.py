"""Where the paths of a body's rules lead, worked out once for all bodies under those rules.

A *state* is all that the paths mean in a container, whichever document it stands in: a *thread*
for every path that leads into it. A *way* leads from a state to a member, and is remembered: a
path is followed once, and looked up after that. What belongs to one document (its conditions,
its scopes) is not here: threads name it by where it stands in a container's ``bound``.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from vault.proxy.bodies.jsonpath import ANY_SPACE, BadPath, Path, Step, Test
from vault.proxy.bodies.pieces import Rule, alternatives

MOST_STATES: Final = 512
"""So many are remembered: under descendants there are as many as a sender can think of."""
MOST_WAYS: Final = 64
"""Of one state: elements that are counted have as many as an array is long."""
ANY_INDEX: Final = -1

Key = str | int | None
"""A member that a step names, or None for any other one; an element's index, or ANY_INDEX."""


class Told(NamedTuple):
    """A goal that is told of what stands there: a scope, or a condition's test."""

    whom: int
    """Where it stands in `bound`."""
    test: int | None = None
    """None for a scope."""


class Thread(NamedTuple):
    goal: int | Told
    """A rule, by its number, or who is told."""
    steps: tuple[Step, ...]
    at: int = 0
    """How many steps led to the container at hand."""
    conditions: tuple[int, ...] = ()
    """Where those that it depends on stand in `bound`."""


class Hit(NamedTuple):
    """A goal that a member reaches itself."""

    goal: int | Told
    conditions: tuple[int, ...]


T = TypeVar("T", Thread, Hit)


class Way(NamedTuple):
    """What leads on to a member, whose own `bound` is what is kept of its container's, then the
    conditions made for it, then, where it is a container, its scopes."""

    state: "State"
    keep: tuple[int, ...] | None
    """Which of the container's `bound` go on; None: all."""
    tests: tuple[tuple[Test, ...], ...]
    """A condition for each."""
    hits: tuple[Hit, ...]


class State:
    """One container, as the paths see it."""

    __slots__ = (
        "any_scalar", "counts", "indexed", "leaves", "locals", "names", "remembered", "scopes",
        "shallow", "size", "threads", "ways", "wild",
    )  # fmt: skip

    def __init__(
        self, threads: Sequence[Thread], size: int, scopes: dict[tuple[Step, ...], int]
    ) -> None:
        self.threads = threads
        """None of them: no path leads on from here, and nothing in it matters."""
        self.size = size
        """How much its `bound` has."""
        self.scopes = scopes
        """Contexts that are looked for in it, and where their scopes stand in `bound`."""
        steps = [thread.steps[thread.at] for thread in threads]
        self.names = frozenset(step.name for step in steps if step.name is not None)
        self.locals = frozenset(
            name[len(ANY_SPACE) :] for name in self.names if name.startswith(ANY_SPACE)
        )
        """Names that count in any namespace."""
        self.wild = any(step.wild for step in steps)
        """Containers of any name matter."""
        self.any_scalar = any(
            step.wild and thread.at + 1 == len(thread.steps)
            for thread, step in zip(threads, steps, strict=True)
        )
        """And so do scalars: the last step selects them."""
        self.indexed = any(step.span is not None for step in steps)
        self.counts = self.wild or self.indexed
        """Elements of an array matter."""
        self.shallow = not any(step.descendant for step in steps)
        """Containers that no step selects do not matter either."""
        self.ways: dict[Key, Way] = {}
        self.leaves: dict[str, tuple[Hit, ...]] = {}
        self.remembered = False

    def key(self, name: str | int) -> Key:
        """What tells its member of this name, or its element of this index, from the others."""
        if isinstance(name, int):
            return name if self.indexed else ANY_INDEX
        if name in self.names:
            return name
        local = name.rpartition(" ")[2]
        return local if local in self.locals else None

    def leaf(self, name: str) -> tuple[Hit, ...]:
        """The goals at a leaf that no wildcard means: an attribute, a text."""
        if name not in self.names:
            return ()
        hits = self.leaves.get(name)
        if hits is None:
            hits = self.leaves[name] = tuple(
                Hit(thread.goal, thread.conditions)
                for thread in self.threads
                if thread.steps[thread.at].name == name and thread.at + 1 == len(thread.steps)
            )
        return hits


class Plan:
    """The rules of one kind of body."""

    def __init__(self, rules: Sequence[Rule], compiled: Callable[[str], Path]) -> None:
        """`compiled` reads a selector. Raises what it raises, and BadPath."""
        self.rules = rules
        self.paths = [compiled(rule.selector).steps for rule in rules]
        self.contexts = [
            [compiled(text) for text in alternatives(rule.context_selector)] for rule in rules
        ]
        """Of each rule: where its context is looked for, one after another."""
        self._states: dict[tuple[tuple[Thread, ...], int], State] = {}
        for rule, steps, contexts in zip(rules, self.paths, self.contexts, strict=True):
            if any(context.up >= max(len(steps), 1) for context in contexts):
                raise BadPath(f"{rule.context_selector!r}: further up than its field's path begins")
        every = [one for contexts in self.contexts for one in contexts]
        absolute = dict.fromkeys(one.steps for one in every if not one.relative)
        self.absolute = {steps: at for at, steps in enumerate(absolute)}
        """Contexts that are looked for in the whole document, and where their scopes stand in the
        root's `bound`."""
        self.root = self._root()

    def way(self, state: State, name: str | int) -> Way:
        """From `state` to its member of that name, or to its element of that index."""
        key = state.key(name)
        way = state.ways.get(key)
        if way is None:
            way = self._made(state, key)
            if state.remembered and way.state.remembered and len(state.ways) < MOST_WAYS:
                state.ways[key] = way
        return way

    def _root(self) -> Way:
        """To the place above a document: its threads are at the root's own steps."""
        threads = [Thread(number, steps) for number, steps in enumerate(self.paths)]
        threads += [Thread(Told(at), steps) for steps, at in self.absolute.items()]
        hits = tuple(Hit(thread.goal, ()) for thread in threads if not thread.steps)
        on = [thread for thread in threads if thread.steps]
        return Way(self._state(on, len(self.absolute)), None, (), hits)

    def _made(self, state: State, key: Key) -> Way:
        threads: list[Thread] = []
        tests: list[tuple[Test, ...]] = []
        hits: list[Hit] = []
        for thread in state.threads:
            step = thread.steps[thread.at]
            if step.descendant:
                threads.append(thread)
            if not step.selects(key):
                continue
            conditions = thread.conditions
            if step.tests:
                made = state.size + len(tests)
                tests.append(step.tests)
                conditions = (*conditions, made)
                threads += _checks(made, step.tests)
            if thread.at + 1 == len(thread.steps):
                hits.append(Hit(thread.goal, conditions))
            else:
                threads.append(thread._replace(at=thread.at + 1, conditions=conditions))
        used = {one for thread in threads for one in _uses(thread.goal, thread.conditions)}
        used |= {one for hit in hits for one in _uses(hit.goal, hit.conditions)}
        keep = tuple(sorted(one for one in used if one < state.size))
        places = {one: at for at, one in enumerate(keep)}
        places |= {state.size + number: len(keep) + number for number in range(len(tests))}
        # Several descendants meet in one thread.
        threads = list(dict.fromkeys(_moved(thread, places) for thread in threads))
        return Way(
            self._state(threads, len(keep) + len(tests)),
            None if len(keep) == state.size else keep,
            tuple(tests),
            tuple(_moved(hit, places) for hit in hits),
        )

    def _state(self, threads: list[Thread], size: int) -> State:
        """With the scopes that begin in it."""
        known = tuple(threads), size
        state = self._states.get(known)
        if state is None:
            scopes: dict[tuple[Step, ...], int] = {}
            for steps in self._looked_for(known[0]):
                at = scopes[steps] = size + len(scopes)
                threads.append(Thread(Told(at), steps))
            state = State(threads, size + len(scopes), scopes)
            if len(self._states) < MOST_STATES:
                self._states[known] = state
                state.remembered = True
        return state

    def _looked_for(self, threads: Sequence[Thread]) -> Sequence[tuple[Step, ...]]:
        """The contexts that are looked for in a container with these threads."""
        return list(
            dict.fromkeys(
                context.steps
                for thread in threads
                if isinstance(thread.goal, int)
                for context in self.contexts[thread.goal]
                if context.relative and _may_be_above(thread, context.up)
            )
        )


def _may_be_above(thread: Thread, up: int) -> bool:
    """Whether a container with this thread may be so many above one that holds what the thread
    leads to; where it descends, there may be any number between them."""
    between = len(thread.steps) - 1 - thread.at
    return between == up or (
        between < up and any(step.descendant for step in thread.steps[thread.at :])
    )


def _checks(condition: int, tests: Sequence[Test]) -> list[Thread]:
    return [
        Thread(Told(condition, number), tuple(Step(name) for name in test.names))
        for number, test in enumerate(tests)
    ]


def _uses(goal: int | Told, conditions: tuple[int, ...]) -> tuple[int, ...]:
    return conditions if isinstance(goal, int) else (goal.whom, *conditions)


def _moved(one: T, places: dict[int, int]) -> T:
    goal = one.goal
    if not isinstance(goal, int):
        goal = goal._replace(whom=places[goal.whom])
    return one._replace(goal=goal, conditions=tuple(places[at] for at in one.conditions))
