"""What the finder should find in bytes as they stand, a number at a time: slow, and obvious."""

import re

from vault.scan.finder import Kind

_APART = rb"(?:[ ._/\xa0\x1f-]|\x1f{1,24}|\xc2\xa0|\xe2\x80[\x80-\x8a\x90-\x93\xaf])?"
_PARTS = (rb"[0-9]", rb"[0-9]{2}", rb"[0-9]{2}", rb"(?:[0-9]{2}|2[ABab])", rb"[0-9]{3}")
_NUMBER = re.compile(
    rb"(?<![0-9])(?=(" + _APART.join((*_PARTS, rb"[0-9]{3}", rb"[0-9]{2}")) + rb")(?![0-9]))"
)


_GLUED = re.compile(rb"2[ABab]")


def expected(data: bytes) -> list[tuple[int, int, Kind]]:
    """A number with 2A or 2B is not seen where another of these begins or ends it."""
    found = []
    for match in _NUMBER.finditer(data):
        start, end = match.span(1)
        around = (data[max(0, start - 2) : start], data[end - 1 : end + 1])
        if re.search(rb"[ABab]", match[1]) and any(map(_GLUED.fullmatch, around)):
            continue
        compact = re.sub(rb"[^0-9AB]", b"", match[1].upper()).decode()
        if kind := _kind(compact):
            found.append((match.start(), len(match[1]), kind))
    return found


def _kind(compact: str) -> Kind | None:
    body = compact[:5] + {"2A": "19", "2B": "18"}.get(compact[5:7], compact[5:7]) + compact[7:13]
    if 97 - int(body) % 97 != int(compact[13:]):
        return None
    first, year, month = int(compact[0]), int(compact[1:3]), int(compact[3:5])
    if 43 <= month <= 49 and (1 <= first <= 4 or (5 <= first <= 8 and year >= 30)):
        return Kind.TOKEN
    if first in (1, 2) and 1 <= month <= 12 and compact[5:7] != "00" and compact[10:13] != "000":
        return Kind.REAL
    known = 1 <= month <= 12 or 20 <= month <= 99
    return Kind.POSSIBLE if known and first in (1, 2, 3, 4, 7, 8) else None
