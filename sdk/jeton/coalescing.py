"""Single calls in flight at the same moment travel as one batch: what both clients share.

A call goes at once while none like it (same operation, transformation, purpose and end user) is
in flight. Otherwise it waits for company, until one of those comes back, a millisecond at most.

The service charges items, so a batch costs what its calls would have cost. Where it refuses a
batch whole, nothing was charged, and each call is sent alone: no caller pays for another's
mistake, nor for the size of the batch.
"""

import unicodedata
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from jeton.errors import ItemError, JetonError, Locked, ServiceError
from jeton.protocol import Call, Question
from jeton.results import Items

T = TypeVar("T")

COMPANY_SECONDS = 0.001
MOST_CALLS = 1_000
LONGEST_TEXT = 512
LONGEST_CONTEXT = 256


class Alone:
    """In place of an outcome: the batch was refused, uncharged; send the call by itself."""


ALONE: Final = Alone()
Outcome = object
"""A result, the JetonError to raise, or `ALONE`."""

_EACH_ALONE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS,
)
_ITEM_STATUS = {"domain_exhausted": HTTPStatus.INSUFFICIENT_STORAGE}


@dataclass(frozen=True, slots=True)
class Single:
    """One call's item: a text for each member the operation sends, and its own context."""

    given: Sequence[str] = field(repr=False)
    context: str | None = field(repr=False)

    def key(self, question: Question[Any]) -> Hashable:
        """What calls have in common that may share a batch; None where this one may not, since
        the service might refuse all for what is strange about it."""
        texts = (*self.given, self.context or "")
        if not all(isinstance(text, str) and len(text) <= LONGEST_TEXT for text in texts):
            return None
        if self.context is not None and not _fine(self.context):
            return None
        return (
            question.operation.name,
            question.operation.read,
            question.transformation,
            question.purpose,
            question.on_behalf_of,
            self.context is None,
        )


def _fine(context: str) -> bool:
    if context.isascii():
        return 0 < len(context) <= LONGEST_CONTEXT
    with suppress(UnicodeEncodeError):
        size = len(context.encode())
        return size <= LONGEST_CONTEXT and unicodedata.is_normalized("NFC", context)
    return False


def together(question: Question[T], singles: Sequence[Single]) -> Call[Items[T]]:
    """The batch of calls that have the same key."""
    columns = list(zip(*(single.given for single in singles), strict=True))
    contexts = [single.context for single in singles]
    bound = None if contexts[0] is None else cast("list[str]", contexts)
    return question.batch(columns, bound)


def outcomes(items: Items[Any]) -> list[Outcome]:
    """What each caller gets of a batch: a bad item is told as a single call would have."""
    return [_as_single(item) if isinstance(item, ItemError) else item for item in items]


def _as_single(error: ItemError) -> ItemError:
    single = error.again()
    single.index = 0
    single.status = _ITEM_STATUS.get(error.code or "", HTTPStatus.UNPROCESSABLE_ENTITY)
    return single


def refused(error: JetonError, size: int) -> list[Outcome]:
    """What each caller gets of a batch that failed whole. What may have been charged is not
    sent again under another id, and a lock is not knocked at."""
    alone = isinstance(error, ServiceError) and error.status in _EACH_ALONE
    if alone and not isinstance(error, Locked):
        return [ALONE] * size
    return [error.again() for _ in range(size)]
