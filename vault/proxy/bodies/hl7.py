"""HL7 v2 (pipe-delimited): fields by segment and number, repetitions by what they hold.

Selectors: ``PID-7``, a field as it stands; ``PID-3.1``, a component (``.1.2`` a subcomponent)
of every repetition; ``PID-3[4.2=='1.2.250.1.213.1.4.8' && 5=='INS'].1``, of those alone whose
other components are so (several values of one component are joined by ``||``).
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from vault.proxy.bodies.pieces import DoesNotFit, Field, Limits, Rule, Unparsable, alternatives
from vault.proxy.bodies.whole import WholeParser

_SELECTOR = re.compile(
    r"([A-Z][A-Z0-9]{2})-([1-9][0-9]?)(?:\[(.+)\])?(?:\.([1-9][0-9]?))?(?:\.([1-9][0-9]?))?"
)
_TEST = re.compile(r"\s*([1-9][0-9]?)(?:\.([1-9][0-9]?))?\s*==\s*'([^']*)'\s*")
# Some senders leave the frame that messages have on a plain connection around them.
_SEGMENT = re.compile(rb"[^\r\n\x0b\x1c]++")
_BOM = b"\xef\xbb\xbf"
_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}")
_HEADERS = {b"MSH", b"FHS", b"BHS"}


class BadField(ValueError):
    """The selector is none of the forms that are understood."""


class _Test(NamedTuple):
    component: int
    sub: int | None
    wanted: frozenset[bytes]
    """One of these."""


class _Selector(NamedTuple):
    segment: bytes
    field: int
    tests: tuple["_Test", ...]
    component: int | None
    sub: int | None


class _Marks(NamedTuple):
    """The separators that a message declares."""

    field: bytes
    component: bytes
    repetition: bytes
    escape: bytes
    sub: bytes


Span = tuple[int, int]


class Hl7Parser(WholeParser):
    """One message, or several one after another, each a record. Raises BadField.

    The context of a field is looked for in its own segment where that is of the name, else in
    the nearest one of it before, else in the first one after. What is empty, or nothing but
    separators, and the explicit null (``""``) pass; what is dropped becomes empty.
    """

    def __init__(
        self, rules: Sequence[Rule], limits: Limits | None = None, *, encoding: str = "utf-8"
    ) -> None:
        super().__init__(limits)
        self._encoding = encoding
        self._rules = [(_selector(rule.selector), rule) for rule in rules]
        self._contexts = {
            rule.context_selector: [_selector(one) for one in alternatives(rule.context_selector)]
            for rule in rules
            if rule.context_selector is not None
        }

    def read(self, body: bytes) -> Sequence[tuple[int, Field]]:
        out: list[tuple[int, Field]] = []
        message: list[Span] = []
        for segment in _SEGMENT.finditer(body, len(_BOM) if body.startswith(_BOM) else 0):
            name = segment[0][:3]
            if not _NAME.match(name) or (not message and name not in _HEADERS):
                raise Unparsable("a segment without its name, or before MSH", segment.start())
            if name in _HEADERS and message:
                out += self._message(body, message)
                message = []
            message.append(segment.span())
        if message:
            out += self._message(body, message)
        return out

    def _message(self, body: bytes, segments: Sequence[Span]) -> list[tuple[int, Field]]:
        marks = _marks(body, segments[0])
        made: dict[Span, tuple[int, Field]] = {}
        for number, segment in enumerate(segments):
            for selector, rule in self._rules:
                for span in _found(body, segment, selector, marks):
                    if not any(span[0] < end and start < span[1] for start, end in made):
                        made[span] = number, self._field(body, span, rule, selector, marks)
        for number, field in made.values():
            if field.rule.context_selector is not None:
                for selector in self._contexts[field.rule.context_selector]:
                    if field.context is None:
                        near = _nearest(body, segments, number, selector.segment)
                        field.context = self._context(body, near, selector, marks, made)
        return [(span[0], field) for span, (_, field) in sorted(made.items())]

    def _field(
        self, body: bytes, span: Span, rule: Rule, selector: _Selector, marks: _Marks
    ) -> Field:
        raw = body[slice(*span)]
        text = self._text(raw, span, selector, marks)
        whole = selector.component is None
        return Field(text, rule, raw, partial(_write, marks, self._encoding, whole))

    def _context(
        self,
        body: bytes,
        segment: Span,
        selector: _Selector,
        marks: _Marks,
        made: dict[Span, tuple[int, Field]],
    ) -> Field | str | None:
        for span in _found(body, segment, selector, marks):
            if span in made:
                return made[span][1]
            return self._text(body[slice(*span)], span, selector, marks)
        return None

    def _text(self, raw: bytes, span: Span, selector: _Selector, marks: _Marks) -> str:
        """A component unescaped; a field as it stands, its components parted by ^."""
        if selector.component is None:
            raw = raw.replace(marks.component, b"^")
        else:
            raw = _unescaped(raw, marks)
        try:
            return raw.decode(self._encoding)
        except UnicodeError:
            raise Unparsable(f"a field is not valid {self._encoding}", span[0]) from None


def _marks(body: bytes, header: Span) -> _Marks:
    start, end = header
    found = body[start + 3 : min(start + 8, end)]
    marks = [found[index : index + 1] for index in range(5)]
    if len(found) < 5 or len(set(marks)) < 5 or any(m.isalnum() or m.isspace() for m in marks):
        raise Unparsable("MSH declares no five separators", start + 3)
    return _Marks(*marks)


def _split(body: bytes, span: Span, mark: bytes) -> Iterator[Span]:
    start, end = span
    while True:
        at = body.find(mark, start, end)
        yield start, end if at < 0 else at
        if at < 0:
            return
        start = at + 1


def _part(body: bytes, span: Span, number: int, mark: bytes) -> Span | None:
    for index, part in enumerate(_split(body, span, mark), 1):
        if index == number:
            return part
    return None


def _found(body: bytes, segment: Span, selector: _Selector, marks: _Marks) -> Iterator[Span]:
    """The places in a segment that a selector means, but for empty ones."""
    start, end = segment
    if not body.startswith(selector.segment, start):
        return
    # The separator after MSH is its own first field.
    number = selector.field + (selector.segment not in _HEADERS)
    field = _part(body, (start, end), number, marks.field)
    if field is None or (selector.segment in _HEADERS and selector.field < 3):
        return
    for repetition in _split(body, field, marks.repetition):
        if all(_holds(body, repetition, test, marks) for test in selector.tests):
            span = _component(body, repetition, selector.component, selector.sub, marks)
            if span is not None and not _is_empty(body[slice(*span)], marks):
                yield span


def _is_empty(raw: bytes, marks: _Marks) -> bool:
    return raw == b'""' or not raw.strip(marks.component + marks.sub)


def _nearest(body: bytes, segments: Sequence[Span], number: int, name: bytes) -> Span:
    """The segment of that name, seen from segment `number`; an empty one where there is none."""
    for segment in (*reversed(segments[: number + 1]), *segments[number + 1 :]):
        if body.startswith(name, segment[0]):
            return segment
    return 0, 0


def _component(
    body: bytes, span: Span, component: int | None, sub: int | None, marks: _Marks
) -> Span | None:
    if component is None:
        return span
    found = _part(body, span, component, marks.component)
    return found if found is None or sub is None else _part(body, found, sub, marks.sub)


def _holds(body: bytes, repetition: Span, test: _Test, marks: _Marks) -> bool:
    span = _component(body, repetition, test.component, test.sub, marks)
    return span is not None and _unescaped(body[slice(*span)], marks) in test.wanted


def _escapes(marks: _Marks) -> list[tuple[bytes, bytes]]:
    letters = ((b"F", marks.field), (b"S", marks.component), (b"T", marks.sub))
    pairs = (*letters, (b"R", marks.repetition), (b"E", marks.escape))
    return [(marks.escape + letter + marks.escape, mark) for letter, mark in pairs]


def _unescaped(raw: bytes, marks: _Marks) -> bytes:
    if marks.escape not in raw:
        return raw
    table = dict(_escapes(marks))
    pattern = b"|".join(re.escape(escape) for escape in table)
    return re.sub(pattern, lambda found: table[found[0]], raw)


def _write(marks: _Marks, encoding: str, whole: bool, text: str) -> bytes:
    try:
        raw = text.encode(encoding)
    except UnicodeError:
        raise DoesNotFit(f"{encoding} cannot write it") from None
    if b"\r" in raw or b"\n" in raw:
        raise DoesNotFit("it has a line end in it")
    if whole:
        if any(mark in raw for mark in (marks.field, marks.repetition, marks.escape, marks.sub)):
            raise DoesNotFit("it has a separator in it")
        return raw.replace(b"^", marks.component)
    table = {mark: escape for escape, mark in _escapes(marks)}
    pattern = b"|".join(re.escape(mark) for mark in table)
    return re.sub(pattern, lambda found: table[found[0]], raw)


def _selector(text: str) -> _Selector:
    found = _SELECTOR.fullmatch(text)
    if found is None:
        raise BadField(f"{text!r}: a field as PID-7, PID-3.1 or PID-3[4.2=='...'].1")
    parts = found[3].split("&&") if found[3] else []
    tests = [_either(text, part.split("||"), alone=len(parts) == 1) for part in parts]
    numbers = [int(found[group]) if found[group] else None for group in (4, 5)]
    return _Selector(found[1].encode(), int(found[2]), tuple(tests), *numbers)


def _either(text: str, parts: Sequence[str], *, alone: bool) -> _Test:
    """Values of one component, in parentheses unless this is the only condition."""
    joined = "||".join(parts).strip()
    if joined.startswith("(") and joined.endswith(")"):
        parts, alone = joined[1:-1].split("||"), True
    found = [_TEST.fullmatch(part) for part in parts]
    tests = [test for test in found if test is not None]
    places = {(test[1], test[2]) for test in tests}
    if len(tests) < len(parts) or len(places) > 1 or (len(parts) > 1 and not alone):
        raise BadField(f"{text!r}: conditions are like 4.2=='...' && (5=='...' || 5=='...')")
    component, sub = places.pop()
    wanted = frozenset(test[3].encode() for test in tests)
    return _Test(int(component), int(sub) if sub else None, wanted)
