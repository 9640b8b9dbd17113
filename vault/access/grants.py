"""May this principal do this, for this purpose and this end user, and within which limits?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from vault.access.limits import (
    BUDGET,
    OF_PEOPLE,
    PEOPLE,
    ceilings,
    end_user_ceilings,
    end_user_scope,
    of_budget,
)
from vault.config import Client, Operation, Settings
from vault.errors import Refusal
from vault.store.base import Limit

END_USER: Final = "end_user."


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a principal may do with one operation on one transformation.

    `limits` count the items, `people` the distinct persons (none for tokenise). A request
    names one of `purposes` unless `purpose_optional`.
    """

    purposes: frozenset[str]
    purpose_optional: bool
    limits: tuple[Limit, ...]
    people: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Granted:
    """What a principal is told of a transformation that it may use."""

    transformation: str
    operations: tuple[Operation, ...]
    purposes: tuple[str, ...]


class Access:
    """All grants and limits of a configuration, worked out once."""

    def __init__(self, settings: Settings) -> None:
        self._allowances: Mapping[tuple[str, str, str], Allowance] = {
            (name, operation, transformation): allowance
            for name, client in settings.clients.items()
            for (operation, transformation), allowance in _allowances(name, client).items()
        }
        self._ceilings: Mapping[str, Mapping[str, int]] = {
            name: ceilings(client.limits) for name, client in settings.clients.items()
        }
        self._per_end_user: Mapping[str, Mapping[str, int]] = {
            name: said
            for name, client in settings.clients.items()
            if (said := end_user_ceilings(client.limits))
        }
        # The same end users come back; whoever invents ids only pushes others out.
        self._narrowed = lru_cache(maxsize=1_024)(self._narrow)
        self._granted = {name: _granted(client) for name, client in settings.clients.items()}

    def authorise(
        self,
        principal: str,
        operation: Operation,
        transformation: str,
        purpose: str | None = None,
        end_user: str | None = None,
    ) -> Allowance:
        """The allowance, with the end user's own limits where the client has any.

        Raises Refusal, judged in this order: ``not_allowed`` (no such grant, or a purpose
        that it does not declare), ``purpose_required``, ``end_user_required``. Whether the
        transformation exists at all is the caller's to say before.
        """
        allowance = self._allowances.get((principal, operation, transformation))
        if allowance is None:
            raise Refusal("not_allowed", "no grant of this client covers the operation here")
        if purpose is None:
            if not allowance.purpose_optional:
                raise Refusal("purpose_required", "say what for, in the header Jeton-Purpose")
        elif purpose not in allowance.purposes:
            raise Refusal("not_allowed", "no grant of this client declares the purpose")
        if principal not in self._per_end_user:
            return allowance
        if not end_user:
            raise Refusal("end_user_required", "say for whom, in the header Jeton-On-Behalf-Of")
        return self._narrowed(principal, operation, transformation, end_user)

    def limits_of(
        self, principal: str, operation: Operation, end_user: str | None
    ) -> tuple[tuple[Limit, ...], tuple[Limit, ...]] | None:
        """What an operation of the principal counts against, whatever it may do now: limits of
        items, limits of people. None where there is no such client (any more)."""
        said = self._ceilings.get(principal)
        if said is None:
            return None
        limits, people = _limits(said, operation, principal)
        if end_user and (narrower := self._per_end_user.get(principal)):
            scope = end_user_scope(principal, end_user)
            more, fewer = _limits(narrower, operation, scope, END_USER)
            return limits + more, people + fewer
        return limits, people

    def grants_of(self, principal: str) -> tuple[Granted, ...]:
        """What the principal may do, by transformation, in the order of its grants."""
        return self._granted.get(principal, ())

    def _narrow(
        self, principal: str, operation: Operation, transformation: str, end_user: str
    ) -> Allowance:
        """The client's allowance with the end user's limits on top: they can only narrow it."""
        found = self.limits_of(principal, operation, end_user)
        assert found is not None  # it has an allowance
        limits, people = found
        allowance = self._allowances[principal, operation, transformation]
        return replace(allowance, limits=limits, people=people)


def _limits(
    said: Mapping[str, int], operation: Operation, scope: str, prefix: str = ""
) -> tuple[tuple[Limit, ...], tuple[Limit, ...]]:
    people = of_budget(said, PEOPLE, scope, prefix) if operation in OF_PEOPLE else ()
    return of_budget(said, BUDGET[operation], scope, prefix), people


def _allowances(name: str, client: Client) -> dict[tuple[Operation, str], Allowance]:
    said = ceilings(client.limits)
    allowances: dict[tuple[Operation, str], Allowance] = {}
    for grant in client.grants:
        key = (grant.operation, grant.transformation)
        purposes = frozenset(grant.purposes)
        if earlier := allowances.get(key):  # a second grant widens the first
            allowances[key] = replace(
                earlier,
                purposes=earlier.purposes | purposes,
                purpose_optional=earlier.purpose_optional or not purposes,
            )
            continue
        allowances[key] = Allowance(purposes, not purposes, *_limits(said, grant.operation, name))
    return allowances


def _granted(client: Client) -> tuple[Granted, ...]:
    operations: dict[str, dict[Operation, None]] = {}
    purposes: dict[str, dict[str, None]] = {}
    for grant in client.grants:
        operations.setdefault(grant.transformation, {})[grant.operation] = None
        purposes.setdefault(grant.transformation, {}).update(dict.fromkeys(grant.purposes))
    return tuple(
        Granted(transformation, tuple(allowed), tuple(purposes[transformation]))
        for transformation, allowed in operations.items()
    )
