"""JSON and NDJSON: every byte that is not replaced stays, and what is no JSON does not pass.

Patterns run over whole members, and over any number of members that no rule asks about, so that
little happens in Python. UTF-8 alone (a byte-order mark may stand before it).
"""

import codecs
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from vault.proxy.bodies.follow import Follower, Hits, Place, Slot
from vault.proxy.bodies.holding import Holding, TooMuchHeld
from vault.proxy.bodies.json_patterns import (
    GOES_ON,
    IS_NUMBER,
    LONG,
    LONG_ELEMENT,
    LONG_MEMBER,
    ROOT,
    SPACE,
    reading,
)
from vault.proxy.bodies.json_whole import pieces_of, write_string
from vault.proxy.bodies.jsonpath import compile_path
from vault.proxy.bodies.pieces import DoesNotFit, Limits, Piece, Rule
from vault.proxy.bodies.ways import Plan, Way
from vault.proxy.bodies.window import Window

_UTF8 = codecs.getincrementaldecoder("utf-8")
_LONG_FROM = 64 * 1024
_NOTHING = {b"null", b'""'}
_BOM = b"\xef\xbb\xbf"
_COMMA: Final = ord(",")
_LIMITS: Final = Limits()


class _Frame:
    """One open container."""

    __slots__ = ("array", "fresh", "index", "place", "reading")

    def __init__(self, place: Place, *, array: bool) -> None:
        self.place = place
        self.array = array
        self.index = 0
        self.fresh = True
        self.reading = reading(place.state, array=array)


@lru_cache(maxsize=256)
def _plan(rules: tuple[Rule, ...]) -> Plan:
    return Plan(rules, compile_path)


def plan(rules: Sequence[Rule]) -> Plan:
    """Where the paths of these rules lead. Raises BadPath for one that cannot be followed."""
    return _plan(tuple(rules))


class JsonParser:
    """One document, or with `lines` any number of them one after another (NDJSON).

    Rules select scalars: strings, numbers, true and false; null and empty strings pass. What is
    dropped becomes null. Raises BadPath for a selector that cannot be followed.
    """

    def __init__(
        self, rules: Sequence[Rule] | Plan, limits: Limits | None = None, *, lines: bool = False
    ) -> None:
        self._limits = limits or _LIMITS
        self._lines = lines
        self._plan = rules if isinstance(rules, Plan) else plan(rules)
        self._follow = Follower(self._plan)
        self._window = Window(self._limits.token)
        self._utf8 = _UTF8()
        self._frames: list[_Frame] = []
        self._roots = 0
        self._after = False  # a container has just ended: a comma or the end of its parent follows
        self._long = False  # within a string that no rule asks about and that is not all here
        self._begun = False
        self._holding = Holding(self._limits.record)

    def whole(self, body: bytes) -> Sequence[Piece]:
        """All pieces of a body of which nothing was fed. Raises Unparsable."""
        if not self._lines:
            pieces = pieces_of(body, self._plan, self._limits.depth)
            if pieces is not None:
                return pieces
        return [*self.feed(body), *self.close()]

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        self._check(chunk)
        if self._window.add(chunk):
            self._scan()
        return self._holding.taken()

    def _check(self, chunk: bytes, *, last: bool = False) -> None:
        """What no rule asks about is Unicode too: readers guess at what is none."""
        try:
            self._utf8.decode(chunk, last)
        except UnicodeError:
            raise self._window.broken("the body is not valid UTF-8") from None

    def close(self) -> Sequence[Piece]:
        self._check(b"", last=True)
        self._window.join()
        empty = not self._begun and not self._window.data
        self._window.data += b"\n"  # ends a number that is all there is
        self._scan(last=True)
        window = self._window
        if self._frames or window.at < len(window.data):
            raise window.broken("the body ends in the middle of a value, or is not well formed")
        if not self._roots and not self._lines and not empty:
            window.at -= 1
            raise window.broken("there is no value")
        self._holding.drain()
        out = self._holding.taken()
        assert isinstance(out[-1], bytes)
        out[-1] = out[-1][:-1]
        return out

    def _scan(self, *, last: bool = False) -> None:
        window = self._window
        if not self._begun and not self._bom(last=last):
            return
        while True:
            if self._long:
                going = self._read_long()
            elif not self._frames:
                going = self._read_root()
            elif self._after:
                going = self._read_next(self._frames[-1])
            else:
                going = self._read_container(self._frames[-1])
            if not going:
                break
        if window.at < len(window.data):
            window.stuck("a token")
        self._pass(window.at)
        window.forget()

    def _bom(self, *, last: bool) -> bool:
        data = self._window.data
        if len(data) < len(_BOM) and _BOM.startswith(data) and not last:
            return False
        self._begun = bool(data)
        if data.startswith(_BOM):
            self._window.at = len(_BOM)
        return True

    def _read_root(self) -> bool:
        window = self._window
        found = ROOT.match(window.data, window.at)
        if found is None:
            space = SPACE.match(window.data, window.at)
            assert space is not None
            window.at = space.end()
            return False
        if self._roots and not self._lines:
            raise window.broken("something follows the value")
        self._roots += 1
        place, hits = self._follow.open_root()
        if found[1]:
            window.at = found.end()
            self._frames.append(_Frame(place, array=found[1] == b"["))
        else:
            self._scalar(hits, found)
            window.at = found.end(2)
            self._end_root()
        return True

    def _end_root(self) -> None:
        self._follow.close_root()
        self._holding.drain()

    def _read_next(self, frame: _Frame) -> bool:
        window = self._window
        found = frame.reading.next(window.data, window.at)
        if found is None:
            return False
        window.at = found.end()
        self._after = False
        if found[1] != b",":
            self._leave(frame)
        return True

    def _read_container(self, frame: _Frame) -> bool:
        """Members or elements, until it ends, another container begins, or bytes run out."""
        window, data, place = self._window, self._window.data, frame.place
        skip, one, _, _ = frame.reading
        while True:
            skipped = skip(data, window.at)
            if skipped is not None and skipped.end() > window.at:
                window.at = skipped.end()
                frame.fresh = False
                if data[window.at - 1] != _COMMA:  # the pattern has seen the container's end
                    window.at += 1
                    self._leave(frame)
                    return True
            found = one(data, window.at)
            if found is None:
                return (frame.fresh and self._read_end(frame)) or self._begin_long(frame)
            key: str | int
            if frame.array:
                key = frame.index
                frame.index += 1
            else:
                key = self._text(found[1])
            frame.fresh = False
            way = self._follow.way(place, key)
            if found[2]:
                window.at = found.end()
                self._enter(place, way, array=found[2] == b"[")
                return True
            if way.hits:
                self._scalar(self._follow.scalar(place, way), found, 3)
            window.at = found.end()
            if found[4] != b",":
                self._leave(frame)
                return True

    def _begin_long(self, frame: _Frame) -> bool:
        """Documents stand in strings, in base 64: what no rule asks about need not be held."""
        window, data = self._window, self._window.data
        if len(data) - window.at < _LONG_FROM:
            return False
        found = (LONG_ELEMENT if frame.array else LONG_MEMBER).match(data, window.at)
        if found is None or not GOES_ON.match(data, found.end()):
            return False
        key: str | int = frame.index if frame.array else self._text(found[1])
        if self._follow.way(frame.place, key).hits:
            return False
        frame.index += 1
        frame.fresh = False
        window.at = found.end()
        self._long = True
        return True

    def _read_long(self) -> bool:
        window, data = self._window, self._window.data
        found = LONG.match(data, window.at)
        assert found is not None
        window.at = found.end()
        if data.startswith(b'"', window.at):
            window.at += 1
            self._long, self._after = False, True
            return True
        if not GOES_ON.match(data, window.at):
            raise window.broken("a string that is not well formed")
        return False

    def _read_end(self, frame: _Frame) -> bool:
        found = frame.reading.end(self._window.data, self._window.at)
        if found is None:
            return False
        self._window.at = found.end()
        self._leave(frame)
        return True

    def _enter(self, above: Place, way: Way, *, array: bool) -> None:
        place, hits = self._follow.enter(above, way)
        for goal, _ in hits:
            if isinstance(goal, tuple):
                goal[0].saw(goal[1], None)
        if len(self._frames) >= self._limits.depth:
            raise self._window.broken(f"nested deeper than {self._limits.depth}")
        self._frames.append(_Frame(place, array=array))

    def _leave(self, frame: _Frame) -> None:
        self._frames.pop()
        if frame.place.close():
            self._holding.drain()
        self._after = bool(self._frames)
        if not self._frames:
            self._end_root()

    def _scalar(self, hits: Hits, found: re.Match[bytes], group: int = 2) -> None:
        raw = found[group]
        string = raw[:1] == b'"'
        text = self._text(raw) if string else raw.decode()
        slot = None
        for goal, conditions in hits:
            if isinstance(goal, tuple):
                goal[0].saw(goal[1], (string, text))
                continue
            if raw in _NOTHING:
                continue
            if slot is None:
                write = write_string if string else _write_number
                slot = Slot(text, raw, write, dropped=b"null")
            if isinstance(goal, int):
                scopes = self._follow.scopes(goal, self._above)
                slot.offer(goal, self._follow.rules[goal], conditions, scopes)
            else:
                goal.add(slot, conditions)
        if slot is not None and slot.offered:
            self._pass(found.start(group))
            self._window.start = found.end(group)
            self._hold(slot)
        self._holding.drain()

    def _above(self, up: int) -> Place | None:
        """The place `up` above the container at hand."""
        index = len(self._frames) - 1 - up
        return self._frames[index].place if index >= 0 else None

    def _text(self, raw: bytes) -> str:
        """What a string says."""
        try:
            if b"\\" not in raw:
                return raw[1:-1].decode()
            text: str = json.loads(raw)
            text.encode()
        except UnicodeError:
            raise self._window.broken("a string is not valid Unicode") from None
        return text

    def _pass(self, until: int) -> None:
        self._hold(self._window.take(until))

    def _hold(self, what: Slot | bytes) -> None:
        try:
            self._holding.add(what)
        except TooMuchHeld:
            raise self._window.broken(
                f"{self._limits.record} bytes do not settle whether or how a field is replaced"
            ) from None


def _write_number(text: str) -> bytes:
    """A number's replacement is a number, or it is not written: whoever reads it expects one."""
    raw = text.encode()
    if IS_NUMBER.fullmatch(raw) is None:
        raise DoesNotFit("no number can be written so")
    return raw
