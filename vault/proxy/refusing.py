"""What stops a message, as the problem that is answered in its place."""

from vault.errors import JetonError, Refusal
from vault.proxy.bodies.pieces import Unparsable
from vault.proxy.bodies.rewrite import Blocked
from vault.proxy.encodings import BadEncoding, Bomb, UnknownEncoding
from vault.proxy.guard import Leak
from vault.web.problem import HTTPRefusal

Stopped = (Blocked, Leak, Unparsable, BadEncoding, Bomb, UnknownEncoding)

_CODES: dict[type[JetonError], str] = {
    Blocked: "blocked",
    Leak: "blocked",
    Unparsable: "malformed_request",
    BadEncoding: "malformed_request",
    Bomb: "too_large",
    UnknownEncoding: "unsupported_media_type",
}


def of_request(error: JetonError) -> Refusal:
    """It is the caller's to mend."""
    return HTTPRefusal(_CODES[type(error)], str(error))


def of_answer(error: JetonError) -> Refusal:
    """The caller can do nothing about it."""
    return HTTPRefusal("blocked", f"the upstream's answer does not pass: {error}", status=502)
