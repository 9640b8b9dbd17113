"""XML and SOAP: expat reads, and its byte offsets let everything stay that is not replaced.

UTF-8, US-ASCII, ISO-8859-1 and -15, windows-1252. Every DOCTYPE is refused, and with it every
entity of a document's own. Of an element's text the white space around it stays; a comment or
CDATA mark within it goes when it is replaced.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice
from xml.parsers import expat
from xml.sax.saxutils import escape

from vault.proxy.bodies.elements import ANY, Kind, XmlPlan
from vault.proxy.bodies.follow import Follower, Hits, Place, Slot
from vault.proxy.bodies.holding import Holding, TooMuchHeld
from vault.proxy.bodies.pieces import DoesNotFit, Field, Limits, Piece, Rule, Unparsable
from vault.proxy.bodies.window import Window
from vault.proxy.bodies.xpath import TEXT, compile_xpath

_ATTRIBUTE = re.compile(rb"[ \t\r\n]([^\s=/<>\"']+)[ \t\r\n]*=[ \t\r\n]*(?:\"([^\"]*)\"|'([^']*)')")
_TAG = re.compile(rb"<(?:[^\"'>]++|\"[^\"]*+\"|'[^']*+')*+>")
_ENCODINGS = {"utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "us-ascii"}
_OTHER = "an encoding other than UTF-8, ISO-8859-1, ISO-8859-15, windows-1252 and US-ASCII"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_WHITE = b" \t\r\n"
MOST_FOR_NAMES = 8 << 20
"""Bytes: expat keeps every name, and a document that makes them up would fill memory."""
A_NAME = 160
"""What one takes besides its own bytes."""


Where = tuple[int, int, Callable[[str], bytes]]
"""Begin and end in the window, and how another text is written there."""


@lru_cache(maxsize=256)
def _plan(rules: tuple[Rule, ...], namespaces: tuple[tuple[str, str], ...]) -> XmlPlan:
    return XmlPlan(rules, partial(compile_xpath, namespaces=dict(namespaces)))


class _Text:
    """The text of an open element, which is asked for."""

    __slots__ = ("mixed", "said", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        """Where it begins in the body."""
        self.said: list[str] = []
        self.mixed = False
        """Other elements stand in it."""


class XmlParser:
    """Rules select attributes and the texts of elements; empty ones pass, and what is dropped
    becomes empty. Text beside elements does not pass where a rule asks for it."""

    def __init__(
        self,
        rules: Sequence[Rule],
        limits: Limits | None = None,
        *,
        namespaces: Mapping[str, str] | None = None,
    ) -> None:
        """`namespaces`: prefix -> URI, for the selectors alone. Raises BadPath."""
        self._limits = limits or Limits()
        self._plan = _plan(tuple(rules), tuple((namespaces or {}).items()))
        self._follow = Follower(self._plan)
        self._holding = Holding(self._limits.record)
        self._encoding = "utf-8"
        self._window = Window(self._limits.token)
        self._read_until = 0
        root, _ = self._follow.open_root()
        self._kinds = [self._plan.kind(root.state)]
        """Of all that is open."""
        self._places = [root]
        """Of all that is open but for plain elements in which nothing else stands yet."""
        self._texts: list[_Text] = []
        self._names: dict[str, str] = {}
        """All that differ so far: expat keeps them too."""
        self._counted = 0
        self._room = MOST_FOR_NAMES
        self._expat = self._reader()
        self._hears = False

    def _reader(self) -> expat.XMLParserType:
        reader = expat.ParserCreate(namespace_separator=" ", intern=self._names)
        reader.ordered_attributes = True
        reader.buffer_text = True
        reader.StartElementHandler, reader.EndElementHandler = self._handlers()
        reader.StartNamespaceDeclHandler = lambda *_: None  # so that these are among the names
        reader.XmlDeclHandler = self._declared
        reader.StartDoctypeDeclHandler = self._doctype
        if hasattr(reader, "SetReparseDeferralEnabled"):
            reader.SetReparseDeferralEnabled(False)  # the window itself waits for enough
        return reader

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        window = self._window
        if not window.add(chunk):
            return []
        self._read(last=False)
        self._let_go()
        window.forget()
        if len(window.data) > self._limits.token:
            raise self._broken(f"a token longer than {self._limits.token} bytes")
        window.stuck("a token")
        return self._holding.taken()

    def close(self) -> Sequence[Piece]:
        window = self._window
        window.join()
        if not window.offset and not window.data:
            return []
        self._read(last=True)
        self._follow.close_root()
        self._pass(len(window.data))
        self._holding.drain()
        return self._holding.taken()

    def _read(self, *, last: bool) -> None:
        window = self._window
        data = window.data
        begins = window.offset < 4  # bytes of one that is cut go out one by one
        if begins and (b"\x00" in data[:4] or data.startswith((b"\xff\xfe", b"\xfe\xff"))):
            raise Unparsable(_OTHER, 0)
        fresh = data[self._read_until - window.offset :]
        self._read_until += len(fresh)
        try:
            self._expat.Parse(fresh, last)
        except expat.ExpatError as error:
            at = max(self._expat.ErrorByteIndex, 0)
            raise Unparsable(f"XML: {expat.ErrorString(error.code)}", at) from None
        if len(self._names) > self._counted:
            self._count_names()

    def _count_names(self) -> None:
        fresh = list(islice(reversed(self._names), len(self._names) - self._counted))
        self._counted += len(fresh)
        self._room -= len(fresh) * A_NAME + sum(len(name) for name in fresh if name)
        if self._room < 0:
            raise self._broken(f"names that differ take more than {MOST_FOR_NAMES} bytes")

    def _let_go(self) -> None:
        """Pass all that no field can stand in any more: up to the last tag, which may go on."""
        window = self._window
        for text in self._texts:
            if text.mixed:
                self._nothing_beside(text)
        if self._kinds[-1].text and not self._texts[-1].mixed:
            until = self._texts[-1].start - window.offset
        else:
            last = window.data.rfind(b"<", window.start)
            read = self._expat.CurrentByteIndex - window.offset  # at least this has been
            until = len(window.data) if last < 0 else min(max(last, read), len(window.data))
        self._pass(until)
        window.at = window.start

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._encoding = (encoding or "utf-8").lower()
        if self._encoding not in _ENCODINGS:
            raise self._broken(_OTHER)

    def _doctype(self, *_: object) -> None:
        raise self._broken("a DOCTYPE")

    def _handlers(self) -> tuple[Callable[[str, Sequence[str]], None], Callable[[str], None]]:
        """Called for every element; what they look at is at hand, and plain ones end here."""
        kinds, places, depth = self._kinds, self._places, self._limits.depth
        enter, leave, refuse = self._enter, self._leave, self._too_deep

        def start(name: str, attributes: Sequence[str]) -> None:
            above = kinds[-1]
            below = above.below
            if (
                below is None
                or name in above.names
                or (above.locals and name.rpartition(" ")[2] in above.locals)
            ):
                enter(name, attributes)
                return
            if len(kinds) > depth:
                refuse(below)
            kinds.append(below)

        def end(_name: str) -> None:
            kind = kinds.pop()
            if len(kinds) < len(places):
                leave(kind)

        return start, end

    def _enter(self, name: str, attributes: Sequence[str]) -> None:
        follow, above = self._follow, self._kinds[-1]
        if len(self._places) < len(self._kinds):
            self._find_places()
        if above.below is None and above.plain is not None:
            above.below = self._plan.kind(above.plain)
        if above.text:
            self._texts[-1].mixed = True
        place = self._places[-1]
        place, hits = follow.enter(place, follow.way(place, name))
        for goal, _ in hits:
            if isinstance(goal, tuple):
                goal[0].saw(goal[1], None)
        kind = self._plan.kind(place.state)
        if len(self._kinds) > self._limits.depth:
            self._too_deep(kind)
        self._kinds.append(kind)
        if kind.live:
            self._places.append(place)
            self._look(kind, attributes)

    def _find_places(self) -> None:
        """Something else stands in the plain elements that are open."""
        follow, places = self._follow, self._places
        while len(places) < len(self._kinds):
            place, _ = follow.enter(places[-1], follow.way(places[-1], ANY))
            places.append(place)

    def _look(self, kind: Kind, attributes: Sequence[str]) -> None:
        """At a start tag."""
        if attributes and kind.attributes:
            self._attributes(kind, attributes)
        if kind.text:
            self._texts.append(_Text(self._window.offset + self._tag().end()))
        self._hear(kind)

    def _too_deep(self, kind: Kind) -> None:
        if kind.live:
            raise self._broken(f"nested deeper than {self._limits.depth}")

    def _hear(self, kind: Kind) -> None:
        """The text that comes now is that of an element of this kind."""
        if kind.text:
            self._expat.CharacterDataHandler = self._texts[-1].said.append
        elif self._hears:
            self._expat.CharacterDataHandler = None
        self._hears = kind.text

    def _attributes(self, kind: Kind, attributes: Sequence[str]) -> None:
        for at in range(0, len(attributes), 2):
            name = "@" + attributes[at]
            if name in kind.attributes:
                hits = self._follow.leaf(self._places[-1], name)
                where = partial(self._attribute, at // 2, len(attributes) // 2)
                self._leaf(hits, attributes[at + 1], where)

    def _attribute(self, number: int, of: int) -> Where:
        found = [
            one
            for one in _ATTRIBUTE.finditer(self._window.data, *self._tag().span())
            if one[1] != b"xmlns" and not one[1].startswith(b"xmlns:")
        ]
        if len(found) != of:
            raise self._broken("attributes that are not where they should be")
        group, quote = (2, '"') if found[number][2] is not None else (3, "'")
        return *found[number].span(group), partial(_write, self._encoding, quote)

    def _tag(self) -> re.Match[bytes]:
        """The start tag that is being read."""
        window = self._window
        tag = _TAG.match(window.data, self._expat.CurrentByteIndex - window.offset)
        if tag is None:
            raise self._broken("a start tag that is not where it should be")
        return tag

    def _leave(self, kind: Kind) -> None:
        if kind.text:
            self._text(self._texts.pop())
        place = self._places.pop()
        self._hear(self._kinds[-1])
        if place.close():
            self._holding.drain()

    def _text(self, text: _Text) -> None:
        if text.mixed:
            self._nothing_beside(text)
            return
        said = "".join(text.said).strip(" \t\r\n")
        where = partial(self._inner, text.start)
        self._leaf(self._follow.leaf(self._places[-1], TEXT), said, where)

    def _nothing_beside(self, text: _Text) -> None:
        if "".join(text.said).strip():
            raise self._broken("text beside elements where a text is asked for")
        text.said.clear()

    def _inner(self, start: int) -> Where:
        """What the element that ends holds, without white space around it."""
        window = self._window
        start, end = start - window.offset, self._expat.CurrentByteIndex - window.offset
        raw = window.data[start : max(start, end)]
        start += len(raw) - len(raw.lstrip(_WHITE))
        return start, start + len(raw.strip(_WHITE)), partial(_write, self._encoding, "")

    def _leaf(self, hits: Hits, text: str, where: Callable[[], Where]) -> None:
        """`where` it stands is asked if it may be a field."""
        certain = self._follow.certain(hits) if text and self._holding.empty else None
        if certain is not None:
            start, end, write = where()
            self._pass(start)
            self._holding.out.append(Field(text, certain, self._window.take(end), write))
            return
        slot, end = None, 0
        for goal, conditions in hits:
            if isinstance(goal, tuple):
                goal[0].saw(goal[1], (True, text))
                continue
            if not text:
                continue
            if slot is None:
                start, end, write = where()
                slot = Slot(text, self._window.data[start:end], write)
            if isinstance(goal, int):
                scopes = self._follow.scopes(goal, self._holder)
                slot.offer(goal, self._follow.rules[goal], conditions, scopes)
            else:
                goal.add(slot, conditions)
        if slot is not None and slot.offered:
            self._pass(end - len(slot.raw))
            self._hold(slot)
            self._window.take(end)
        self._holding.drain()

    def _holder(self, up: int) -> Place | None:
        """The place `up` above the element that holds the leaf."""
        index = len(self._places) - 1 - up
        return self._places[index] if index > 0 else None

    def _pass(self, until: int) -> None:
        """Let go what comes before `until` in the window."""
        if until > self._window.start:
            self._hold(self._window.take(until))

    def _hold(self, what: Slot | bytes) -> None:
        try:
            self._holding.add(what)
        except TooMuchHeld:
            raise self._broken(
                f"{self._limits.record} bytes do not settle whether or how a field is replaced"
            ) from None

    def _broken(self, rule: str) -> Unparsable:
        return Unparsable(rule, max(self._expat.CurrentByteIndex, 0))


def _write(encoding: str, quote: str, text: str) -> bytes:
    if _CONTROL.search(text):
        raise DoesNotFit("XML has no way to write it")
    entities = {"\r": "&#13;"}
    if quote:
        entities |= {"\t": "&#9;", "\n": "&#10;", quote: "&quot;" if quote == '"' else "&apos;"}
    return escape(text, entities).encode(encoding, "xmlcharrefreplace")
