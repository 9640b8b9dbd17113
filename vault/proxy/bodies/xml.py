"""XML and SOAP: expat reads, and its byte offsets let everything stay that is not replaced.

UTF-8, US-ASCII, ISO-8859-1 and -15, windows-1252. Every DOCTYPE is refused, and with it every
entity of a document's own. Of an element's text the white space around it stays; a comment or
CDATA mark within it goes when it is replaced.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from xml.parsers import expat
from xml.sax.saxutils import escape

from vault.proxy.bodies.follow import Follower, Hits, Place, Slot
from vault.proxy.bodies.holding import Holding, TooMuchHeld
from vault.proxy.bodies.pieces import DoesNotFit, Limits, Piece, Rule, Unparsable
from vault.proxy.bodies.ways import Plan
from vault.proxy.bodies.window import SMALL
from vault.proxy.bodies.xpath import TEXT, compile_xpath

_ATTRIBUTE = re.compile(rb"[ \t\r\n]([^\s=/<>\"']+)[ \t\r\n]*=[ \t\r\n]*(?:\"([^\"]*)\"|'([^']*)')")
_TAG = re.compile(rb"<(?:[^\"'>]++|\"[^\"]*+\"|'[^']*+')*+>")
_ENCODINGS = {"utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "us-ascii"}
_OTHER = "an encoding other than UTF-8, ISO-8859-1, ISO-8859-15, windows-1252 and US-ASCII"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_WHITE = b" \t\r\n"


@lru_cache(maxsize=256)
def _plan(rules: tuple[Rule, ...], namespaces: tuple[tuple[str, str], ...]) -> Plan:
    return Plan(rules, partial(compile_xpath, namespaces=dict(namespaces)))


class _Element:
    """An open element that a path may lead through."""

    __slots__ = ("inner", "mixed", "place", "said")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.inner: int | None = None
        """Where its text begins in the body, if that is asked for."""
        self.said: list[str] = []
        self.mixed = False


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
        self._follow = Follower(_plan(tuple(rules), tuple((namespaces or {}).items())))
        self._holding = Holding(self._limits.record)
        self._encoding = "utf-8"
        self._data = b""  # what has not gone out, from byte `_offset` of the body on
        self._offset = 0
        self._unread = b""
        self._needs = 1
        self._first = True
        self._elements = [_Element(self._follow.open_root()[0])]
        self._dead = 0  # depth below an element that no path leads through
        self._expat = self._reader()
        self._hears = False

    def _reader(self) -> expat.XMLParserType:
        reader = expat.ParserCreate(namespace_separator=" ")
        reader.ordered_attributes = True
        reader.buffer_text = True
        reader.StartElementHandler = self._start
        reader.EndElementHandler = self._end
        reader.XmlDeclHandler = self._declared
        reader.StartDoctypeDeclHandler = self._doctype
        if hasattr(reader, "SetReparseDeferralEnabled"):
            reader.SetReparseDeferralEnabled(False)  # `feed` itself waits for enough
        return reader

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        self._unread += chunk
        if len(self._unread) < self._needs:
            return []
        self._read(last=False)
        self._let_go()
        waiting = len(self._data)
        if waiting > self._limits.token:
            raise self._broken(f"a token longer than {self._limits.token} bytes")
        self._needs = waiting // 4 if waiting > SMALL else 1
        return self._holding.taken()

    def close(self) -> Sequence[Piece]:
        if self._first and not self._unread:
            return []
        self._read(last=True)
        self._follow.close_root()
        self._pass(len(self._data))
        self._holding.drain()
        return self._holding.taken()

    def _read(self, *, last: bool) -> None:
        self._data += self._unread
        chunk, self._unread = self._unread, b""
        if self._first and chunk:
            self._first = False
        if b"\x00" in self._data[:4] or self._data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise Unparsable(_OTHER, 0)
        try:
            self._expat.Parse(chunk, last)
        except expat.ExpatError as error:
            at = max(self._expat.ErrorByteIndex, 0)
            raise Unparsable(f"XML: {expat.ErrorString(error.code)}", at) from None

    def _let_go(self) -> None:
        """Pass all that no field can stand in any more: up to the last tag, which may go on."""
        open_text = self._elements[-1].inner if not self._dead else None
        if open_text is not None and not self._elements[-1].mixed:
            until = open_text - self._offset
        else:
            last = self._data.rfind(b"<")
            read = self._expat.CurrentByteIndex - self._offset  # at least this has been
            until = len(self._data) if last < 0 else min(max(last, read), len(self._data))
        self._pass(until)

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._encoding = (encoding or "utf-8").lower()
        if self._encoding not in _ENCODINGS:
            raise self._broken(_OTHER)

    def _doctype(self, *_: object) -> None:
        raise self._broken("a DOCTYPE")

    def _start(self, name: str, attributes: Sequence[str]) -> None:
        if self._dead:
            self._dead += 1
            return
        above = self._elements[-1]
        above.mixed = True
        follow = self._follow
        place, hits = follow.enter(above.place, follow.way(above.place, name))
        for goal, _ in hits:
            if isinstance(goal, tuple):
                goal[0].saw(goal[1], None)
        state = place.state
        if not state.threads:
            self._dead = 1
            return
        if len(self._elements) > self._limits.depth:
            raise self._broken(f"nested deeper than {self._limits.depth}")
        element = _Element(place)
        self._elements.append(element)
        if TEXT in state.names and follow.leaf(place, TEXT):
            element.inner = self._offset + self._tag().end()
        if attributes:
            self._attributes(element, attributes)
        self._hear(element)

    def _hear(self, element: _Element) -> None:
        """The text that comes now is that of `element`."""
        if element.inner is not None:
            self._expat.CharacterDataHandler = element.said.append
        elif self._hears:
            self._expat.CharacterDataHandler = None
        self._hears = element.inner is not None

    def _attributes(self, element: _Element, attributes: Sequence[str]) -> None:
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        asked = [self._follow.leaf(element.place, "@" + name) for name, _ in pairs]
        if not any(asked):
            return
        tag = self._tag()
        found = [
            one
            for one in _ATTRIBUTE.finditer(self._data, *tag.span())
            if one[1] != b"xmlns" and not one[1].startswith(b"xmlns:")
        ]
        base = self._offset
        for (_, value), hits, one in zip(pairs, asked, found, strict=True):
            if hits:
                group = 2 if one[2] is not None else 3
                span = (base + one.start(group), base + one.end(group))
                self._leaf(hits, value, span, '"' if group == 2 else "'")

    def _tag(self) -> re.Match[bytes]:
        """The start tag that is being read."""
        tag = _TAG.match(self._data, self._expat.CurrentByteIndex - self._offset)
        if tag is None:
            raise self._broken("a start tag that is not where it should be")
        return tag

    def _end(self, _name: str) -> None:
        if self._dead:
            self._dead -= 1
            return
        element = self._elements[-1]
        if element.inner is not None:
            self._text(element)
        self._elements.pop()
        closed = element.place.close()
        self._hear(self._elements[-1])
        if closed:
            self._holding.drain()

    def _text(self, element: _Element) -> None:
        said = "".join(element.said)
        hits = self._follow.leaf(element.place, TEXT)
        start, end = element.inner or 0, self._expat.CurrentByteIndex
        if element.mixed:
            if said.strip():
                raise self._broken("text beside elements where a text is asked for")
            return
        raw = self._data[start - self._offset : max(start, end) - self._offset]
        start += len(raw) - len(raw.lstrip(_WHITE))
        self._leaf(hits, said.strip(" \t\r\n"), (start, start + len(raw.strip(_WHITE))), "")

    def _leaf(self, hits: Hits, text: str, span: tuple[int, int], quote: str) -> None:
        start, end = (place - self._offset for place in span)
        slot = Slot(text, self._data[start:end], partial(_write, self._encoding, quote))
        for goal, conditions in hits:
            if isinstance(goal, tuple):
                goal[0].saw(goal[1], (True, text))
            elif not text:
                continue
            elif isinstance(goal, int):
                scopes = self._follow.scopes(goal, self._holder)
                slot.offer(goal, self._follow.rules[goal], conditions, scopes)
            else:
                goal.add(slot, conditions)
        if slot.offered:
            self._pass(start)
            self._hold(slot)
            self._data = self._data[len(slot.raw) :]
            self._offset += len(slot.raw)
        self._holding.drain()

    def _holder(self, up: int) -> Place | None:
        """The place `up` above the element that holds the leaf."""
        index = len(self._elements) - 1 - up
        return self._elements[index].place if index > 0 else None

    def _pass(self, until: int) -> None:
        """Let go the first `until` bytes of the data."""
        if until > 0:
            self._hold(self._data[:until])
            self._data = self._data[until:]
            self._offset += until

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
