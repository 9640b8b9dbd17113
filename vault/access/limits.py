"""From configured ceilings to the limits that the ledger charges."""

import hashlib
from collections.abc import Mapping
from typing import Final

from vault.config import DAY, DEFAULT_LIMITS, HOUR, EndUserLimits, Limits, Operation
from vault.store.base import Limit

BUDGET: Final[Mapping[Operation, str]] = {
    "tokenise": "tokenise",
    "detokenise": "reveal",
    "mask": "reveal",
    "match": "match",
}
"""Which budget an operation's items are charged to."""

PEOPLE: Final = "people"
OF_PEOPLE: Final[frozenset[Operation]] = frozenset({"detokenise", "mask", "match"})
"""The operations that tell something of a person, so that distinct people are counted."""

_WINDOWS: Final = {"hour": HOUR, "day": DAY}


def ceilings(limits: Limits) -> dict[str, int]:
    """``reveal.hour`` and so on -> how much: the shipped defaults where `limits` says nothing."""
    return DEFAULT_LIMITS | stated(limits)


def end_user_ceilings(limits: Limits) -> dict[str, int]:
    """The same for each end user: only what was said, for nothing is shipped here."""
    return {} if limits.end_user is None else stated(limits.end_user)


def end_user_scope(principal: str, end_user: str) -> str:
    """The scope that an end user's share is counted under.

    A client's name has no ``/`` and a digest stands for the id, so no id an end user may take
    is counted as a client or as somebody else, and no id lies in the store.
    """
    digest = hashlib.sha256(end_user.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{principal}/{digest[:32]}"


def of_budget(
    ceilings: Mapping[str, int], budget: str, scope: str, prefix: str
) -> tuple[Limit, ...]:
    """The limits of one budget (``reveal``), shortest window first, named `prefix` + budget."""
    return tuple(
        Limit(scope, f"{prefix}{name}", seconds, ceilings[name])
        for window, seconds in _WINDOWS.items()
        if (name := f"{budget}.{window}") in ceilings
    )


def stated(limits: Limits | EndUserLimits) -> dict[str, int]:
    """``reveal.hour`` and so on -> how much, where something was said."""
    return {
        f"{budget}.{window}": ceiling
        for budget in ("tokenise", "reveal", "match", "people")
        if (said := getattr(limits, budget)) is not None
        for window in _WINDOWS
        if (ceiling := getattr(said, window)) is not None
    }
