"""The store protocol: what all workers and replicas must agree on, in a handful of methods.

A store decides a *group* of charges in one transaction, in order. It holds no plaintext, no
token and no context, and its callers trust nothing but what these docstrings promise. Every
implementation must pass `tests/store/contract.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vault.errors import Refusal

BUCKETS = 60
"""A window is counted in this many buckets; the one being filled is the sixty-first, so that
no interval of the window's length ever holds more than the ceiling."""


HALTED_RETRY_SECONDS = 60
"""When to ask again where an operator has to act first."""

FREE_REPETITIONS = 16
"""How often a request id is answered again without a charge: each answer has an entry in the
record, and what costs nothing could fill its disk."""

Lock = tuple[str, str | None]
"""A principal, or one of its end users."""


class Limit(NamedTuple):
    """At most `ceiling` in any `window` seconds, for one `scope` (a client, or one of its end
    users). `name` is the configured one: ``reveal.hour``, ``people.day``."""

    scope: str
    name: str
    window: int
    ceiling: int


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request costs.

    `items` are charged against each of `limits`; the distinct `persons` against each of
    `people`. With a `request_id` the charge is deduplicated for ten minutes per principal,
    `FREE_REPETITIONS` times.
    """

    principal: str
    end_user: str | None
    items: int
    limits: tuple[Limit, ...]
    persons: frozenset[bytes] = frozenset()
    people: tuple[Limit, ...] = ()
    request_id: str | None = None
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`code` None: admitted. Else the refusal's code: ``locked``, ``request_id_reused`` or
    ``budget_exhausted``, then with the name of the `limit` that has the longest to wait and,
    in `retry_after`, the whole seconds until the charge would fit if nothing else came. A
    charge larger than a ceiling never fits: it is told to wait for that limit's whole window.
    """

    code: str | None = None
    limit: str | None = None
    retry_after: int | None = None
    duplicate: bool = False
    """Admitted without a new charge: the same request was charged before."""


_WORDS = {
    "request_id_reused": "this request id was used for another request",
    "locked": "this caller is locked until an operator unlocks it",
}


@dataclass(frozen=True, slots=True)
class Lease:
    """What was granted, and when by the store's own time, whose buckets it was charged to."""

    items: int
    at: float


def halted(reason: str) -> Refusal:
    """What a halted store says to every commit."""
    words = f"reveals are stopped until `jeton audit accept`: {reason}"
    return Refusal("store_unavailable", words, HALTED_RETRY_SECONDS)


def went_back() -> Refusal:
    """What a store says that does not know the charges it acknowledged."""
    words = "the store came back without its last charges: they are being counted again"
    return Refusal("store_unavailable", words, 1)


def refusal_of(verdict: Verdict) -> Refusal:
    """What a store's refusal says to the caller: the limit's name, never what was sent."""
    code = verdict.code or "internal"
    words = _WORDS.get(code, "the request was refused")
    if verdict.limit is not None:
        words = f"{verdict.limit} would be overspent: wait, or send fewer items"
    return Refusal(code, words, verdict.retry_after, verdict.limit)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a writer's record has come, kept in the store beside the counters."""

    writer: str
    durable: int
    """The last sequence known to be on disk."""
    digest: str
    """The record's hash there, in hex."""
    charged: int = 0
    """The last sequence whose charge is in this store (set by the store itself). From a
    caller: as far as the store has told it, 0 while it has not."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A charge found in the record that the store has lost: it counts at its own time."""

    at: float
    charge: Charge


@dataclass(frozen=True, slots=True)
class State:
    """What the store knows of itself."""

    epoch: str
    """Random, made when the store was created."""
    halted: str | None
    """Why reveals are stopped until an operator says so; None while all is well."""
    generation: int
    """The highest keyset generation that has been served."""
    marks: dict[str, Mark]


class Store(Protocol):
    """All methods raise `vault.errors.Refusal` (``store_unavailable``) when the store cannot
    do what they promise; nothing is half done then."""

    async def commit(self, group: Sequence[Charge], mark: Mark, now: float) -> list[Verdict]:
        """Decide each charge of the group, in order, in one transaction.

        For each: lock, then request id, then limits, then people; one that does not fit is
        refused whole, charges nothing and leaves no request id behind. A duplicate counts as
        admitted; after `FREE_REPETITIONS` of them the same request is charged each time, until
        its id is forgotten. Sets `mark` with ``charged = mark.durable + number admitted``. Time
        never runs backwards: the later of `now` and the latest time seen. While the state is
        halted the whole group is refused (``store_unavailable``), with the reason and how to
        mend it; so it is, with nothing changed, while the store's `charged` for this writer is
        less than ``mark.charged``: it has lost what it acknowledged, which the record knows.
        """
        ...

    async def lease(self, charge: Charge, share: int, now: float) -> Lease:
        """Charge up to `share` and at least the charge's own items at once against all its
        `limits`. Persons and request ids are not looked at.

        Raises Refusal ``locked``, or ``budget_exhausted`` when not even the items fit.
        """
        ...

    async def give_back(self, limits: Sequence[Limit], items: int, leased_at: float) -> None:
        """Return the unused part of a lease to the buckets it was charged to; what has left
        the window since is left alone. `leased_at` is the lease's own time."""
        ...

    async def replay(self, writer: str, charges: Sequence[Replay], charged: int) -> None:
        """Count charges the store has lost, each at its own time (ceilings are not asked),
        and set the mark's `charged`."""
        ...

    async def state(self) -> State: ...

    async def set_mark(self, mark: Mark) -> None:
        """Note how far a writer's record is durable (`charged` is left as it is)."""
        ...

    async def halt(self, reason: str) -> None:
        """Stop reveals: every later commit is refused until `resume`."""
        ...

    async def resume(self) -> None: ...

    async def raise_generation(self, generation: int) -> int:
        """Keep the highest keyset generation; returns the highest one known before."""
        ...

    async def lock(self, principal: str, end_user: str | None, reason: str) -> None:
        """Refuse every later charge of the principal (or of one end user of it)."""
        ...

    async def unlock(self, principal: str, end_user: str | None) -> bool: ...

    async def locks(self) -> frozenset[Lock]:
        """All that are locked."""
        ...

    async def close(self) -> None: ...
