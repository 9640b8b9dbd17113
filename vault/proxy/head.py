"""The head of a message: the fields that rules select in it, and what of it is passed on."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from vault.errors import Refusal
from vault.proxy.bodies.form import FormParser
from vault.proxy.bodies.pieces import DoesNotFit, Field, Rule
from vault.proxy.bodies.rewrite import put_back
from vault.proxy.bodies.whole import spliced
from vault.proxy.guard import Guard
from vault.proxy.rules import Place
from vault.web.headers import Header

HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""RFC 9110, section 7.6.1, and what is said of this connection alone."""
FORWARDED: Final = frozenset(
    (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip")
)
"""Nobody outside is believed what he says of who he is."""
_VISIBLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_TEXT = re.compile(rb"[\x09\x20-\x7e\x80-\xff]*")
_USUAL = re.compile(rb"(?:/[\w~!$&'()*+,;=:@-][\w.~!$&'()*+,;=:@-]*)*/?", re.ASCII)
"""Paths that are in their normal form at first sight."""
_ONCE = (b"content-encoding", b"content-length", b"content-type", b"host")
_ESCAPE = re.compile(rb"%(?:([0-9A-Fa-f]{2})|)")
_PLAIN = re.compile(rb"[0-9A-Za-z._~/\\-]")
"""Nobody has to escape these, and a slash that is escaped is none to some and one to others."""


class Head:
    """The head of a request or of an answer."""

    def __init__(
        self,
        headers: Sequence[Header],
        path: bytes = b"",
        query: bytes = b"",
    ) -> None:
        self.headers = list(headers)
        self.fields = dict(headers)
        """The last of each name, as it came."""
        self.path = path
        self.query = query
        self.captured: Mapping[str, tuple[int, int]] = {}
        """The path's named segments, and where they stand in it."""
        self._placed: list[tuple[Field, Place, int]] = []

    def count(self, wanted: bytes) -> int:
        return sum(name == wanted for name, _ in self.headers)

    def find(self, rules: Iterable[tuple[Place, Rule]]) -> list[Field]:
        """The fields of the head. Raises Unparsable for a query that is none."""
        for place, rule in rules:
            if place.part == "header":
                self._find_headers(place, rule)
            elif place.part == "path":
                self._find_segment(place, rule)
        queried = [
            Rule(place.name, rule.transformation, rule.operation, rule.context, None, rule.on_error)
            for place, rule in rules
            if place.part == "query"
        ]
        originals = {place.name: rule for place, rule in rules if place.part == "query"}
        if queried and self.query:
            for start, field in FormParser(queried).read(self.query):
                name = field.rule.selector
                field.rule = originals[name]
                self._placed.append((field, Place("query", name), start))
        return [field for field, _, _ in self._placed]

    def _find_headers(self, place: Place, rule: Rule) -> None:
        wanted = place.name.encode()
        for index, (name, value) in enumerate(self.headers):
            if name == wanted and value:
                text = value.decode("latin-1")
                self._placed.append((Field(text, rule, value, _header), place, index))

    def _find_segment(self, place: Place, rule: Rule) -> None:
        span = self.captured.get(place.name)
        if span is None:
            return
        raw = self.path[slice(*span)]
        try:
            text = unquote_to_bytes(raw).decode()
        except UnicodeError:
            raise Refusal("malformed_request", "a path is UTF-8 under its escapes") from None
        self._placed.append((Field(text, rule, raw, _segment), place, span[0]))

    def context(self, place: Place) -> Field | str | None:
        """What stands at a place that is another field's context: the first field there, or what
        no rule is about."""
        for field, where, _ in self._placed:
            if where == place:
                return field
        if place.part == "header":
            wanted = place.name.encode()
            for name, value in self.headers:
                if name == wanted:
                    return value.decode("latin-1")
        elif place.part == "path" and place.name in self.captured:
            return unquote_to_bytes(self.path[slice(*self.captured[place.name])]).decode()
        elif place.part == "query":
            rule = Rule(place.name, "", "drop")
            for _, field in FormParser([rule]).read(self.query):
                return field.text
        return None

    def rewrite(self) -> None:
        """Put what became of the fields in their places. Raises Blocked."""
        changed = [one for one in self._placed if put_back(one[0]) != one[0].raw]
        dropped = []
        for field, place, index in changed:
            if place.part == "header":
                self.headers[index] = (self.headers[index][0], put_back(field))
                if field.rule.operation == "drop":
                    dropped.append(index)
        self.headers = [one for at, one in enumerate(self.headers) if at not in dropped]
        self.path = _spliced(self.path, changed, "path")
        self.query = _spliced(self.query, changed, "query")

    def guard(self, guard: Guard) -> None:
        """Look for real numbers in what is left of it. Raises Leak; nothing is masked in a
        target, which would be another one's: it passes, or it does not."""
        strict = guard.strict()
        strict.check(self.path)
        strict.check(self.query)
        self.headers = [(name, guard.check(value)) for name, value in self.headers]


def _spliced(raw: bytes, changed: Sequence[tuple[Field, Place, int]], part: str) -> bytes:
    fields = sorted((at, id(field), field) for field, place, at in changed if place.part == part)
    if not fields:
        return raw
    pieces = spliced(raw, [(at, field) for at, _, field in fields])
    return b"".join(p if isinstance(p, bytes) else put_back(p) for p in pieces)


def _header(text: str) -> bytes:
    if text and not _VISIBLE.fullmatch(text):
        raise DoesNotFit("a header holds visible ASCII")
    return text.encode("ascii")


def _segment(text: str) -> bytes:
    return quote(text, safe="").encode()


def twins(more: Iterable[bytes]) -> frozenset[bytes]:
    """How headers that mean something to us, `more` among them, read to those to whom a hyphen is
    an underscore: CGI, and what came after it."""
    meant = {*FORWARDED, *_ONCE, b"transfer-encoding", *more}
    return frozenset(name.replace(b"-", b"_") for name in meant)


def check_request(head: Head, named: bytes | None, twins: frozenset[bytes]) -> None:
    """Whether those behind us can only read the head as we do. `named` is the header that says
    for whom a request is, if one does. Raises Refusal ``malformed_request``."""
    if not _USUAL.fullmatch(head.path) and not _is_normal(head.path):
        raise Refusal("malformed_request", "the path is not in its normal form")
    fields, headers = head.fields, head.headers
    if len(fields) != len(headers):
        once = (*_ONCE, named) if named is not None else _ONCE
        if any(head.count(name) > 1 for name in once if name in fields):
            raise Refusal("malformed_request", "a header that counts once is there twice")
    if not _TEXT.fullmatch(b"".join([value for _, value in headers])):
        raise Refusal("malformed_request", "a header holds a control character")
    if b"_" in b"".join(fields) and any(
        b"_" in name and name.replace(b"-", b"_") in twins for name in fields
    ):
        raise Refusal("malformed_request", "a header that reads as another one")


def _is_normal(path: bytes) -> bool:
    """Written in the one way that nobody reads as another path."""
    if not path.startswith(b"/") or b"//" in path or b"\\" in path:
        return False
    if any(segment in {b".", b".."} for segment in path.split(b"/")):
        return False
    escapes = (found[1] for found in _ESCAPE.finditer(path))
    return all(one and not _PLAIN.fullmatch(bytes.fromhex(one.decode())) for one in escapes)


def passed_on(
    head: Head, without: frozenset[bytes] = frozenset(), meant: frozenset[bytes] = frozenset()
) -> list[Header]:
    """The headers that are not of this connection alone, nor `without`; those `meant` are not to
    be named so."""
    gone = HOP_BY_HOP | without
    if b"connection" in head.fields:
        named = {
            option.strip().lower()
            for name, value in head.headers
            if name == b"connection"
            for option in value.split(b",")
        }
        gone = gone | named - {b"host", b"content-length", b"content-type", *meant}
    return [one for one in head.headers if one[0] not in gone]


def forwarded(source: str, scheme: str, host: bytes) -> list[Header]:
    """Who called and how, for the upstream (RFC 7239, and the names that came before it)."""
    known = source[:1].isdigit() or ":" in source
    source = source if known else "unknown"  # over a socket of this machine
    address = f'"[{source}]"' if ":" in source else source
    said = f'for={address};proto={scheme};host="'.encode() + host.replace(b'"', b"") + b'"'
    return [
        (b"forwarded", said),
        (b"x-forwarded-for", source.encode()),
        (b"x-forwarded-proto", scheme.encode()),
        (b"x-forwarded-host", host),
    ]
