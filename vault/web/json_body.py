"""Calls as JSON, read strictly: what is not exactly the contract's shape is refused whole.

msgspec checks syntax, UTF-8, surrogates, types and unknown members while it decodes; it keeps
the last of two members of the same name, so that these are counted here.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from vault.config import Operation
from vault.errors import Refusal
from vault.service import Answer
from vault.web.body import RESULTS, Content, check_context, malformed


class _Asked(Struct, forbid_unknown_fields=True):
    context: str | UnsetType = UNSET
    contexts: list[str] | UnsetType = UNSET

    def __repr__(self) -> str:  # values stand in it
        return f"<{type(self).__name__}>"


class Values(_Asked):
    """What tokenise takes."""

    one: str | UnsetType = field(name="value", default=UNSET)
    many: list[str] | UnsetType = field(name="values", default=UNSET)


class Tokens(_Asked):
    """What detokenise and mask take."""

    one: str | UnsetType = field(name="token", default=UNSET)
    many: list[str] | UnsetType = field(name="tokens", default=UNSET)


class Pairs(Tokens):
    """What match takes."""

    candidate: str | UnsetType = UNSET
    candidates: list[str] | UnsetType = UNSET


BODIES: Final[Mapping[str, type[Values] | type[Tokens]]] = {
    "tokenise": Values,
    "detokenise": Tokens,
    "mask": Tokens,
    "match": Pairs,
}
_DECODERS = {operation: msgspec.json.Decoder(body) for operation, body in BODIES.items()}
_ENCODE = msgspec.json.Encoder().encode
_SINGLE = {operation: b'{"%b":' % single.encode() for operation, (single, _) in RESULTS.items()}

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_ARRAY = rb'\[[^"\]]*+(?:%b[^"\]]*+)*+\]' % _STRING
_MEMBER = re.compile(rb"%b\s*+:\s*+(?:%b|%b)" % (_STRING, _STRING, _ARRAY), re.DOTALL)
"""A member of a valid body, whose values are strings and flat arrays of strings. Possessive:
nothing is tried twice, and no state is kept, however long the text."""


class JSON:
    """The codec of ``application/json``."""

    media_type = b"application/json"
    aside = False
    """msgspec keeps the interpreter's lock: in a thread it would hold up the loop all the same."""

    def __init__(self, max_items: int, max_body: int) -> None:
        self.max_items = max_items
        self.max_body = max_body

    def decode(self, operation: Operation, body: bytes) -> Content:
        """Raises Refusal ``malformed_request``, or ``too_large`` for too many items."""
        try:
            asked = _DECODERS[operation].decode(body)
        except ValueError:  # its message may quote the body
            raise malformed("the body is not JSON of this call's shape") from None
        one, many = asked.one, asked.many
        if many is not UNSET and len(many) > self.max_items:
            raise Refusal("too_large", f"a batch holds at most {self.max_items} items")
        if one is not UNSET and many is UNSET:
            content = Content([one], single=True)
        elif many is not UNSET and one is UNSET:
            content = Content(many, single=False)
        else:
            raise malformed("give exactly one of the single and the batch member")
        members = 1
        if asked.context is not UNSET or asked.contexts is not UNSET:
            _read_contexts(asked, content)
            members = 2
        if operation == "match":
            _read_candidates(asked, content)
            members += 1
        # As many colons as members, or some are within strings, or a member came twice.
        if body.count(b":") != members and _count_members(body) != members:
            raise malformed("a member is there twice")
        return content

    def encode(self, operation: Operation, content: Content, answer: Answer) -> bytes:
        if content.single:
            return _SINGLE[operation] + _ENCODE(answer.results[0]) + b"}"
        return _ENCODE({RESULTS[operation][1]: answer.results, "errors": answer.errors})


def _read_contexts(asked: _Asked, content: Content) -> None:
    one, each = asked.context, asked.contexts
    if one is not UNSET and each is not UNSET:
        raise malformed("give a context for all items or contexts one by one, not both")
    if one is not UNSET:
        check_context(one)
        content.contexts = one
    elif each is not UNSET:
        if content.single:
            raise malformed("a single call takes a context, not contexts")
        _check_length("contexts", each, content)
        for context in set(each):
            check_context(context)
        content.contexts = each


def _read_candidates(asked: _Asked, content: Content) -> None:
    assert isinstance(asked, Pairs)
    one, many = asked.candidate, asked.candidates
    if content.single:
        if one is UNSET or many is not UNSET:
            raise malformed("a token is matched with one candidate")
        content.candidates = [one]
    else:
        if many is UNSET or one is not UNSET:
            raise malformed("tokens are matched with candidates")
        _check_length("candidates", many, content)
        content.candidates = many


def _check_length(name: str, given: Sequence[str], content: Content) -> None:
    if len(given) != len(content.items):
        raise malformed(f"there must be as many {name} as items")


def _count_members(body: bytes) -> int:
    """Members of a valid body; not beyond the first few, however many there are."""
    return sum(1 for _ in islice(_MEMBER.finditer(body), 8))
