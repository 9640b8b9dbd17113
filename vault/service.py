"""The one way through: authorise, compute, settle, answer.

Nothing else calls access, engine and ledger, so no disclosure can miss its grant, its charge
or its record.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from vault.config import Operation


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """One failed item of a batch: its place, its stable code, and words without the value."""

    index: int
    code: str
    detail: str


@dataclass(slots=True)
class Call:
    """One request, parsed and authenticated, over whatever door it came.

    `contexts` is one context for all items (`str`), one an item, or None. `candidates` are
    match's second texts. `request_id` is always set; `request_id_sent` says that the caller
    chose it, and only then is the request deduplicated, under `fingerprint`.
    """

    operation: Operation
    transformation: str
    principal: str
    items: Sequence[str]
    contexts: str | Sequence[str | None] | None = None
    candidates: Sequence[str] | None = None
    purpose: str | None = None
    end_user: str | None = None
    request_id: str = ""
    request_id_sent: bool = False
    fingerprint: bytes = b""
    source: str = ""
    credential: str = ""
    """The first 8 hex digits of the credential's hash: which of a client's credentials it was."""


@dataclass(slots=True)
class Answer:
    """As many results as items, None where one failed; `receipt` for reveals."""

    results: list[str | None] | list[bool | None]
    errors: list[ItemFailure] = field(default_factory=list)
    receipt: str | None = None
