"""What a format is called, what it can be told, and its rows in the documentation."""

from collections.abc import Callable
from dataclasses import dataclass

from vault.formats.base import Format


@dataclass(frozen=True, slots=True)
class Options:
    """What a transformation's configuration may say about its format; None: nothing was said."""

    band: str | None = None
    wrong_key: str | None = None
    alphabet: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    template: str | None = None
    vaulted: bool = False
    """Whether tokens are random ones: for every format, which may make use of it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of formats: a kind of values and where its tokens go."""

    format: str
    values: str
    """Which values this line is about."""
    shape: str
    domain: int
    """How many ranks FF1 permutes: the odds of guessing a token's value blindly."""
    tokens: str
    """Where the tokens live."""
    validators: str
    """Which validators take the tokens."""
    recognisable: bool
    slots: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A format by name: `make` builds it from the options that `options` lists.

    `make` raises SetUpError where the options do not make a usable format.
    """

    name: str
    options: frozenset[str]
    make: Callable[[Options], Format]
    rows: Callable[[], tuple[Row, ...]]
