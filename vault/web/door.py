"""What stands behind HTTP, as HTTP needs it: the web knows nothing else of the house.

The composition root satisfies `Door`. A reload builds a new one and puts it into the holder;
every request reads the holder once and so sees one configuration from beginning to end.
"""

from collections.abc import Awaitable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from vault.access.identity import Caller, Principal
from vault.errors import Refusal
from vault.service import Answer, Call

__all__ = ["Answer", "Call", "Caller", "Door", "Holder", "KeysAwaited", "Principal", "Readiness"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Which operations could be answered now, and why disclosures could not, if so:
    ``store_unavailable``, ``audit_unavailable``, ``keys_unavailable``."""

    operations: Mapping[str, bool]
    trouble: Refusal | None = None


class KeysAwaited(Exception):
    """Who calls can be said once `fetched` was awaited: ask again then."""

    def __init__(self, fetched: Awaitable[None]) -> None:
        super().__init__("keys are awaited")
        self.fetched = fetched


class Door(Protocol):
    """The service, its identities and its metrics, under one configuration."""

    @property
    def development(self) -> bool:
        """Every answer says so."""
        ...

    @property
    def pool(self) -> Executor | None:
        """Where large batches are worked on, beside the loop; None: its default."""
        ...

    def authenticate(
        self, authorization: str | None, source: str, caller: Caller | None = None
    ) -> Principal:
        """The caller of an `Authorization` header sent from `source` (an IP address, or ``unix``
        for a Unix socket), and of whatever else `caller` shows. Raises Refusal
        ``unauthenticated``, and KeysAwaited where that is not known yet."""
        ...

    def rejected(self, cause: str) -> None:
        """A certificate was refused before there was a request; `cause` is of a closed list."""
        ...

    def knows(self, transformation: str) -> bool:
        """Any text may be asked for."""
        ...

    def at_once(self, call: Call) -> Answer | None:
        """The answer, if nothing of it has to be waited for; raises as `perform`. None: nothing
        was done, `perform` the call."""
        ...

    async def perform(self, call: Call) -> Answer:
        """Raises Refusal with nothing answered; items that failed are in the answer."""
        ...

    def fingerprint(self, *parts: bytes) -> bytes:
        """A keyed digest over all parts, each framed by its length: it may be stored, though a
        part may hold a value."""
        ...

    def transformations(self, principal: Principal) -> Sequence[Mapping[str, object]]:
        """What `GET /v1/transformations` tells this caller."""
        ...

    async def readiness(self) -> "Readiness":
        """What could be answered now."""
        ...

    def observe(
        self,
        operation: str,
        transformation: str,
        code: str,
        items: int,
        seconds: float,
        failed: int = 0,
    ) -> None:
        """A request under /v1 is being answered. `code` is ``ok`` or a problem's, `failed` of
        `items` failed by themselves; `operation` and `transformation` are empty unless they
        are known ones: callers make up no labels."""
        ...

    def working(self, count: int) -> None:
        """So many calls are being waited for."""
        ...

    def failed(self, error: Exception) -> None:
        """A fault of ours was answered with ``internal``: for the log."""
        ...

    def render_metrics(self) -> tuple[bytes, str]:
        """The body of /metrics and its media type."""
        ...


class Holder:
    """The door in force: set before the first request, replaced by a reload, and read once a
    request."""

    __slots__ = ("door",)

    door: Door

    def __init__(self, door: Door | None = None) -> None:
        if door is not None:
            self.door = door
