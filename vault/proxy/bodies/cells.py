"""Where the cells of very many CSV rows stand, found together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vault.proxy.bodies.columns import NotPlain, Places, Span

_QUOTE, _LINE_END, _RETURN = b'"\n\r'
_Block = NDArray[np.uint8]


def places(
    data: bytes, delimiter: int, columns: Sequence[int], *, unquoted: bool
) -> tuple[Places, list[Span]]:
    """Where rows begin, and where the last that is all there ends; and the texts of some of their
    columns, without quotes around them. A row that is too short has an empty one at its end.

    Raises NotPlain where readers differ, where there is no row, where a text is not spelled as it
    is read, and for quotes around one if these texts are to be `unquoted`.
    """
    block = np.frombuffer(data, np.uint8)
    quotes, marks = _marks(data, block, delimiter)
    lasts = np.flatnonzero(block[marks] == _LINE_END)
    if not len(lasts):
        raise NotPlain
    line_ends = marks[lasts]
    edges = np.append(0, line_ends + 1)
    block = block[: edges[-1]]
    quotes = quotes[: np.searchsorted(quotes, edges[-1])]
    _check_quotes(block, quotes, delimiter)
    content_ends = line_ends - _returns(block, line_ends)
    firsts = np.append(0, lasts[:-1] + 1)
    spans = []
    for column in columns:
        mark = firsts + column
        ends = np.minimum(marks[np.minimum(mark, lasts)], content_ends)
        starts = marks[np.minimum(mark, lasts + 1) - 1] + 1 if column else edges[:-1]
        spans.append(_inner(block, quotes, Span(np.minimum(starts, ends), ends), unquoted=unquoted))
    return edges, spans


def _marks(data: bytes, block: _Block, delimiter: int) -> tuple[Places, Places]:
    """The quotes, and outside of them what parts cells."""
    apart = (block == _LINE_END) | (block == delimiter)
    if data.find(_QUOTE) < 0:
        return np.array([], np.int64), np.flatnonzero(apart)
    every = np.flatnonzero(apart | (block == _QUOTE))
    is_quote = block[every] == _QUOTE
    outside = np.cumsum(is_quote) & 1 == 0
    return every[is_quote], every[outside & ~is_quote]


def _check_quotes(block: _Block, quotes: Places, delimiter: int) -> None:
    """Each opens or closes a cell, or is one of two that stand for one."""
    opening, closing = quotes[::2], quotes[1::2]
    before = block.take(opening - 1, mode="clip")  # at the very beginning that is itself
    after = block[closing + 1]
    opens = (before == delimiter) | (before == _LINE_END) | (before == _QUOTE)
    closes = (after == delimiter) | (after == _LINE_END) | (after == _QUOTE) | (after == _RETURN)
    if not (opens.all() and closes.all()):
        raise NotPlain


def _returns(block: _Block, line_ends: Places) -> NDArray[np.bool_]:
    """Which line ends have one before them. Raises NotPlain for one that stands elsewhere."""
    returns: NDArray[np.bool_] = block[line_ends - 1] == _RETURN
    if np.count_nonzero(block == _RETURN) != np.count_nonzero(returns):
        raise NotPlain
    return returns


def _inner(block: _Block, quotes: Places, span: Span, *, unquoted: bool) -> Span:
    """What stands within quotes where these are around it."""
    if not len(quotes):
        return span
    quoted = (span.starts < span.ends) & (block.take(span.starts, mode="clip") == _QUOTE)
    if not quoted.any():
        return span
    within = np.searchsorted(quotes, span.ends) - np.searchsorted(quotes, span.starts)
    if unquoted or (within[quoted] != 2).any():
        raise NotPlain
    return Span(span.starts + quoted, span.ends - quoted)
