"""Which kind of body a media type is, and how each kind is parsed by a route's rules."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final

from vault.config import Route
from vault.proxy.bodies.csv import CsvParser
from vault.proxy.bodies.fixed_width import FixedWidthParser
from vault.proxy.bodies.form import FormParser
from vault.proxy.bodies.hl7 import Hl7Parser
from vault.proxy.bodies.json import JsonParser, plan
from vault.proxy.bodies.multipart import FieldParser, MultipartParser, Part
from vault.proxy.bodies.pieces import Parser, Rule, Unparsable
from vault.proxy.bodies.text import TextParser, has_right_key
from vault.proxy.bodies.xml import XmlParser

IsToken = Callable[[str, str], bool]
"""(transformation, text) -> whether that is a token of it, where that can be told."""

KNOWN: Final[Mapping[str, str]] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/fhir+ndjson": "ndjson",
    "application/xml": "xml",
    "text/xml": "xml",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/hl7-v2": "hl7",
    "application/hl7-v2+er7": "hl7",
    "x-application/hl7-v2+er7": "hl7",
    "application/x-www-form-urlencoded": "form",
    "multipart/form-data": "multipart",
    "text/plain": "text",
    "text/html": "text",
}
MOST_KINDS: Final = 64
"""Content types that are remembered: a caller can think of any number."""
_SUFFIXES: Final = {"+json": "json", "+xml": "xml"}


def media_type(content_type: str) -> str:
    """In lower case and without parameters."""
    return content_type.partition(";")[0].strip().lower()


def kind_of(content_type: str, route: Route) -> str | None:
    """The kind of body that a Content-Type names; None for one that nobody here knows."""
    media = media_type(content_type)
    found = route.types.get(media) or KNOWN.get(media)
    if found is not None:
        return found
    return next((kind for suffix, kind in _SUFFIXES.items() if media.endswith(suffix)), None)


class Parsers:
    """The parsers of a route's rules for one direction, a fresh one for each body."""

    def __init__(
        self, rules: Mapping[str, Sequence[Rule]], route: Route, is_token: IsToken
    ) -> None:
        """`rules` by kind; those of JSON are for its lines too where these have none. Raises
        ValueError for a selector that its kind does not understand."""
        if "json" in rules:
            rules = {"ndjson": rules["json"], **rules}
        self._route = route
        self._rules = rules
        self._is_token = is_token
        self._kinds: dict[str, str | None] = {}
        self._makers = {kind: self._maker(kind, of) for kind, of in rules.items()}
        for kind, maker in self._makers.items():
            if kind != "multipart":
                maker()

    @property
    def any(self) -> bool:
        return bool(self._makers)

    def of(self, content_type: str) -> Parser | None:
        """A parser for a body of this Content-Type; None where no rule is about such bodies.
        Raises Unparsable for a multipart body without a boundary that can be, and for a charset
        whose digits are not those of ASCII: nothing would be found in it."""
        kind = self._kind(content_type)
        if kind == "multipart" and self._makers:
            boundary = _parameter(content_type, "boundary")
            return MultipartParser(boundary, self._part)
        maker = self._makers.get(kind or "")
        if maker is not None and media_type(content_type) == "text/tab-separated-values":
            return self._csv(self._rules["csv"], "\t")
        return maker() if maker is not None else None

    def _kind(self, content_type: str) -> str | None:
        """Raises Unparsable for a charset that cannot be."""
        if content_type in self._kinds:  # it is the same in most messages
            return self._kinds[content_type]
        kind = kind_of(content_type, self._route)
        if self._makers and kind is not None:
            _check_charset(content_type)
        if len(self._kinds) < MOST_KINDS:
            self._kinds[content_type] = kind
        return kind

    def _maker(self, kind: str, rules: Sequence[Rule]) -> Callable[[], Parser]:
        if kind in {"json", "ndjson"}:
            return partial(JsonParser, plan(rules), lines=kind == "ndjson")
        route = self._route
        latin, utf8 = route.encoding or "latin-1", route.encoding or "utf-8"
        makers: dict[str, Callable[[], Parser]] = {
            "xml": partial(XmlParser, rules, namespaces=route.namespaces),
            "csv": partial(self._csv, rules, route.delimiter),
            "fixed": partial(FixedWidthParser, rules, encoding=latin, length=route.record_length),
            "hl7": partial(Hl7Parser, rules, encoding=utf8),
            "form": partial(FormParser, rules),
            "multipart": partial(FieldParser, rules[0]),
            "text": partial(TextParser, rules, wanted=self._wanted(rules[0])),
        }
        return makers[kind]

    def _csv(self, rules: Sequence[Rule], delimiter: str) -> CsvParser:
        encoding = self._route.encoding or "utf-8"
        header = self._route.header
        return CsvParser(rules, delimiter=delimiter, encoding=encoding, header=header)

    def _wanted(self, rule: Rule) -> Callable[[str], bool]:
        """In free text only what the operation can be done to is a field of it."""
        name, opens = rule.transformation, rule.operation in {"detokenise", "mask"}
        return lambda text: has_right_key(text) and self._is_token(name, text) is opens

    def _part(self, part: Part) -> Parser | None:
        """A field by the rule of its name, a file by those of its kind."""
        for rule in self._rules.get("multipart", ()):
            if rule.selector == part.name and not part.file_name:
                _check_charset(part.content_type)
                return FieldParser(rule)
        maker = self._makers.get(kind_of(part.content_type, self._route) or "")
        if maker is None:
            return None
        _check_charset(part.content_type)
        return maker()


def _check_charset(content_type: str) -> None:
    if not holds_ascii(content_type):
        raise Unparsable("the charset does not hold ASCII", 0)


def holds_ascii(content_type: str, beside: Collection[str] = ()) -> bool:
    """Whether every charset that a body is said to have, if any, writes digits as ASCII does, or
    is one of `beside`."""
    said = [charset for charset in _parameters(content_type, "charset") if charset]
    return all(charset.lower() in beside or _is_ascii(charset) for charset in said)


def _is_ascii(charset: str) -> bool:
    try:
        return "09aZ+@".encode(charset) == b"09aZ+@"
    except (LookupError, UnicodeError, ValueError):
        return False


def _parameters(content_type: str, name: str) -> list[str]:
    """Those of a name, as RFC 2231 writes it too."""
    pairs = (one.strip().partition("=") for one in content_type.split(";")[1:])
    wanted = (value for key, _, value in pairs if key.strip().lower().partition("*")[0] == name)
    return [value.strip().strip('"') for value in wanted]


def _parameter(content_type: str, name: str) -> str:
    return next(iter(_parameters(content_type, name)), "")
