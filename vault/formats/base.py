"""What every format offers: reading and writing values and tokens as ranks.

A format splits its values into one or more *kinds* (ordinary and special NIRs, calendar and
lunar dates, digit strings of each length). Every kind has a `Domain`: FF1 permutes the ranks
of its values, and the token is the text at ``slot * size + permuted rank`` of the kind's
token room. Formats know nothing of keys, slots or contexts: they translate.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.uint8]
"""A matrix of ASCII codes, one row an item, all of one width."""

Ranks = NDArray[np.uint64]
Flags = NDArray[np.bool_]

ContextRule = Literal["required", "optional", "none"]

FLOOR = 1_000_000
"""The least domain FF1 may permute (SP 800-38G revision 1, section 5.1)."""

MAX_RADIX = 65_536

AS_THEY_ARE: Final[Mapping[int, int]] = MappingProxyType({})
"""For `Format.vaulted_kinds`: every kind's vaulted tokens are of that kind."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The integers ``0 .. size-1`` that FF1 permutes, as numerals of ``radix`` and ``length``.

    ``radix ** length >= size``; the remainder is cycle-walked. ``room`` is how many ranks the
    kind's tokens may take: ``room // size`` key slots fit.
    """

    size: int
    radix: int
    length: int
    room: int

    @classmethod
    def ranked(cls, size: int, room: int) -> "Domain":
        """The domain of `size` ranks: the least even length that a radix up to 65,536 allows,
        then the least radix."""
        length = 2
        while MAX_RADIX**length < size:
            length += 2
        radix = max(2, round(size ** (1 / length)) - 1)
        while radix**length < size:
            radix += 1
        while radix > 2 and (radix - 1) ** length >= size:  # the float root may be off by one
            radix -= 1
        return cls(size, radix, length, room)

    @classmethod
    def numerals(cls, radix: int, length: int) -> "Domain":
        """All strings of `length` numerals: no remainder and no room for a second slot."""
        return cls(radix**length, radix, length, radix**length)

    @property
    def slots(self) -> int:
        return self.room // self.size

    @property
    def bits(self) -> float:
        return math.log2(self.size)


class Place(NamedTuple):
    """Where a text stands: its kind, its rank there, and how it was written.

    `form` is the format's own note of spacing and separators: whatever is needed to print
    another rank of the same kind *in the form given*. It must be hashable.
    """

    kind: int
    rank: int
    form: object = None


class Columns(Protocol):
    """The vector codec of a format's most usual forms: bytes in, ranks out, bytes back.

    It may decline any row (its flag is False); the caller sends such rows through the scalar
    side, which either handles them or says what is wrong. Whatever it accepts it reads and
    writes exactly as the scalar side does.

    Whatever is not ASCII arrives as "?", so no codec may accept one.
    """

    def kind(self, width: int) -> int | None:
        """The kind that rows of this width are read as; None where there is no vector path."""
        ...

    def read_values(self, cells: Cells) -> tuple[Flags, Ranks]:
        """(k, width) -> which rows are values, and their ranks (undefined where False)."""
        ...

    def write_tokens(self, ranks: Ranks, like: Cells) -> Cells:
        """Token ranks -> token rows, written in the form of the rows of `like`."""
        ...

    def read_tokens(self, cells: Cells) -> tuple[Flags, Ranks]:
        """(k, width) -> which rows are tokens, and their ranks in the token room."""
        ...

    def write_values(self, ranks: Ranks, like: Cells) -> tuple[Flags, Cells]:
        """Value ranks -> which of them are values' ranks, and their rows."""
        ...


class Format(Protocol):
    """A shape of values and tokens. All methods are pure; texts are `str`."""

    name: str
    recognisable: bool
    """Whether a token can be told from a value by its text alone."""
    slots: int
    """How many key slots every kind has room for; 1 pins the key version."""
    columns: Columns | None
    kinds: Sequence[Place]
    """The first rank of every kind in its plainest form, the usual or shortest kind first:
    what can be looked at without a value in hand."""
    vaulted_kinds: Mapping[int, int]
    """Kinds whose random tokens are of another kind, so that these do not mark them: from the
    kind of a value to that of its token, which can be written in all of its forms."""
    context: ContextRule
    """What a transformation of this format asks for where its configuration says nothing:
    `required` where a value alone is too easily guessed (birth dates)."""

    def domain(self, kind: int) -> Domain:
        """The domain of a kind that `read_value` or `read_token` returned."""
        ...

    def read_value(self, text: str) -> Place:
        """Raises InvalidValue; its detail names the rule, and says so if the text is a token."""
        ...

    def read_whole(self, text: str) -> tuple[Place, str]:
        """What `read_value` and `canonical` say, for what parsing once costs."""
        ...

    def write_token(self, place: Place) -> str:
        """`place.rank` counts in the token room (0 .. room-1)."""
        ...

    def read_token(self, text: str) -> Place:
        """Raises NotAToken; the rank counts in the token room."""
        ...

    def write_value(self, place: Place) -> str:
        """Raises NotAToken where no value has this rank."""
        ...

    def canonical(self, value: str) -> str:
        """One text for all forms of the same value (a NIR as 15 characters, a date as
        ``YYYY-MM-DD``): what persons are counted and matches compared by.

        Raises InvalidValue."""
        ...

    def mask(self, value: str, keep_first: int | None, keep_last: int | None) -> str:
        """`value` with all but some characters as ``*``; separators stay. None for both means
        the format's own default."""
        ...
