"""Many items, cut into batches that the service takes: 10,000 items and 8 MiB, order kept."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii

from jeton.errors import UsageError
from jeton.protocol import Text

MOST_ITEMS = 10_000
MOST_BYTES = 7 * 1024 * 1024
"""Of texts; names, brackets and commas have the rest of the 8 MiB."""
LONGEST_ESCAPE = 12
_END = str(b"the end", "ascii")
"""Known by identity: no item is this very object."""
Texts = Iterable[str]
AnyTexts = Iterable[str] | AsyncIterable[str]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some items in a row, the first of which has the place `offset`."""

    given: Sequence[Sequence[str]] = field(repr=False)
    context: Text | None = field(repr=False)
    offset: int


class _Gathering:
    """Takes items one by one, and gives a batch when the next item would not fit."""

    def __init__(self, members: int, context: str | None) -> None:
        self._members = members
        self._context = context
        self._rows: list[tuple[str, ...]] = []
        self._bytes = 0
        self._offset = 0

    def add(self, row: tuple[str, ...]) -> Batch | None:
        if not all(isinstance(text, str) for text in row):
            raise UsageError("every item must be a str")
        size = sum(len(encode_basestring_ascii(text)) + 1 for text in row)
        full = len(self._rows) == MOST_ITEMS or self._bytes + size > MOST_BYTES
        batch = self.rest() if full else None
        self._rows.append(row)
        self._bytes += size
        return batch

    def rest(self) -> Batch | None:
        """What has been gathered since the last batch."""
        if not self._rows:
            return None
        columns = list(zip(*self._rows, strict=True))
        own = columns[self._members] if len(columns) > self._members else self._context
        batch = Batch(columns[: self._members], own, self._offset)
        self._offset += len(self._rows)
        self._rows, self._bytes = [], 0
        return batch


def batches(given: Sequence[Texts], context: Texts | None) -> Iterator[Batch]:
    """The batches of items from iterables of the same length. Raises UsageError."""
    common = context if isinstance(context, str) else None
    gathering = _Gathering(len(given), common)
    columns = [*given]
    if context is not None and not isinstance(context, str):
        columns.append(context)
    if any(isinstance(column, str | AsyncIterable) for column in columns):
        raise UsageError("one str, or iterables of str: not both in one call")
    iterators = [iter(column) for column in columns]
    while row := _row([next(iterator, _END) for iterator in iterators]):
        if batch := gathering.add(row):
            yield batch
    if batch := gathering.rest():
        yield batch


async def async_batches(
    given: Sequence[AnyTexts], context: AnyTexts | None
) -> AsyncIterator[Batch]:
    """As `batches`, where some may be async iterables."""
    common = context if isinstance(context, str) else None
    gathering = _Gathering(len(given), common)
    columns = [*given]
    if context is not None and not isinstance(context, str):
        columns.append(context)
    if any(isinstance(column, str) for column in columns):
        raise UsageError("one str, or iterables of str: not both in one call")
    iterators = [_each(column) for column in columns]
    while row := _row([await anext(iterator, _END) for iterator in iterators]):
        if batch := gathering.add(row):
            yield batch
    if batch := gathering.rest():
        yield batch


async def _each(texts: AnyTexts) -> AsyncIterator[str]:
    if isinstance(texts, AsyncIterable):
        async for text in texts:
            yield text
    else:
        for text in texts:
            yield text


def _row(found: Sequence[str]) -> tuple[str, ...] | None:
    """The next item, None where all have ended."""
    row = tuple(text for text in found if text is not _END)
    if row and len(row) != len(found):
        raise UsageError("the iterables have not the same number of items")
    return row or None


def iterables(columns: Iterable[object]) -> None:
    """Raise UsageError unless each can be looped over."""
    if not all(isinstance(column, Iterable | AsyncIterable) for column in columns):
        raise UsageError("pass one str, a sequence of str, or an iterable of str")


def one_batch(given: Sequence[Sequence[str]], context: Text | None) -> bool:
    """Whether sequences surely fit in one batch, without a look at each character. Raises
    UsageError, before anything is sent, where they are not of the same length."""
    columns = [*given] if context is None or isinstance(context, str) else [*given, context]
    size = len(given[0])
    if any(len(column) != size for column in columns):
        raise UsageError("every argument must have as many items as the first")
    try:
        letters = sum(len(text) for column in columns for text in column)
    except TypeError:
        letters = -1
    if letters < 0:
        raise UsageError("every item must be a str")
    return size <= MOST_ITEMS and LONGEST_ESCAPE * letters <= MOST_BYTES
