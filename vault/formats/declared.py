"""Formats that are declared: sets of values and of tokens, and the forms they are printed in.

A `Declaration` says all that differs between one identifier and another; `Declared` is the
format that it makes. Where tokens have a set of their own they can be told from values and
there may be room for key slots; where both sets are one, tokens look like anybody's number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import cast

from vault.errors import InvalidValue, NotAToken, SetUpError
from vault.formats.base import AS_THEY_ARE, Columns, ContextRule, Domain, Place
from vault.formats.catalogue import Entry, Options, Row
from vault.formats.counted import Counted, but_for_check
from vault.formats.declared_columns import columns_of
from vault.formats.masking import masked

NOT_AGAIN = "this is a token already: only values are tokenised"
IS_A_VALUE = "this is no token of this transformation: it may be a value"
WRONG_CHECK = "the check characters at the end do not match: look for a typing error"

SLOT = "#"
SHOWN = 4
"""How many characters a mask shows at the end where nothing is said."""


class Layout:
    """A printed form: where the characters stand, and what stands between them."""

    __slots__ = ("_pieces", "fixed", "slots", "width")

    def __init__(self, pattern: str | list[str | None]) -> None:
        """Each place of `pattern` is a character to be printed or, as ``#`` or None, a slot."""
        places = [None if place == SLOT else place for place in pattern]
        if isinstance(pattern, list):
            places = pattern
        self.width = len(places)
        self.slots = [at for at, place in enumerate(places) if place is None]
        self.fixed = [(at, place) for at, place in enumerate(places) if place is not None]
        self._pieces: list[str | tuple[slice, slice]] = []
        """Printed text, or a run of slots: where it stands here, and where in the compact."""
        at = compact = 0
        for is_slot, run in groupby(places, lambda place: place is None):
            characters = list(run)
            size = len(characters)
            if is_slot:
                here, there = slice(at, at + size), slice(compact, compact + size)
                self._pieces.append((here, there))
                compact += size
            else:
                self._pieces.append("".join(filter(None, characters)))
            at += size

    def read(self, text: str) -> str | None:
        """The characters without what stands between them; None where that is not right."""
        if not self.fixed:
            return text
        if any(text[at] != place for at, place in self.fixed):
            return None
        return "".join(text[piece[0]] for piece in self._pieces if isinstance(piece, tuple))

    def write(self, compact: str) -> str:
        if not self.fixed:
            return compact
        return "".join(
            compact[piece[1]] if isinstance(piece, tuple) else piece for piece in self._pieces
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of values and where its tokens live; sets of different kinds share no text."""

    values: Counted
    tokens: Counted
    """The same object as `values` where nothing tells them apart."""
    what: str = ""
    """What this kind is, where there are several."""

    @property
    def apart(self) -> bool:
        return self.tokens is not self.values


@dataclass(frozen=True, slots=True)
class Band:
    """Where tokens live, in words and in sets."""

    tokens: str
    validators: str
    kinds: Callable[[], tuple[Kind, ...]]


@dataclass(frozen=True, slots=True)
class Declaration:
    name: str
    values: str
    """What the values are, for the table of formats."""
    shape: str
    """What a text has to look like: goes on after "expected"."""
    rule: str
    """Why a text of the right shape and check is refused all the same."""
    layouts: tuple[str, ...]
    """The printed forms, a ``#`` for each character."""
    bands: Mapping[str, Band]
    """By the option `band`; the first is as shipped. The only one takes no option."""


class Declared:
    """The format of a declaration's kinds. Kinds of different widths may stand side by side;
    of one width the first has the columns."""

    context: ContextRule = "optional"
    vaulted_kinds = AS_THEY_ARE

    def __init__(
        self,
        name: str,
        kinds: tuple[Kind, ...],
        layouts: list[Layout],
        shape: str,
        rule: str,
        domains: tuple[Domain, ...] | None = None,
    ) -> None:
        self.name = name
        self.sets, self.shape, self.rule = kinds, shape, rule
        self._domains = domains or tuple(
            Domain.ranked(kind.values.size, kind.tokens.size) for kind in kinds
        )
        self.recognisable = all(kind.apart for kind in kinds)
        self.slots = min(domain.slots for domain in self._domains)
        self.layouts: dict[int, list[Layout]] = {}
        for layout in layouts:
            self.layouts.setdefault(layout.width, []).append(layout)
        self._by_width: dict[int, list[int]] = {}
        for index, kind in enumerate(kinds):
            self._by_width.setdefault(kind.values.width, []).append(index)
        pairs = [(kind.values, kind.tokens) for kind in kinds]
        spots = [(layout.width, layout.slots, layout.fixed) for layout in layouts]
        self.columns: Columns | None = columns_of(pairs, self._domains, spots)
        self.kinds: Sequence[Place] = [
            Place(index, 0, self._plainest(kind.values.width)) for index, kind in enumerate(kinds)
        ]

    def domain(self, kind: int) -> Domain:
        return self._domains[kind]

    def read_value(self, text: str) -> Place:
        return self.read_whole(text)[0]

    def read_whole(self, text: str) -> tuple[Place, str]:
        layout, compact = self._read(text)
        for index in self._by_width[len(compact)]:
            rank = self.sets[index].values.rank(compact)
            if rank is not None:
                return Place(index, rank, layout), compact
        raise InvalidValue(self._why(compact))

    def write_token(self, place: Place) -> str:
        layout = cast("Layout", place.form)
        return layout.write(self.sets[place.kind].tokens.text(place.rank))

    def read_token(self, text: str) -> Place:
        try:
            layout, compact = self._read(text)
        except InvalidValue as error:
            raise NotAToken(error.detail) from None
        indexes = self._by_width[len(compact)]
        for index in indexes:
            rank = self.sets[index].tokens.rank(compact)
            if rank is not None:
                return Place(index, rank, layout)
        if any(self.sets[index].values.rank(compact) is not None for index in indexes):
            raise NotAToken(IS_A_VALUE)
        raise NotAToken(self._why(compact))

    def write_value(self, place: Place) -> str:
        layout = cast("Layout", place.form)
        return layout.write(self.sets[place.kind].values.text(place.rank))

    def canonical(self, value: str) -> str:
        return self.read_whole(value)[1]

    def mask(self, value: str, keep_first: int | None, keep_last: int | None) -> str:
        try:
            layout, compact = self._read(value)
        except InvalidValue:
            return "*" * len(value)
        if keep_first is None and keep_last is None:
            # Templates allow short texts: at least two characters stay hidden.
            keep_last = max(0, min(SHOWN, len(compact) - 2))
        return layout.write(masked(compact, keep_first or 0, keep_last or 0))

    def _plainest(self, slots: int) -> Layout:
        fitting = (
            layout
            for _, layouts in sorted(self.layouts.items())
            for layout in layouts
            if len(layout.slots) == slots
        )
        return next(fitting)

    def _read(self, text: str) -> tuple[Layout, str]:
        if text.isascii():
            for layout in self.layouts.get(len(text), ()):
                compact = layout.read(text)
                # Letters and digits only: separators that belong to another form are none.
                if compact and compact.isalnum() and len(compact) in self._by_width:
                    return layout, compact
        raise InvalidValue(f"expected {self.shape}")

    def _why(self, compact: str) -> str:
        """Why a text of the right width is no value."""
        kinds = [self.sets[index] for index in self._by_width[len(compact)]]
        if any(kind.apart and kind.tokens.rank(compact) is not None for kind in kinds):
            return NOT_AGAIN
        if any(
            but_for_check(numbers, compact)
            for kind in kinds
            for numbers in (kind.values, kind.tokens)
        ):
            return WRONG_CHECK
        return self.rule


def entry(declaration: Declaration) -> Entry:
    """The catalogue's entry of a declaration; its sets are made when it is first built."""
    bands = declaration.bands

    @cache
    def built(band: str) -> Declared:
        layouts = [Layout(pattern) for pattern in declaration.layouts]
        kinds = bands[band].kinds()
        return Declared(declaration.name, kinds, layouts, declaration.shape, declaration.rule)

    def make(options: Options) -> Declared:
        band = options.band or next(iter(bands))
        if band not in bands:
            raise SetUpError(f"{declaration.name} has the bands {', '.join(bands)}")
        return built(band)

    def rows() -> tuple[Row, ...]:
        return tuple(
            Row(
                format=declaration.name,
                values=_values(declaration, name, kind),
                shape=declaration.shape,
                domain=kind.values.size,
                tokens=band.tokens,
                validators=band.validators,
                recognisable=kind.apart,
                slots=built(name).slots,
            )
            for name, band in bands.items()
            for kind in built(name).sets
        )

    options = frozenset({"band"}) if len(bands) > 1 else frozenset[str]()
    return Entry(declaration.name, options, make, rows)


def _values(declaration: Declaration, band: str, kind: Kind) -> str:
    parts = [declaration.values, kind.what]
    if len(declaration.bands) > 1:
        parts.append(f'band = "{band}"')
    return ", ".join(filter(None, parts))
