"""The thirteen characters of a NIR before its key, as ranked sets.

A body is sex (1), year (2), month (2), department (2), commune (3) and order (3). Sex, year
and month together are its *triple*, a number of five digits; which triples are ordinary,
never issued, or a band that tokens live in is data, below.

Sources: the Assurance maladie's nir-validation and its issues 3 and 20, and python-stdnum's
`fr.nir`. Months 01-12 are born, 20, 30-42 and 50-99 are met when the month is unknown, 21-29
are doubtful, and no source issues 00, 13-19 or 43-49.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

DEPARTMENTS = (*(f"{n:02d}" for n in range(100)), "2A", "2B")
"""By index: letters are ranked apart from 19 and 18, with which they share the key."""

DEPARTMENT_INDEX = {text: index for index, text in enumerate(DEPARTMENTS)}

DEPARTMENT_NUMBERS: tuple[int, ...] = (*range(100), 19, 18)
"""What stands for each department where the key is computed."""

TRIPLES = 100_000


class Body(NamedTuple):
    triple: int
    department: int
    """The index in DEPARTMENTS."""
    tail: int
    """Commune and order, six digits."""

    @property
    def text(self) -> str:
        # Half the time of an f-string with widths, on the path of every single call.
        triple, tail = str(self.triple).zfill(5), str(self.tail).zfill(6)
        return triple + DEPARTMENTS[self.department] + tail

    @property
    def key(self) -> int:
        """The right key, 1 to 97."""
        place = DEPARTMENT_NUMBERS[self.department]
        return 97 - (self.triple * 10**8 + place * 10**6 + self.tail) % 97


class Block(NamedTuple):
    """All triples of some first digits, years and months."""

    first_digits: Iterable[int]
    years: Iterable[int]
    months: Iterable[int]

    def triples(self) -> Iterator[int]:
        for digit in self.first_digits:
            for year in self.years:
                for month in self.months:
                    yield digit * 10_000 + year * 100 + month


EVERY_YEAR = range(100)
BORN = range(1, 13)
FREE = range(43, 50)
"""Months that no source issues, though the Assurance maladie's validator takes them."""
NEVER = (0, *range(13, 20))
"""Months that no source issues and no validator of months takes."""

BANDS: dict[str, tuple[Block, ...]] = {
    "safe": (
        Block(range(1, 5), EVERY_YEAR, FREE),
        # 13 digits that start with 5-8 and then 0, 1 or 2 are other registers: years from 30.
        Block(range(5, 9), range(30, 100), FREE),
    ),
    "official": (Block((1, 2), EVERY_YEAR, (*range(21, 30), *FREE)),),
    "none": (),
}
"""Where the tokens of ordinary values live; `none`: among the ordinary values themselves."""


class Bodies:
    """Some triples with every department, commune and order, as the ranks ``0 .. size-1``.

    `first` is 1 where department 00 and order 000 are left out, as they are of ordinary NIRs.
    """

    def __init__(self, blocks: Iterable[Block], first: int = 0) -> None:
        self.first = first
        self.triples = array("i", (t for block in blocks for t in block.triples()))
        self.departments = len(DEPARTMENTS) - first
        self.orders = 1000 - first
        self.size = len(self.triples) * self.departments * 1000 * self.orders
        self._index = array("i", [-1]) * TRIPLES
        for index, triple in enumerate(self.triples):
            self._index[triple] = index

    def holds_triple(self, triple: int) -> bool:
        return self._index[triple] >= 0

    def rank(self, body: Body) -> int | None:
        """None where the body is none of these."""
        index = self._index[body.triple]
        commune, order = divmod(body.tail, 1000)
        if index < 0 or body.department < self.first or order < self.first:
            return None
        place = index * self.departments + body.department - self.first
        return (place * 1000 + commune) * self.orders + order - self.first

    def body(self, rank: int) -> Body:
        """The inverse of `rank`, for ranks below `size`."""
        rank, order = divmod(rank, self.orders)
        rank, commune = divmod(rank, 1000)
        index, department = divmod(rank, self.departments)
        tail = commune * 1000 + order + self.first
        return Body(self.triples[index], department + self.first, tail)


ORDINARY = Bodies([Block((1, 2), EVERY_YEAR, BORN)], first=1)
SPECIAL = Bodies([Block(range(10), EVERY_YEAR, (*BORN, *range(20, 100)))])
"""A superset of the special values: those of its bodies that are ordinary or in a band are none."""
SPECIAL_TOKENS = Bodies([Block(range(10), EVERY_YEAR, NEVER)])
MISKEYED = Bodies([Block((1, 2), EVERY_YEAR, (*BORN, *FREE))])
"""The bodies that ``wrong_key = "keep"`` accepts a wrong key on."""
