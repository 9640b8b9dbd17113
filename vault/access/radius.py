"""The blast radius: the most that the thief of one client's credential gets, by its limits.

Figures hold for any hour and any day, over all workers, however the thief spreads its calls
and whatever end users it invents: an unsigned id proves nothing, so limits under `end_user`
lower nothing here. Where a transformation lets several people count as one, `people` limits
do not hold their number down, and the values are counted instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from vault.access import guessing
from vault.access.guessing import Behind, Table
from vault.access.limits import BUDGET, OF_PEOPLE, PEOPLE, ceilings
from vault.config import Client, Grant, Operation, Settings, Transformation

HOURS: Final = 24
"""An hour's limit can be spent this often in a day."""


class Most(NamedTuple):
    """The most in any hour, and in any day."""

    hour: int
    day: int


NOTHING: Final = Most(0, 0)


@dataclass(frozen=True, slots=True)
class Left:
    """What a mask or match grant leaves of a value to somebody who may not see it."""

    operation: Operation
    transformation: str
    behind: Behind | None
    """A mask: what is left once it is seen."""
    guesses: float = 0.0
    """A match: how many it takes on average to open a value, behind the mask where the client
    is shown it. Each answers yes or no."""
    opened: float = 0.0
    """A match: how many values a day's guesses open on average."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A table that tokenising guesses makes, and the least seconds that it takes."""

    transformation: str
    table: Table
    seconds: int
    seconds_alike: int


@dataclass(frozen=True, slots=True)
class Radius:
    """What one credential of a client could do at most."""

    people: Most
    """Distinct people of whom it learns something."""
    reveals: Most
    """Values detokenised and masked."""
    matches: Most
    """Guesses answered."""
    tokenised: Most
    held_by: tuple[str, ...]
    """The limits that hold down the people of a day; none where there are none to reveal."""
    through: tuple[Grant, ...]
    """The grants that it goes through."""
    uncounted: Mapping[str, str]
    """Transformations among these whose people are not counted one by one, and why."""
    left: tuple[Left, ...]
    listed: tuple[Listed, ...]


def radii(settings: Settings) -> dict[str, Radius]:
    """The blast radius of every client, whatever the state of its credentials: the next one
    that is given out can do as much. Raises SetUpError where a transformation makes no format.
    """
    known = settings.transformations
    reasons = {name: why for name in known if (why := why_uncounted(name, known)) is not None}
    return {name: _radius(client, known, reasons) for name, client in settings.clients.items()}


def above(found: Mapping[str, Radius], people: int) -> dict[str, int]:
    """The clients that could reveal more than `people` people in a day, and how many."""
    return {name: one.people.day for name, one in found.items() if one.people.day > people}


def why_uncounted(name: str, known: Mapping[str, Transformation]) -> str | None:
    """How several people could count as one where this transformation is opened; None where
    each counts.

    A caller cannot choose freely: under another context than its own a token opens as nobody's
    value. But whoever tokenises may have used one context for many people, and a date by
    itself is many people's.
    """
    one = known[name]
    rule, _, other = one.person.partition(":")
    if rule == "context" and not other:
        return "a context may stand for many people, who then count as one"
    if other and known[other].format in guessing.DATES:
        return f"a date of {other} is many people's, who then count as one"
    if one.format in guessing.DATES and (rule == "value" or not _needs_context(one)):
        return "a date is many people's, who then count as one"
    return None


def _needs_context(one: Transformation) -> bool:
    return one.context in (None, "required")  # dates ask for one where nothing is said


def _radius(
    client: Client, known: Mapping[str, Transformation], reasons: Mapping[str, str]
) -> Radius:
    said = ceilings(client.limits)
    through = tuple(grant for grant in client.grants if grant.operation in OF_PEOPLE)
    budgets = {BUDGET[grant.operation] for grant in client.grants}
    reveals, matches, tokenised = (
        _most(said, budget) if budget in budgets else NOTHING
        for budget in ("reveal", "match", "tokenise")
    )
    loose = {BUDGET[grant.operation] for grant in through if grant.transformation in reasons}
    values = _sum(reveals, matches)
    counted = _sum(
        _most(said, PEOPLE),
        reveals if "reveal" in loose else NOTHING,
        matches if "match" in loose else NOTHING,
    )
    people = Most(min(values.hour, counted.hour), min(values.day, counted.day))
    spent = [budget for budget in ("reveal", "match") if budget in budgets]
    # One of them is loose at most where this holds: with both, all values are counted.
    holding = [*loose, PEOPLE] if counted.day < values.day else spent
    return Radius(
        people=people,
        reveals=reveals,
        matches=matches,
        tokenised=tokenised,
        held_by=tuple(_tightest(said, budget) for budget in holding),
        through=through,
        uncounted={
            grant.transformation: reasons[grant.transformation]
            for grant in through
            if grant.transformation in reasons
        },
        left=_left(client, known, matches.day),
        listed=_listed(client, known, tokenised),
    )


def _most(said: Mapping[str, int], budget: str) -> Most:
    """What a budget lets through: a day's limit holds for the hour, and an hour's for each of
    the day's hours. There is no `people.hour` unless it was said."""
    day = said[f"{budget}.day"]
    hour = min(said.get(f"{budget}.hour", day), day)
    return Most(hour, min(day, HOURS * hour))


def _tightest(said: Mapping[str, int], budget: str) -> str:
    """The limit that decides over a day."""
    hour, day = said.get(f"{budget}.hour"), said[f"{budget}.day"]
    return f"{budget}.hour" if hour is not None and HOURS * hour < day else f"{budget}.day"


def _sum(*parts: Most) -> Most:
    return Most(sum(part.hour for part in parts), sum(part.day for part in parts))


def _left(client: Client, known: Mapping[str, Transformation], matches: int) -> tuple[Left, ...]:
    allowed = dict.fromkeys((one.operation, one.transformation) for one in client.grants)
    found: list[Left] = []
    for operation, name in allowed:
        behind = guessing.behind_mask(known[name]) if ("mask", name) in allowed else None
        if operation == "mask":
            found.append(Left(operation, name, behind))
        elif operation == "match":
            among = behind.candidates if behind else guessing.population(known[name])
            guesses = (among + 1) / 2
            found.append(Left(operation, name, None, guesses, matches / guesses))
    return tuple(found)


def _listed(
    client: Client, known: Mapping[str, Transformation], limits: Most
) -> tuple[Listed, ...]:
    names = dict.fromkeys(
        grant.transformation for grant in client.grants if grant.operation == "tokenise"
    )
    return tuple(
        Listed(
            name,
            table,
            guessing.seconds(table.guesses, limits.hour, limits.day),
            guessing.seconds(table.alike, limits.hour, limits.day),
        )
        for name in names
        for table in guessing.tables(known[name])
    )
