"""Plain text: numbers that can be recognised wherever they stand, in any printed form.

Only what proves itself is recognised: a NIR with its right key, its parts run together or parted
by a space, a no-break space, a dot or a hyphen.
"""

import re
from collections.abc import Callable, Sequence

from vault.proxy.bodies.pieces import Field, Limits, Piece, Rule

_APART = rb"(?:[ .\-]|\xc2\xa0|\xe2\x80\xaf)?"
_PARTS = (rb"[0-9]", rb"[0-9]{2}", rb"[0-9]{2}", rb"(?:[0-9]{2}|2[ABab])", rb"[0-9]{3}")
_NIR = re.compile(
    rb"(?<![0-9A-Za-z])" + _APART.join((*_PARTS, rb"[0-9]{3}", rb"[0-9]{2}")) + rb"(?![0-9A-Za-z])"
)
_LONGEST = 15 + 6 * 3
_DIGITS = re.compile(rb"[^0-9AB]")

SELECTOR = "fr-nir"


class BadRecogniser(ValueError):
    """The selector names nothing that can be recognised in text."""


def has_right_key(number: str) -> bool:
    """Of 15 characters, digits but for 2A and 2B: 97 - the first 13 mod 97, 2A read as 19."""
    body = number[:13].replace("2A", "19").replace("2B", "18")
    return body.isdecimal() and 97 - int(body) % 97 == int(number[13:])


class TextParser:
    """A selector is ``fr-nir``; nothing else proves itself. What is dropped is cut out.

    `wanted` says of 15 characters without separators whether they are a field: as it comes, all
    with the right key; a route that tokenises may leave what is a token already.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        _limits: Limits | None = None,
        *,
        wanted: Callable[[str], bool] = has_right_key,
    ) -> None:
        """Raises BadRecogniser."""
        if any(rule.selector != SELECTOR or rule.context_selector for rule in rules):
            raise BadRecogniser("text has fields of fr-nir alone, and no fields for a context")
        self._rule = rules[0] if rules else None
        self._wanted = wanted
        self._data = b""
        self._before = 0  # bytes of the data that are out, kept to be looked back at
        self._after = 0  # no number begins before here

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        if self._rule is None:
            return [chunk]
        self._data += chunk
        return self._scan(len(self._data) - _LONGEST - 1)

    def close(self) -> Sequence[Piece]:
        return self._scan(len(self._data))

    def _scan(self, until: int) -> list[Piece]:
        """Settle whatever begins before `until`: more bytes make no difference to it."""
        if until <= self._after:
            return []
        out: list[Piece] = []
        data, at = self._data, self._after
        rule = self._rule
        while rule is not None and (found := _NIR.search(data, at)) and found.start() < until:
            number = _DIGITS.sub(b"", found[0].upper()).decode()
            if self._wanted(number):
                text = found[0].decode()
                out += (data[self._before : found.start()], Field(text, rule, found[0], str.encode))
                self._before = at = found.end()
            else:
                at = found.start() + 1
        settled = max(at, until)
        out.append(data[self._before : settled])
        kept = max(settled - 1, 0)
        self._data, self._before, self._after = data[kept:], settled - kept, settled - kept
        return [piece for piece in out if piece != b""]
