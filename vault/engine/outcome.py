"""What comes back from a batch: a result or an error for every item, in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vault.engine.column import Coded, Codes, Rows, as_texts
from vault.errors import ItemError
from vault.formats.base import Cells, Flags


@dataclass(frozen=True, slots=True)
class ItemFailure:
    """One failed item of a batch: its place, its stable code, and words without the value."""

    index: int
    code: str
    detail: str


@dataclass(slots=True, repr=False)  # values stand in it
class Outcome:
    """`texts` is as long as the batch, with None exactly where `errors` has an entry.

    A list answers a list. Rows are answered by rows, unless a text turns out not to fit.
    """

    texts: list[str | None] | Rows[str | None] | Coded[str | None]
    errors: dict[int, ItemError] = field(default_factory=dict)

    @classmethod
    def to(cls, items: Sequence[str]) -> "Outcome":
        """For these items: nothing is answered yet."""
        if isinstance(items, Rows):
            return cls(Rows(np.zeros_like(items.cells), np.zeros(len(items), np.bool_)))
        return cls([None] * len(items))

    def put(self, index: int, text: str | None) -> None:
        """Answer one item."""
        texts = self.texts
        if not isinstance(texts, list):
            if isinstance(texts, Rows) and texts.put(index, text):
                return
            self.texts = texts = list(texts)
        texts[index] = text

    def put_cells(self, places: Sequence[int], cells: Cells, good: Flags) -> list[int]:
        """Answer the items at `places` by rows, where they are `good`; returns the other places.

        Rows are answered a range at a time.
        """
        every = bool(good.all())
        if isinstance(self.texts, Rows):
            part = slice(places[0], places[-1] + 1)
            rows = self.texts[part]
            assert rows.there is not None
            rows.cells[:], rows.there[:] = cells, good
            if not every:
                rows.cells[~good] = 0
                return (np.flatnonzero(~good) + part.start).tolist()
            return []
        assert isinstance(self.texts, list)
        texts = as_texts(cells, good)
        if every and isinstance(places, range):
            self.texts[places.start : places.stop] = texts
            return []
        left = []
        for place, fine, text in zip(places, good.tolist(), texts, strict=True):
            if fine:
                self.texts[place] = text
            else:
                left.append(place)
        return left

    def fail(self, index: int, error: ItemError) -> None:
        self.put(index, None)
        error.__traceback__ = None  # it keeps whole frames, values and all
        self.errors[index] = error

    def spread(self, codes: Codes) -> "Outcome":
        """The outcome of as many items as there are codes: each has that of its code."""
        errors: dict[int, ItemError] = {}
        if self.errors:
            failed = np.zeros(len(self.texts), np.bool_)
            failed[list(self.errors)] = True
            rows = np.flatnonzero(failed[codes])
            for row, code in zip(rows.tolist(), codes[rows].tolist(), strict=True):
                errors[row] = self.errors[code]
        return Outcome(Coded(self.texts, codes), errors)

    def failures(self) -> list[ItemFailure]:
        """The errors in the order of the batch."""
        return [
            ItemFailure(index, error.code, error.detail)
            for index, error in sorted(self.errors.items())
        ]
