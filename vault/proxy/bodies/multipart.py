"""``multipart/form-data``: every part is a body of its own, read by a parser of its own.

Read strictly, as receivers differ in what they forgive: nothing stands before the first boundary
or after the last, lines end with CRLF, and parts are not encoded once more.
"""

import re
from collections.abc import Callable, Sequence
from email.message import Message
from email.parser import BytesHeaderParser
from typing import NamedTuple

from vault.proxy.bodies.pieces import Field, Limits, Parser, Piece, Rule, Unparsable
from vault.proxy.bodies.whole import WholeParser
from vault.proxy.bodies.window import Window

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_HEADERS = re.compile(rb"((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\r\n\x00]*+\r\n)*+)\r\n")
_PLAIN = {"", "7bit", "8bit", "binary"}


class Part(NamedTuple):
    """What a part says of itself; what it does not say is ""."""

    name: str
    file_name: str
    content_type: str


class FieldParser(WholeParser):
    """A part that is one value. Empty ones pass."""

    def __init__(self, rule: Rule, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self._rule = rule

    def read(self, body: bytes) -> Sequence[tuple[int, Field]]:
        try:
            text = body.decode()
        except UnicodeError:
            raise Unparsable("a field is not valid UTF-8", 0) from None
        return [(0, Field(text, self._rule, body, str.encode))] if body else []


class MultipartParser:
    """`choose` gives each part its parser, or None where it passes as it is."""

    def __init__(
        self, boundary: str, choose: Callable[[Part], Parser | None], limits: Limits | None = None
    ) -> None:
        """Raises Unparsable for a boundary that RFC 2046 does not allow."""
        if _BOUNDARY.fullmatch(boundary) is None:
            raise Unparsable("a boundary that RFC 2046 does not allow", 0)
        self._mark = b"\r\n--" + boundary.encode()
        self._choose = choose
        self._window = Window((limits or Limits()).token)
        self._begin = 0
        self._rest = b""
        self._part: Parser | None = None
        self._state: Callable[[list[Piece]], bool] = self._first

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        return self._scan() if self._window.add(chunk) else []

    def _scan(self) -> list[Piece]:
        out: list[Piece] = []
        window = self._window
        while self._state(out):
            pass
        if window.at < len(window.data):
            window.stuck("a boundary or the headers of a part")
        if passing := window.take(window.at):
            out.append(passing)
        window.forget()
        return out

    def close(self) -> Sequence[Piece]:
        self._window.join()
        out = self._scan()
        if self._state != self._epilogue or self._window.data:
            raise self._window.broken("the body ends before its last boundary")
        return out

    def _first(self, _out: list[Piece]) -> bool:
        window, mark = self._window, self._mark[2:]
        if not window.data.startswith(mark):
            if not mark.startswith(window.data):
                raise window.broken("something stands before the first boundary")
            return False
        window.at = len(mark)
        self._state = self._after_mark
        return True

    def _after_mark(self, _out: list[Piece]) -> bool:
        window = self._window
        ending = window.data[window.at : window.at + 2]
        if len(ending) < 2:
            return False
        if ending not in {b"\r\n", b"--"}:
            raise window.broken("a boundary is followed by something else")
        window.at += 2
        self._state = self._headers if ending == b"\r\n" else self._epilogue
        return True

    def _headers(self, _out: list[Piece]) -> bool:
        window = self._window
        found = _HEADERS.match(window.data, window.at)
        if found is None:
            if window.data.find(b"\r\n\r\n", window.at) >= 0:
                raise window.broken("headers of a part that are not well formed")
            return False
        part = self._described(BytesHeaderParser().parsebytes(found[1]))
        window.at = found.end()
        self._begin = window.offset + window.at
        self._part = self._choose(part)
        self._state = self._content
        return True

    def _described(self, headers: Message) -> Part:
        names = [name.lower() for name in headers]
        if len(names) != len(set(names)):
            raise self._window.broken("a header of a part stands twice")
        if headers.get("content-transfer-encoding", "").strip().lower() not in _PLAIN:
            raise self._window.broken("a part that is encoded once more")
        name = headers.get_param("name", "", "content-disposition")
        if not isinstance(name, str):
            raise self._window.broken("a name in a form that receivers read in different ways")
        kind = headers.get_content_type() if "content-type" in headers else ""
        return Part(name, headers.get_filename("") or "", kind)

    def _content(self, out: list[Piece]) -> bool:
        window, mark = self._window, self._mark
        found = window.data.find(mark, window.at)
        # Without a boundary all passes but for what may be the beginning of one.
        end = found if found >= 0 else max(window.at, len(window.data) - len(mark) + 1)
        if passing := window.take(window.at):
            out.append(passing)
        content = window.take(end)
        window.at = end
        self._give(content, out, last=found >= 0)
        if found < 0:
            return False
        window.at = end + len(mark)
        self._state = self._after_mark
        return True

    def _give(self, content: bytes, out: list[Piece], *, last: bool) -> None:
        if self._part is None:
            out.append(content)
            return
        try:
            out += self._part.feed(content)
            if last:
                out += self._part.close()
        except Unparsable as error:
            raise Unparsable(f"in a part: {error.rule}", self._begin + error.offset) from None

    def _epilogue(self, _out: list[Piece]) -> bool:
        window = self._window
        self._rest += window.data[window.at :]
        if not b"\r\n".startswith(self._rest):
            raise window.broken("something follows the last boundary")
        window.at = len(window.data)
        return False
