"""Everything HTTP says when something is wrong: RFC 9457 problems with a stable code.

A problem names the rule that was broken. It never repeats what was sent.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from vault.errors import Refusal

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[Mapping[str, int]] = {
    "malformed_request": 400,
    "unauthenticated": 401,
    "locked": 403,
    "not_allowed": 403,
    "purpose_required": 403,
    "end_user_required": 403,
    "approval_required": 403,
    "not_found": 404,
    "unknown_transformation": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "request_id_reused": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "budget_exhausted": 429,
    "internal": 500,
    "store_unavailable": 503,
    "audit_unavailable": 503,
    "keys_unavailable": 503,
    "overloaded": 503,
    # The items' codes, where a single call was about that one item:
    "invalid_value": 422,
    "not_a_token": 422,
    "context_required": 422,
    "domain_exhausted": 507,
}
"""The HTTP status of every code (only headers that are too large are 431, under 413's code)."""

PROXY_STATUS: Final[Mapping[str, int]] = {
    "blocked": 422,
    "upgrade_refused": 501,
    "upstream_invalid": 502,
    "upstream_unavailable": 503,
    "upstream_timeout": 504,
}
"""Those that only the edge proxy answers with."""

_STATUS: Final = {**STATUS, **PROXY_STATUS}

TITLES: Final[Mapping[int, str]] = {
    status: HTTPStatus(status).phrase for status in {431, *_STATUS.values()}
} | {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's phrases: Python's older releases have RFC 7231's."""

RETRY_AFTER: Final[Mapping[int, int]] = {429: 1, 503: 1}
"""Whole seconds, where the refusal does not know better."""

Headers = list[tuple[bytes, bytes]]


class Problem(msgspec.Struct, frozen=True):
    """The body of every answer that is no success. The type is ``about:blank``: `code` is what
    a program goes by."""

    type: str
    title: str
    status: int
    code: str
    detail: str


class HTTPRefusal(Refusal):
    """A refusal that HTTP itself makes: with headers of its own, or a status that is not its
    code's usual one."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retry_after: int | None = None,
        status: int | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(code, detail, retry_after)
        self.status = _STATUS[code] if status is None else status
        self.headers = headers


def body(status: int, code: str, detail: str, more: Mapping[str, object] | None = None) -> bytes:
    """A problem as JSON, with `more` members of its own."""
    told = Problem("about:blank", TITLES[status], status, code, detail)
    return msgspec.json.encode({**msgspec.structs.asdict(told), **more} if more else told)


def answer(
    refusal: Refusal, more: Mapping[str, object] | None = None
) -> tuple[int, Headers, bytes]:
    """Status, headers (with the content's type and length) and body. A code without a status
    here would be a mistake of ours, and is answered as one."""
    code, detail = refusal.code, refusal.detail
    if code not in _STATUS:
        code, detail = "internal", "the service failed; nothing was answered"
    status = refusal.status if isinstance(refusal, HTTPRefusal) else _STATUS[code]
    content = body(status, code, detail, more)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(content)),
    ]
    if status == STATUS["unauthenticated"]:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in RETRY_AFTER:
        seconds = RETRY_AFTER[status] if refusal.retry_after is None else refusal.retry_after
        headers.append((b"retry-after", b"%d" % max(1, seconds)))
    if isinstance(refusal, HTTPRefusal):
        headers += refusal.headers
    return status, headers, content
