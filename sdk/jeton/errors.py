"""Everything the client raises, as one small tree.

::

    JetonError
    +-- UsageError              the call was refused here: nothing was sent
    +-- Unreachable             no connection: nothing was sent
    +-- NoAnswer                sent, and no whole answer came back: it may have been charged
    +-- ServiceError            the service refused the request; nothing was revealed
    |   +-- Unauthenticated     401 unauthenticated
    |   +-- NotFound            404 not_found, unknown_transformation
    |   +-- MalformedRequest    400, 405, 413, 415, 431: another request is needed
    |   +-- NotAllowed          403 not_allowed, purpose_required, end_user_required, ...
    |   |   +-- Locked          403 locked: an operator has to look first
    |   +-- RequestIdReused     409 request_id_reused
    |   +-- BudgetExhausted     429 budget_exhausted: `retry_after` says when to ask again
    |   +-- Unavailable         408, 503 and 5xx that are not Jeton's: ask again later
    +-- ItemError               one item failed; the others of its batch were answered
        +-- InvalidValue        invalid_value
        +-- NotAToken           not_a_token
        +-- ContextRequired     context_required
        +-- DomainExhausted     domain_exhausted

No message, argument or attribute ever holds a value, a context or a credential. `answered`
holds results, which show themselves no more than results do.
"""

import copy
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from jeton.results import Items

HINTS = {
    "unauthenticated": "look at the credential, its expiry, and the network it is bound to",
    "purpose_required": "pass purpose=, or set JETON_PURPOSE",
    "end_user_required": "pass on_behalf_of=",
    "context_required": "pass context=",
    "locked": "an operator has to run `jeton clients unlock`",
    "unknown_transformation": "transformations() lists those of this client",
}


class JetonError(Exception):
    """The root. `code` is the contract's stable code, where there is one, `status` the HTTP
    status, `request_id` what to name when asking the service's operators, `retry_after` the
    seconds after which the service suggests to ask again. `answered` holds the results of the
    batches before this failure, where a list was sent in several."""

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.answered: Items[Any] | None = None

    @property
    def may_retry(self) -> bool:
        """Whether the same request may succeed later without anybody changing anything."""
        return False

    def again(self) -> Self:
        """The same error for another caller, without the traceback of the first."""
        return copy.copy(self)

    def __str__(self) -> str:
        told = ": ".join(text for text in (self.code, self.detail) if text)
        if self.code in HINTS:
            told += f" - {HINTS[self.code]}"
        return f"{told} (request {self.request_id})" if self.request_id else told


class UsageError(JetonError, ValueError):
    """An argument or a setting cannot be right; the message names the rule."""


class Unreachable(JetonError):
    """No connection to the service: nothing was sent, nothing was charged."""

    @property
    def may_retry(self) -> bool:
        return True


class NoAnswer(JetonError):
    """The request was sent and no whole answer, or none of Jeton's, came back. A reveal may
    have been charged and recorded."""

    @property
    def may_retry(self) -> bool:
        return True


class ServiceError(JetonError):
    """The service refused the request as a whole."""


class Unauthenticated(ServiceError):
    """The credential is unknown, expired, revoked, or not valid from this network."""


class NotFound(ServiceError):
    """No transformation of this name, or the address is not that of a Jeton service."""


class MalformedRequest(ServiceError):
    """The request broke a rule of the contract: a batch too large, a context not NFC, ..."""


class NotAllowed(ServiceError):
    """This client has no such grant, or the grant asks for a purpose or an end user."""


class Locked(NotAllowed):
    """The client is locked after an alarm; an operator has to unlock it."""


class RequestIdReused(ServiceError):
    """The request id stands for another request."""


class BudgetExhausted(ServiceError):
    """A limit would be overspent; nothing was charged."""

    @property
    def may_retry(self) -> bool:
        return True


class Unavailable(ServiceError):
    """The service, its store, its record or its keys cannot answer now."""

    @property
    def may_retry(self) -> bool:
        return True


class ItemError(JetonError):
    """One item failed: `index` is its place in what was passed, 0 for a single call."""

    def __init__(self, detail: str, *, index: int = 0, **more: Any) -> None:
        super().__init__(detail, **more)
        self.index = index


class InvalidValue(ItemError):
    """The text is no value of the format, or is a token already."""


class NotAToken(ItemError):
    """The text is no token of this transformation under this context."""


class ContextRequired(ItemError):
    """The transformation binds its tokens to a context, and none was passed."""


class DomainExhausted(ItemError):
    """The format has no room left for another token."""


ITEM_ERRORS: dict[str, type[ItemError]] = {
    "invalid_value": InvalidValue,
    "not_a_token": NotAToken,
    "context_required": ContextRequired,
    "domain_exhausted": DomainExhausted,
}

_BY_STATUS: dict[int, type[ServiceError]] = {
    400: MalformedRequest,
    401: Unauthenticated,
    403: NotAllowed,
    404: NotFound,
    405: MalformedRequest,
    408: Unavailable,
    409: RequestIdReused,
    413: MalformedRequest,
    415: MalformedRequest,
    429: BudgetExhausted,
    431: MalformedRequest,
}

INTERNAL_ERROR = 500


def service_error(status: int, code: str | None) -> type[ServiceError]:
    """The class for an answer's status and stable code."""
    if code == "locked":
        return Locked
    if status > INTERNAL_ERROR or (status == INTERNAL_ERROR and code is None):
        return Unavailable
    return _BY_STATUS.get(status, ServiceError)
