"""JSONPath (RFC 9535) as far as a stream can follow it: a list of steps from the root down.

Names, indexes and slices that do not count from the end, wildcards, descendants, and filters on
what stands beside the selected: ``identifier[?@.system=='urn:oid:1.2' && @.use!='old'].value``,
of which ``||`` joins several values of one name. A path may leave out its ``$.``; one that begins
with ``@`` is relative to the object that holds the field whose context it gives, with ``@^`` to
what holds that, and so on.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NoReturn

_NAME = re.compile(r"[A-Za-z_\u0080-\U0010ffff][\w\-]*")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_INDEX = re.compile(r"0|[1-9][0-9]*")
_SLICE = re.compile(r"([0-9]*)\s*:\s*([0-9]*)\s*(?::\s*([1-9][0-9]*))?")
_LITERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|true|false|null")
_SPACE = re.compile(r"\s*")


ANY_SPACE = "* "
"""Before a name: one of any namespace, or of none. No JSONPath has it."""


class BadPath(ValueError):
    """The selector is none that can be followed; says where."""


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of a filter: the names below ``@``, and what has to stand there.

    `literals` are strings' texts or other scalars' spellings, one of which it has to be; none of
    them asks whether it exists.
    """

    __test__ = False  # not one of pytest's
    names: tuple[str, ...]
    literals: tuple[tuple[bool, str], ...] = ()
    """(it is a string, its text)"""
    equal: bool = True

    def joined(self, other: "Test") -> "Test | None":
        """Either of two, where that is one comparison; else None."""
        both = (self, other)
        if self.names != other.names or not all(one.equal and one.literals for one in both):
            return None
        return replace(self, literals=self.literals + other.literals)


@dataclass(frozen=True, slots=True)
class Step:
    """One segment: which children it selects, or which descendants."""

    name: str | None = None
    span: tuple[int, int | None, int] | None = None
    """First index, the one after the last, how many at a time."""
    tests: tuple[Test, ...] = ()
    descendant: bool = False

    @property
    def wild(self) -> bool:
        """Neither a name nor an index is asked for: a wildcard or a filter."""
        return self.name is None and self.span is None

    def selects(self, key: str | int | None) -> bool:
        """A member of that name, None for one that no step names, or an element; of an index
        below 0 is one that no step counts."""
        if key is None or isinstance(key, str):
            return self.wild or (key is not None and self._is_called(key))
        if self.span is None:
            return self.wild
        first, end, stride = self.span
        return key >= first and (end is None or key < end) and (key - first) % stride == 0

    def _is_called(self, key: str) -> bool:
        name = self.name
        if name is None or not name.startswith(ANY_SPACE):
            return key == name
        return key.rpartition(" ")[2] == name[len(ANY_SPACE) :]


@dataclass(frozen=True, slots=True)
class Path:
    steps: tuple[Step, ...]
    relative: bool = False
    up: int = 0
    """How many containers above the one that holds the field a relative path begins."""


@lru_cache(maxsize=1_024)
def compile_path(text: str) -> Path:
    """Raises BadPath."""
    return _Reader(text).path()


@lru_cache(maxsize=1_024)
def _same(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """One object for all that are equal: who looks them up need not compare them."""
    return steps


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def path(self) -> Path:
        relative = self._take("@")
        up = 0
        while relative and self._take("^"):
            up += 1
        rooted = relative or self._take("$")
        steps = [] if rooted else [self._first()]
        while self._at < len(self._text):
            steps.append(self._step())
        return Path(_same(tuple(steps)), relative, up)

    def _first(self) -> Step:
        return self._step() if self._text[:1] in {".", "["} else self._dotted(descendant=False)

    def _step(self) -> Step:
        if self._take(".."):
            bracket = self._text.startswith("[", self._at)
            return self._bracket(descendant=True) if bracket else self._dotted(descendant=True)
        if self._take("."):
            return self._dotted(descendant=False)
        return self._bracket(descendant=False)

    def _dotted(self, *, descendant: bool) -> Step:
        if self._take("*"):
            return Step(descendant=descendant)
        return Step(name=self._match(_NAME, "a name")[0], descendant=descendant)

    def _bracket(self, *, descendant: bool) -> Step:
        self._need("[")
        self._space()
        step = self._inside(descendant=descendant)
        self._space()
        self._need("]")
        return step

    def _inside(self, *, descendant: bool) -> Step:
        if self._take("*"):
            return Step(descendant=descendant)
        if self._take("?"):
            return Step(tests=self._filter(), descendant=descendant)
        if self._text.startswith(("'", '"'), self._at):
            return Step(name=self._quoted_name(), descendant=descendant)
        if found := _SLICE.match(self._text, self._at):
            self._at = found.end()
            end = int(found[2]) if found[2] else None
            return Step(span=(int(found[1] or 0), end, int(found[3] or 1)), descendant=descendant)
        index = int(self._match(_INDEX, "an index that counts from the start")[0])
        return Step(span=(index, index + 1, 1), descendant=descendant)

    def _filter(self) -> tuple[Test, ...]:
        first = self._operand()
        if self._text.startswith("||", self._at):
            return (self._either(first),)
        tests = [first]
        while self._take("&&"):
            tests.append(self._operand())
        return tuple(tests)

    def _operand(self) -> Test:
        self._space()
        if not self._take("("):
            return self._test()
        test = self._either(self._test())
        self._need(")")
        self._space()
        return test

    def _either(self, test: Test) -> Test:
        while self._take("||"):
            joined = test.joined(self._test())
            if joined is None:
                self._refuse("the same name and == on both sides of ||")
            test = joined
        return test

    def _test(self) -> Test:
        self._space()
        self._need("@")
        names = []
        while self._text.startswith((".", "['", '["'), self._at):
            step = self._step()
            if step.name is None or step.descendant:
                self._refuse("names alone below @ in a filter")
            names.append(step.name)
        if not names:
            self._refuse("a name below @ in a filter")
        self._space()
        equal = self._take("==")
        if not equal and not self._take("!="):
            return Test(tuple(names))
        self._space()
        quoted = self._text.startswith(("'", '"'), self._at)
        text = self._string() if quoted else self._match(_LITERAL, "a literal")[0]
        self._space()
        return Test(tuple(names), ((quoted, text),), equal)

    def _string(self) -> str:
        found = self._match(_QUOTED, "a string in quotes")
        inner: str = found[1] if found[1] is not None else found[2]
        if re.search(r"\\[^'\"\\/]", inner):
            self._refuse("no escapes but those of quotes and backslashes")
        return re.sub(r"\\(.)", r"\1", inner)

    def _quoted_name(self) -> str:
        name = self._string()
        if name.startswith(ANY_SPACE):
            self._refuse("no name that begins with a star and a space")
        return name

    def _space(self) -> None:
        self._match(_SPACE, "space")

    def _take(self, what: str) -> bool:
        found = self._text.startswith(what, self._at)
        self._at += len(what) if found else 0
        return found

    def _need(self, what: str) -> None:
        if not self._take(what):
            self._refuse(repr(what))

    def _match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            self._refuse(what)
        self._at = found.end()
        return found

    def _refuse(self, wanted: str) -> NoReturn:
        raise BadPath(f"{self._text!r}: {wanted} expected at character {self._at + 1}")
