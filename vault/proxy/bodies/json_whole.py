"""Small JSON documents that are all there: decoded in C, followed down as trees, and parted where
something is to be replaced.

A tree does not know its text, so a document is read so only where the two cannot differ: there are
no escapes, so that a quote begins or ends a string; no name stands twice in an object, of which a
tree keeps one; and wherever a selected text stands it is selected. Any other is left to the parser
of texts, which also says what is wrong with one that is none.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec

from vault.proxy.bodies.jsonpath import Path, Step, Test
from vault.proxy.bodies.pieces import Field, Piece
from vault.proxy.bodies.ways import Plan

SMALL: Final = 64 * 1024
MOST_FIELDS: Final = 16
"""Each is looked for in the whole text."""
_QUOTE: Final = b'"'
_CONSTANTS: Final = {None: "null", True: "true", False: "false"}


class _Unsure(Exception):
    """The tree does not tell."""


class _Leaf(NamedTuple):
    """A scalar, and the containers above it from the root down."""

    value: Any
    key: str | int
    above: tuple[Any, ...]

    @property
    def place(self) -> tuple[int, str | int]:
        return id(self.above[-1]), self.key


def pieces_of(body: bytes, plan: Plan, depth: int) -> list[Piece] | None:
    """All of `body`, its fields among it; None where it has to be read as a text. `depth`: how
    many containers may hold one another."""
    if len(body) > SMALL or b"\\" in body:
        return None
    try:
        document = msgspec.json.decode(body)
        if msgspec.json.encode(document).count(_QUOTE) != body.count(_QUOTE):
            return None
        if not _is_shallow(body, document, depth):
            return None
        return _parted(body, _Tree(document, plan).fields())
    except (_Unsure, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None


def write_string(text: str) -> bytes:
    """As JSON writes it."""
    return msgspec.json.encode(text)


def _is_shallow(body: bytes, document: Any, depth: int) -> bool:
    if body.count(b"[") + body.count(b"{") <= depth:
        return True
    level = [document]
    for _ in range(depth):
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [one for each in inner for one in each if isinstance(one, dict | list)]
        if not level:
            return True
    return False


def _parted(body: bytes, fields: Sequence[Field]) -> list[Piece]:
    """Raises _Unsure where one of them cannot be told from what is not selected."""
    alike: dict[bytes, list[Field]] = {}
    for field in fields:
        alike.setdefault(field.raw, []).append(field)
    found: list[tuple[int, Field]] = []
    for raw, same in alike.items():
        # Between two strings stands a comma or a colon: without them it is no such gap.
        if b"," in raw or b":" in raw or body.count(raw) != len(same):
            raise _Unsure
        if any(one.rule is not same[0].rule for one in same):
            raise _Unsure
        at = -1
        for field in same:
            at = body.index(raw, at + 1)
            found.append((at, field))
    found.sort(key=itemgetter(0))
    pieces, start = list[Piece](), 0
    for at, field in found:
        pieces += (body[start:at], field)
        start = at + len(field.raw)
    pieces.append(body[start:])
    return pieces


class _Tree:
    """One document under the rules of a plan."""

    def __init__(self, document: Any, plan: Plan) -> None:
        """Raises _Unsure for a document that is a scalar."""
        if not isinstance(document, dict | list):
            raise _Unsure
        self._document = document
        self._plan = plan
        self._found: dict[tuple[int, int], list[_Leaf]] = {}
        self._fields: dict[tuple[int, str | int], Field] = {}

    def fields(self) -> list[Field]:
        """Those of one rule in the order of the text; the first rule counts. Raises _Unsure, and
        RecursionError."""
        waiting: list[tuple[Field, _Leaf, list[Path]]] = []
        plan, fields = self._plan, self._fields
        for rule, steps, contexts in zip(plan.rules, plan.paths, plan.contexts, strict=True):
            for leaf in self._leaves(self._document, steps):
                if (place := leaf.place) not in fields:
                    text: str = leaf.value
                    raw = b'"%b"' % text.encode()
                    field = fields[place] = Field(text, rule, raw, write_string, dropped=b"null")
                    if contexts:
                        waiting.append((field, leaf, contexts))
        if len(fields) > MOST_FIELDS:
            raise _Unsure
        for field, leaf, contexts in waiting:
            field.context = self._context(leaf, contexts) or field.context
        return [*fields.values()]

    def _context(self, leaf: _Leaf, contexts: Iterable[Path]) -> Field | str | None:
        """What stands where the first of them leads that leads to something. Raises _Unsure for
        one that descends from the field: of fields in one another each would go over the rest."""
        for path in contexts:
            if path.relative and any(step.descendant for step in path.steps):
                raise _Unsure
            above = leaf.above[: len(leaf.above) - path.up]
            if path.relative and not above:
                continue
            found = self._leaves(above[-1] if path.relative else self._document, path.steps)
            if found:
                return self._fields.get(found[0].place) or str(found[0].value)
        return None

    def _leaves(self, root: Any, steps: tuple[Step, ...]) -> list[_Leaf]:
        """The strings that the steps select, but for those that are empty."""
        known = self._found.get((id(root), id(steps)))
        if known is None:
            found: list[_Leaf] = []
            if steps:
                _follow(root, steps, (0,), (), found)
            known = [leaf for leaf in found if leaf.value not in {None, ""}]
            if any(not isinstance(leaf.value, str) for leaf in known):
                raise _Unsure
            self._found[id(root), id(steps)] = known
        return known


def _follow(
    value: Any, steps: Sequence[Step], at: Sequence[int], above: tuple[Any, ...], out: list[_Leaf]
) -> None:
    """From a container on; `at`: the steps that lead on from it."""
    above = (*above, value)
    first = steps[at[0]]
    if len(at) == 1 and first.name is not None and not first.descendant:
        if isinstance(value, dict) and first.name in value:
            _reach(value[first.name], first.name, steps, (at[0] + 1,), above, out)
        return
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        on: list[int] = []
        for number in at:
            step = steps[number]
            if step.descendant:
                on.append(number)
            if step.selects(key) and (not step.tests or _fit(child, step.tests)):
                on.append(number + 1)
        if on:
            _reach(child, key, steps, sorted(set(on)), above, out)


def _reach(
    value: Any,
    key: str | int,
    steps: Sequence[Step],
    at: Sequence[int],
    above: tuple[Any, ...],
    out: list[_Leaf],
) -> None:
    if not isinstance(value, dict | list):
        if at[-1] == len(steps):
            if len(out) == MOST_FIELDS:
                raise _Unsure
            out.append(_Leaf(value, key, above))
        return
    inner = [number for number in at if number < len(steps)]
    if inner:
        _follow(value, steps, inner, above, out)


def _fit(value: Any, tests: Sequence[Test]) -> bool:
    return all(_fits(value, test) for test in tests)


def _fits(value: Any, test: Test) -> bool:
    """Raises _Unsure for a number, of whose spellings a tree knows none."""
    for name in test.names:
        if not isinstance(value, dict) or name not in value:
            return bool(test.literals) and not test.equal
        value = value[name]
    if not test.literals:
        return True
    if isinstance(value, str):
        return ((True, value) in test.literals) is test.equal
    if isinstance(value, dict | list):
        return not test.equal
    if not isinstance(value, bool | None):
        raise _Unsure
    return ((False, _CONSTANTS[value]) in test.literals) is test.equal
