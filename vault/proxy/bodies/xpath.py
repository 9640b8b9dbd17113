"""XPath as far as a stream can follow it, as the same steps that JSONPath has.

``/a/p:b/@c``, ``//b`` (an element's text), ``*``, and conditions on attributes and on what stands
below: ``//f:identifier[f:system/@value='urn:oid:1.2']/f:value/@value``, several joined by
``and``, or several values of one thing by ``or``. A context selector may begin with ``./`` (the
element that holds the field) or ``../``. A prefix is one of the namespaces given; the one named ""
is that of elements without a prefix, and ``*:b`` is b of any namespace, or of none.
"""

import re
from collections.abc import Mapping
from typing import NoReturn

from vault.proxy.bodies.jsonpath import ANY_SPACE, BadPath, Path, Step, Test

TEXT = "text()"
_NAME = r"[^\W\d][\w.\-]*"
_PREFIX = rf"(?:({_NAME}|\*):)?"
_ANY_PREFIX = rf"(?:(?:{_NAME}|\*):)?"
_STEP = re.compile(rf"(//?)(?:(\*)(?!:)|(text\(\))|(@?){_PREFIX}({_NAME}))")
_INNER = re.compile(rf"\s*((?:{_ANY_PREFIX}{_NAME}/)*(?:@?{_ANY_PREFIX}{_NAME}))\s*")
_COMPARED = re.compile(r"(!?=)\s*(?:'([^']*)'|\"([^\"]*)\")\s*")
_PART = re.compile(rf"(@?){_PREFIX}({_NAME})")
_UPWARDS = re.compile(r"\.(?=/)|\.\.(?:/\.\.)*(?=/)")


def compile_xpath(text: str, namespaces: Mapping[str, str]) -> Path:
    """Raises BadPath."""
    return _Reader(text, namespaces).path()


class _Reader:
    def __init__(self, text: str, namespaces: Mapping[str, str]) -> None:
        self._text = text
        self._namespaces = namespaces
        self._at = 0

    def path(self) -> Path:
        upwards = _UPWARDS.match(self._text)
        self._at = upwards.end() if upwards else 0
        steps: list[Step] = []
        while self._at < len(self._text):
            if steps and _is_leaf(steps[-1]):
                self._refuse("nothing after an attribute or a text")
            steps.append(self._step())
        if not steps:
            self._refuse("a path that begins with /")
        if not _is_leaf(steps[-1]):
            steps.append(Step(TEXT))
        # The element that holds the field is one step above it.
        return Path(tuple(steps), upwards is not None, upwards[0].count("..") if upwards else 0)

    def _step(self) -> Step:
        found = _STEP.match(self._text, self._at)
        if found is None:
            self._refuse("a step such as /name, //name or /@name")
        self._at = found.end()
        descendant = found[1] == "//"
        if found[3]:
            return Step(TEXT, descendant=descendant)
        name = None if found[2] else self._name(found[4], found[5], found[6])
        tests: list[Test] = []
        while self._text.startswith("[", self._at):
            self._at += 1
            tests += self._conditions()
        if tests and found[4]:
            self._refuse("no condition on an attribute")
        return Step(name, tests=tuple(tests), descendant=descendant)

    def _conditions(self) -> list[Test]:
        tests = [self._condition()]
        word = "or" if self._text.startswith("or", self._at) else "and"
        while self._text.startswith(word, self._at):
            self._at += len(word)
            tests.append(self._condition())
            if word == "or":
                tests = [self._either(*tests)]
        if not self._text.startswith("]", self._at):
            self._refuse("]")
        self._at += 1
        return tests

    def _either(self, test: Test, other: Test) -> Test:
        joined = test.joined(other)
        if joined is None:
            self._refuse("the same name and = on both sides of or")
        return joined

    def _condition(self) -> Test:
        found = _INNER.match(self._text, self._at)
        if found is None:
            self._refuse("names below the element, or an attribute")
        self._at = found.end()
        parts = [_PART.fullmatch(part) for part in found[1].split("/")]
        names = [self._name(part[1], part[2], part[3]) for part in parts if part]
        compared = _COMPARED.match(self._text, self._at)
        if compared is None:
            return Test(tuple(names))
        self._at = compared.end()
        if not names[-1].startswith("@"):
            names.append(TEXT)
        wanted = compared[2] if compared[2] is not None else compared[3]
        return Test(tuple(names), ((True, wanted),), compared[1] == "=")

    def _name(self, at: str, prefix: str | None, local: str) -> str:
        """As expat writes names: the namespace, a space, the local name."""
        if prefix == "*":
            if at:
                self._refuse("no attribute of any namespace")
            return ANY_SPACE + local
        if prefix is not None and prefix not in self._namespaces:
            self._refuse("a prefix that has a namespace")
        space = self._namespaces.get(prefix or "", "") if prefix or not at else ""
        return f"{at}{space} {local}" if space else at + local

    def _refuse(self, wanted: str) -> NoReturn:
        raise BadPath(f"{self._text!r}: {wanted} expected at character {self._at + 1}")


def _is_leaf(step: Step) -> bool:
    return step.name is not None and (step.name == TEXT or step.name.startswith("@"))
